//! A disk in memory, that knows what was synced and can fail.

use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use redb::StorageBackend;

/// The disk. A clone is the same disk.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    synced: Vec<u8>,
    /// Everything since the last sync, in its order.
    unsynced: Vec<Change>,
    written: Vec<u8>,
    syncs: u64,
    operations: u64,
    /// The number of operations that succeed before the disk is full; `None` without a bound.
    left: Option<u64>,
    held: bool,
    open: bool,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Len(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, data) => {
                let end = at + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*at..end].copy_from_slice(data);
            }
            Self::Len(len) => bytes.resize(*len, 0),
        }
    }
}

/// Holds every write and sync of a disk until it is dropped.
pub(super) struct Gate(Disk);

impl Drop for Gate {
    fn drop(&mut self) {
        self.0.lock().held = false;
        self.0.0.changed.notify_all();
    }
}

impl Disk {
    pub(super) fn new() -> Self {
        Self::default()
    }

    fn of(bytes: Vec<u8>) -> Self {
        let disk = Self::new();
        {
            let mut state = disk.lock();
            state.synced = bytes.clone();
            state.written = bytes;
        }
        disk
    }

    pub(super) fn backend(&self) -> impl StorageBackend + use<> {
        self.lock().open = true;
        Opened(self.clone())
    }

    /// A disk with everything that was written, synced or not.
    pub(super) fn as_written(&self) -> Self {
        Self::of(self.lock().written.clone())
    }

    /// A disk with everything that was synced; of the rest, some whole, some in part, some lost.
    pub(super) fn as_torn(&self, seed: u64) -> Self {
        let mut random = seed;
        let mut next = |bound: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % bound
        };
        let state = self.lock();
        let mut bytes = state.synced.clone();
        for change in &state.unsynced {
            match (next(3), change) {
                (0, _) => {}
                (1, Change::Write(at, data)) if data.len() > 512 => {
                    let sectors = next(data.len() / 512);
                    Change::Write(*at, data[..sectors * 512].to_vec()).apply(&mut bytes);
                }
                _ => change.apply(&mut bytes),
            }
        }
        // A lost change of the length leaves later writes beyond the end: they made it longer.
        Self::of(bytes)
    }

    /// The bytes that were written, synced or not.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.lock().written.clone()
    }

    pub(super) fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    pub(super) fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Makes the disk full after this many more changes.
    pub(super) fn break_after(&self, operations: u64) {
        self.lock().left = Some(operations);
    }

    pub(super) fn repair(&self) {
        self.lock().left = None;
    }

    pub(super) fn hold_writes(&self) -> Gate {
        self.lock().held = true;
        Gate(self.clone())
    }

    pub(super) fn wait_until_closed(&self) {
        let state = self.lock();
        drop(
            self.0
                .changed
                .wait_while(state, |state| state.open)
                .unwrap(),
        );
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.lock();
        let mut state = self
            .0
            .changed
            .wait_while(state, |state| state.held)
            .unwrap();
        state.operations += 1;
        match &mut state.left {
            Some(0) => Err(io::Error::from(io::ErrorKind::StorageFull)),
            Some(left) => {
                *left -= 1;
                Ok(state)
            }
            None => Ok(state),
        }
    }
}

struct Opened(Disk);

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl StorageBackend for Opened {
    fn len(&self) -> io::Result<u64> {
        Ok(u64::try_from(self.0.lock().written.len()).unwrap())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        let state = self.0.lock();
        match state.written.get(at..at + out.len()) {
            Some(bytes) => {
                out.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.change()?;
        let change = Change::Len(usize::try_from(len).unwrap());
        change.apply(&mut state.written);
        state.unsynced.push(change);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.change()?;
        state.syncs += 1;
        state.unsynced.clear();
        state.synced = state.written.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.change()?;
        let change = Change::Write(usize::try_from(offset).unwrap(), data.to_vec());
        change.apply(&mut state.written);
        state.unsynced.push(change);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.0.lock().open = false;
        self.0.0.changed.notify_all();
        Ok(())
    }
}
