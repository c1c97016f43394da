//! The contents of a file, in plain: sections of a tag, a length and that many bytes.
//!
//! | tag | bytes |
//! |---|---|
//! | `01` | time of the export in milliseconds since 1970 (8), intent (1): 0 copy, 1 move |
//! | `02` | secret key (32), signalling token (26) |
//! | `03` | poll: owner (32), poll id (16), 1 if it is archived (1) |
//! | `04` | its snapshot: revision (8), frame |
//! | `05` | an update of it: revision (8), frame |
//! | `06` | a receipt of it: author (32), device (5), JSON |
//! | `7f` | the end: nothing |
//!
//! They stand in this order, behind a line with the version of the format. Integers are big-endian.
//! A poll that comes in no other section is whole: the frames are those of the journal, byte for
//! byte.

use bytes::Bytes;
use hustings_protocol::{
    DeviceId, PeerId, PollId, Receipt, Revision, RoomId, StoredJournal, StoredLog,
};
use zeroize::Zeroizing;

use super::{Contents, ExportError, Intent, PollCopy, ReadError};
use crate::identity::{Secret, TOKEN_LEN};

const INTRO: &[u8] = b"hustings export ";
const VERSION: u32 = 1;

const HEAD: u8 = 0x01;
const IDENTITY: u8 = 0x02;
const POLL: u8 = 0x03;
const SNAPSHOT: u8 = 0x04;
const UPDATE: u8 = 0x05;
const RECEIPT: u8 = 0x06;
const END: u8 = 0x7f;

/// The contents as bytes.
pub(super) fn encode(contents: &Contents) -> Result<Zeroizing<Vec<u8>>, ExportError> {
    let Contents {
        at,
        intent,
        secret,
        polls,
    } = contents;
    let mut out = Writer(Zeroizing::new(INTRO.to_vec()));
    out.0.extend_from_slice(format!("{VERSION}\n").as_bytes());
    let intent = match intent {
        Intent::Copy => 0,
        Intent::Move => 1,
    };
    out.section(HEAD, &[&at.to_be_bytes(), &[intent]])?;
    let key = Zeroizing::new(secret.signing_key.to_bytes());
    out.section(IDENTITY, &[&*key, secret.token.as_bytes()])?;
    for poll in polls {
        let RoomId { owner, poll_id } = poll.room;
        let id = poll_id.as_uuid();
        let archived = [u8::from(poll.is_archived)];
        out.section(POLL, &[owner.as_bytes(), id.as_bytes(), &archived])?;
        let StoredJournal { log, receipts } = &poll.journal;
        out.frame(SNAPSHOT, &log.snapshot)?;
        for update in &log.tail {
            out.frame(UPDATE, update)?;
        }
        for (author, device, receipt) in receipts {
            let text = serde_json::to_vec(receipt)
                .expect("a receipt is numbers, words and text, all of which JSON has");
            out.section(RECEIPT, &[author.as_bytes(), device.as_bytes(), &text])?;
        }
    }
    out.section(END, &[])?;
    Ok(out.0)
}

struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    fn section(&mut self, tag: u8, parts: &[&[u8]]) -> Result<(), ExportError> {
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        let written = u32::try_from(len).map_err(|_| ExportError::TooLarge)?;
        self.0.push(tag);
        self.0.extend_from_slice(&written.to_be_bytes());
        for part in parts {
            self.0.extend_from_slice(part);
        }
        Ok(())
    }

    fn frame(&mut self, tag: u8, (revision, frame): &(Revision, Bytes)) -> Result<(), ExportError> {
        self.section(tag, &[&revision.get().to_be_bytes(), frame])
    }
}

/// The contents of these bytes. Nothing of the journals is checked but their form.
pub(super) fn decode(plain: &[u8]) -> Result<Contents, ReadError> {
    let rest = plain.strip_prefix(INTRO).ok_or(ReadError::NotAnExport)?;
    let end = rest.iter().position(|byte| *byte == b'\n');
    let (version, rest) = rest.split_at(end.ok_or(ReadError::Damaged)?);
    let version = std::str::from_utf8(version).ok();
    let version = version.and_then(|version| version.parse().ok());
    match version {
        Some(VERSION) => read(Reader(&rest[1..])).ok_or(ReadError::Damaged),
        Some(newer) if newer > VERSION => Err(ReadError::Newer(newer)),
        Some(_) | None => Err(ReadError::Damaged),
    }
}

