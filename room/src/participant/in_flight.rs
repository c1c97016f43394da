//! The participant's own commands, from their submission to their outcome.

use std::collections::VecDeque;

use bytes::Bytes;
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{Command, CommandId, Limits, Message, Seq, StoredOutbox, WINDOW};

use crate::RestoreError;

/// A command without an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) seq: Seq,
    pub(crate) command_id: CommandId,
    pub(crate) command: Command,
    pub(crate) frame: Bytes,
    /// True if it was sent on the present link.
    pub(crate) sent: bool,
}

/// The outbox, in memory.
#[derive(Debug, Clone)]
pub(crate) struct InFlight {
    next_seq: Seq,
    /// In the order of their numbers, which is also the order of their outcomes: a search finds its
    /// entry at the front or near it.
    entries: VecDeque<Entry>,
}

impl InFlight {
    /// The outbox from its stored data.
    pub(crate) fn restore(stored: StoredOutbox) -> Result<Self, RestoreError> {
        // A command that an earlier build took is sent even if this one would not take it: the
        // owner answers, and then it is settled.
        let limits = &match planted::is_on(Fault::StoredCommandBlocks) {
            false => Limits::unbounded(),
            true => Limits::default(),
        };
        let mut in_flight = Self {
            next_seq: stored.next_seq,
            entries: VecDeque::new(),
        };
        for (seq, frame) in stored.entries {
            let numbered = match Message::decode(&frame, limits) {
                Ok(Message::Command(numbered)) if numbered.seq == seq => numbered,
                Ok(_) => {
                    return Err(RestoreError::misplaced(format!("the stored command {seq}")));
                }
                Err(error) => {
                    let what = format!("the stored command {seq}");
                    return Err(RestoreError::new(what, error.rejection));
                }
            };
            in_flight.insert(seq, numbered.command_id, numbered.command, frame);
        }
        Ok(in_flight)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn next_seq(&self) -> Seq {
        self.next_seq
    }

    /// The lowest number that may still be sent; every earlier command has had its outcome.
    pub(crate) fn oldest(&self) -> Seq {
        self.entries
            .front()
            .map_or(self.next_seq, |entry| entry.seq)
    }

    /// Takes the command that was encoded with [`next_seq`](Self::next_seq).
    pub(crate) fn push(&mut self, command_id: CommandId, command: Command, frame: Bytes) {
        let seq = self.next_seq;
        self.insert(seq, command_id, command, frame);
    }

    fn insert(&mut self, seq: Seq, command_id: CommandId, command: Command, frame: Bytes) {
        self.entries.push_back(Entry {
            seq,
            command_id,
            command,
            frame,
            sent: false,
        });
        // A stored `next_seq` is already past every entry, and must not go back.
        self.next_seq = self.next_seq.max(seq.next());
    }

    /// The next command to send, marked as sent: in order, and never so far ahead of the oldest
    /// that the owner could have forgotten that one.
    pub(crate) fn take_next(&mut self) -> Option<(CommandId, Bytes)> {
        let end = self.oldest().get() + WINDOW;
        let entry = self
            .entries
            .iter_mut()
            .take_while(|entry| entry.seq.get() < end)
            .find(|entry| !entry.sent)?;
        entry.sent = true;
        Some((entry.command_id, entry.frame.clone()))
    }

    /// Marks every command as not sent, because nothing is assumed to have arrived. Returns those
    /// that were marked as sent.
    pub(crate) fn unsend(&mut self) -> Vec<CommandId> {
        let mut unsent = Vec::new();
        for entry in &mut self.entries {
            if std::mem::take(&mut entry.sent) {
                unsent.push(entry.command_id);
            }
        }
        unsent
    }

    /// This frame was not sent after all. Returns the command in it.
    pub(crate) fn unsend_frame(&mut self, frame: &[u8]) -> Option<CommandId> {
        let mut entries = self.entries.iter_mut();
        let entry = entries.find(|entry| entry.sent && entry.frame == frame)?;
        entry.sent = false;
        Some(entry.command_id)
    }

    /// Removes a command that has its outcome.
    pub(crate) fn settle(&mut self, command_id: CommandId) -> Option<Entry> {
        let mut entries = self.entries.iter();
        let at = entries.position(|entry| entry.command_id == command_id)?;
        self.entries.remove(at)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}
