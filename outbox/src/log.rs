//! A snapshot and the frames around it: the common part of a journal and a cache.

use bytes::{BufMut, Bytes, BytesMut};
use hustings_protocol::{DeviceId, Revision, RoomId, StoredLog};

use crate::keys::{self, Fields, Key, corrupt, unknown_key};
use crate::seal::{self, Unsealed};
use crate::{Batch, Store, StoreError};

/// The name of the log of one room, and of one device if each device has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Log {
    tag: u8,
    kind: &'static str,
    pub(crate) device: Option<DeviceId>,
    pub(crate) room: RoomId,
}

/// The result of a scan of a log's scope.
#[derive(Debug)]
pub(crate) struct Scanned {
    pub(crate) log: Option<StoredLog>,
    /// Every other record of the scope: its part, its key and its value.
    pub(crate) others: Vec<(u8, Bytes, Bytes)>,
}

impl Log {
    pub(crate) const fn new(
        tag: u8,
        kind: &'static str,
        device: Option<DeviceId>,
        room: RoomId,
    ) -> Self {
        Self {
            tag,
            kind,
            device,
            room,
        }
    }

    pub(crate) fn name(&self) -> String {
        match self.device {
            Some(device) => format!("{} of {}, device {device}", self.kind, self.room),
            None => format!("{} of {}", self.kind, self.room),
        }
    }

    pub(crate) fn part(&self, part: u8) -> Key {
        self.scope().byte(part)
    }

    pub(crate) fn put_snapshot(
        &self,
        batch: &mut Batch,
        revision: Revision,
        frame: &[u8],
        keep_after: Revision,
    ) {
        let mut value = BytesMut::with_capacity(8 + frame.len());
        value.put_u64(revision.get());
        value.put_slice(frame);
        seal::put(batch, self.part(keys::SNAPSHOT), &value);
        // Updates that the snapshot does not include are never deleted, whatever the caller asks
        // for.
        let keep_from = keep_after.min(revision).get() + 1;
        let start = self.part(keys::TAIL).bytes();
        let end = self.part(keys::TAIL).number(keep_from).bytes();
        batch.delete_range(start..end);
    }

    pub(crate) fn append(&self, batch: &mut Batch, revision: Revision, frame: &[u8]) {
        let key = self.part(keys::TAIL).number(revision.get());
        seal::put(batch, key, frame);
    }

    pub(crate) fn remove(&self, batch: &mut Batch) {
        batch.delete_range(self.scope().prefix_range());
    }

    /// Reads every record of the scope in one scan, and so as of one moment, and checks the log.
    pub(crate) async fn scan(&self, store: &impl Store) -> Result<Scanned, StoreError> {
        let mut snapshot = None;
        let mut tail: Vec<(Revision, Bytes)> = Vec::new();
        let mut others = Vec::new();
        let scope = self.scope().bytes();
        for (key, value) in store.scan(self.scope().prefix_range()).await? {
            let mut fields = Fields::after(&key, scope.len());
            match fields.byte() {
                Some(keys::SNAPSHOT) if fields.is_empty() => {
                    snapshot = Some(self.read_snapshot(&key, &value)?);
                }
                Some(keys::TAIL) => match fields.number().and_then(Revision::new) {
                    Some(revision) if fields.is_empty() => {
                        let frame = seal::open(&key, &value, Unsealed::Object)
                            .map_err(|reason| self.corrupt_frame(revision, reason))?;
                        tail.push((revision, frame));
                    }
                    Some(_) | None => return Err(unknown_key(self.name(), &key)),
                },
                Some(part) => others.push((part, key, value)),
                None => return Err(unknown_key(self.name(), &key)),
            }
        }
        let log = match snapshot {
            Some(snapshot) => {
                self.validate(snapshot.0, &tail)?;
                Some(StoredLog { snapshot, tail })
            }
            None => match tail.first() {
                Some((revision, _)) => {
                    return Err(self.corrupt_frame(*revision, "there is no snapshot"));
                }
                None => None,
            },
        };
        Ok(Scanned { log, others })
    }

    pub(crate) fn scope(&self) -> Key {
        let key = Key::new(self.tag);
        match self.device {
            Some(device) => key.device(device).room(self.room),
            None => key.room(self.room),
        }
    }

    fn read_snapshot(&self, key: &[u8], value: &Bytes) -> Result<(Revision, Bytes), StoreError> {
        let damaged = |reason| corrupt(format_args!("{}, snapshot", self.name()), reason);
        let mut value = seal::open(key, value, Unsealed::Snapshot).map_err(damaged)?;
        let revision = value
            .first_chunk()
            .and_then(|bytes| Revision::new(u64::from_be_bytes(*bytes)));
        match revision {
            Some(revision) => Ok((revision, value.split_off(8))),
            None => Err(damaged("it does not begin with a revision")),
        }
    }

    pub(crate) fn validate(
        &self,
        snapshot: Revision,
        tail: &[(Revision, Bytes)],
    ) -> Result<(), StoreError> {
        let (Some((first, _)), Some((last, _))) = (tail.first(), tail.last()) else {
            return Ok(());
        };
        // A cache may have the votes of others all in one, under the revision of the last.
        let may_skip = self.tag == keys::CACHE;
        for pair in tail.windows(2).filter(|_| !may_skip) {
            let (before, after) = (pair[0].0, pair[1].0);
            if after != before.next() {
                return Err(self.corrupt_frame(
                    before.next(),
                    format_args!("it is missing: {after} follows {before}"),
                ));
            }
        }
        if *first > snapshot.next() && !may_skip {
            return Err(self.corrupt_frame(
                snapshot.next(),
                format_args!("it is missing: {first} follows the snapshot at {snapshot}"),
            ));
        }
        if *last < snapshot {
            return Err(self.corrupt_frame(
                last.next(),
                format_args!("it is missing: the snapshot at {snapshot} follows {last}"),
            ));
        }
        Ok(())
    }

    pub(crate) fn corrupt_frame(
        &self,
        revision: Revision,
        reason: impl std::fmt::Display,
    ) -> StoreError {
        corrupt(format_args!("{}, revision {revision}", self.name()), reason)
    }
}