fn read(mut from: Reader<'_>) -> Option<Contents> {
    let (HEAD, mut head) = from.section()? else {
        return None;
    };
    let at = u64::from_be_bytes(head.take()?);
    let intent = match head.take()? {
        [0] => Intent::Copy,
        [1] => Intent::Move,
        _ => return None,
    };
    let (IDENTITY, mut identity) = from.section()? else {
        return None;
    };
    let key = Zeroizing::new(identity.take::<32>()?);
    let token = std::str::from_utf8(identity.0).ok()?;
    if !head.0.is_empty() || identity.0.len() != TOKEN_LEN {
        return None;
    }
    let secret = Secret::new(&key, token)?;
    let mut polls: Vec<PollCopy> = Vec::new();
    let (mut tag, mut section) = from.section()?;
    while tag == POLL {
        let owner = PeerId::from_bytes(section.take()?);
        let poll_id = PollId::from_uuid(uuid::Uuid::from_bytes(section.take()?));
        let is_archived = match section.0 {
            [0] => false,
            [1] => true,
            _ => return None,
        };
        let room = RoomId { owner, poll_id };
        (tag, section) = from.section()?;
        if tag != SNAPSHOT {
            return None;
        }
        let snapshot = section.frame()?;
        (tag, section) = from.section()?;
        let mut tail = Vec::new();
        while tag == UPDATE {
            tail.push(section.frame()?);
            (tag, section) = from.section()?;
        }
        let mut receipts: Vec<(PeerId, DeviceId, Receipt)> = Vec::new();
        while tag == RECEIPT {
            let author = PeerId::from_bytes(section.take()?);
            let device = DeviceId::from_bytes(section.take()?);
            let text = std::str::from_utf8(section.0).ok()?;
            receipts.push((author, device, serde_json::from_str(text).ok()?));
            (tag, section) = from.section()?;
        }
        polls.push(PollCopy {
            room,
            is_archived,
            journal: StoredJournal {
                log: StoredLog { snapshot, tail },
                receipts,
            },
        });
    }
    let is_end = tag == END && section.0.is_empty() && from.0.is_empty();
    is_end.then_some(Contents {
        at,
        intent,
        secret,
        polls,
    })
}

/// The part that has not been read yet, of the whole or of a section.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn section(&mut self) -> Option<(u8, Reader<'a>)> {
        let [tag] = self.take()?;
        let len = usize::try_from(u32::from_be_bytes(self.take()?)).ok()?;
        let (section, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some((tag, Reader(section)))
    }

    fn frame(&mut self) -> Option<(Revision, Bytes)> {
        let revision = Revision::new(u64::from_be_bytes(self.take()?))?;
        Some((revision, Bytes::copy_from_slice(self.0)))
    }
}

#[cfg(test)]
mod tests {
    use hustings_protocol::{CommandId, Outcome, Seq};

    use super::*;

    fn contents() -> Contents {
        let secret = Secret::new(&[7; 32], &"abcdefghijklmnopqrstuvwxyz"[..TOKEN_LEN]).unwrap();
        let receipt = Receipt {
            seq: Seq::FIRST,
            command_id: CommandId::new(1, [7; 10]),
            digest: 3,
            outcome: Outcome::Applied(Revision::ZERO.next()),
        };
        let poll = PollCopy {
            room: RoomId {
                owner: secret.peer_id(),
                poll_id: PollId::from_uuid(uuid::Uuid::nil()),
            },
            is_archived: true,
            journal: StoredJournal {
                log: StoredLog {
                    snapshot: (Revision::ZERO, Bytes::from_static(b"{}")),
                    tail: vec![(Revision::ZERO.next(), Bytes::from_static(b"{\"a\":1}"))],
                },
                receipts: vec![(secret.peer_id(), DeviceId::from_bytes([1; 5]), receipt)],
            },
        };
        Contents {
            at: 5,
            intent: Intent::Move,
            secret,
            polls: vec![poll],
        }
    }

    /// Anything may have been made by whoever has the passphrase: it is read or refused.
    #[test]
    fn no_contents_make_it_panic_and_none_that_are_cut_are_read() {
        let plain = encode(&contents()).unwrap();
        let read = decode(&plain).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(*encode(&read).unwrap(), *plain);
        for at in 0..plain.len() {
            assert!(decode(&plain[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut other = plain.to_vec();
                other[at] ^= 1 << bit;
                // What does read is what it says, and nothing is left out of it.
                if let Ok(read) = decode(&other) {
                    let again = encode(&read).unwrap();
                    assert_eq!(again.len(), other.len(), "byte {at}, bit {bit}");
                }
            }
        }
        assert!(decode(&[&plain[..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_later_version_is_said_to_be_one() {
        let refused = |text: &[u8]| decode(text).err();
        assert_eq!(refused(b"hustings export 2\n?"), Some(ReadError::Newer(2)));
        assert_eq!(refused(b"hustings export 0\n"), Some(ReadError::Damaged));
        assert_eq!(refused(b"hustings export x\n"), Some(ReadError::Damaged));
        assert_eq!(refused(b"a letter"), Some(ReadError::NotAnExport));
    }
}
