//! The participant's own commands, from their submission to their outcome.

use std::cmp::Reverse;
use std::collections::VecDeque;

use bytes::Bytes;
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{
    Command, CommandId, Envelope, Limits, Message, Numbered, Seq, StoredOutbox, WINDOW,
};

use crate::{Record, RestoreError};

/// A command without an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) seq: Seq,
    pub(crate) command_id: CommandId,
    pub(crate) command: Command,
    pub(crate) frame: Bytes,
    /// True if it was sent on the present link.
    pub(crate) sent: bool,
    /// True if it was stored before this start. If its number is one that the owner has given an
    /// outcome and forgotten, nobody knows whether the outcome was this command's.
    is_stored: bool,
    /// True if the owner has its number for another command: it waits for a number of its own.
    is_reused: bool,
}

/// The outbox, in memory.
#[derive(Debug, Clone)]
pub(crate) struct InFlight {
    next_seq: Seq,
    /// In the order of their numbers, which is also the order of their outcomes: a search finds its
    /// entry at the front or near it.
    entries: VecDeque<Entry>,
    /// The last commands that the owner has applied, [`WINDOW`] at most: an owner whose journal is
    /// an old copy has lost some, and is offered them again.
    applied: VecDeque<Entry>,
    /// The last number of this device that the owner has, as it said when the link was opened; zero
    /// if it has none.
    at_owner: u64,
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
            applied: VecDeque::new(),
            at_owner: 0,
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
            in_flight.insert(numbered, frame, true);
        }
        if !planted::is_on(Fault::ForgetsApplied) {
            in_flight.remember(stored.applied);
        }
        Ok(in_flight)
    }

    /// The commands that were applied before this start. Copies that cannot be read are left out,
    /// and so is one that was offered again already.
    fn remember(&mut self, frames: Vec<Bytes>) {
        let mut applied: Vec<Entry> = Vec::new();
        for frame in frames {
            if let Ok(Message::Command(numbered)) = Message::decode(&frame, &Limits::unbounded())
                && self.find(numbered.command_id).is_none()
            {
                applied.push(Entry::new(numbered, frame, true));
            }
        }
        // One that was offered again under another number is there under either.
        applied.sort_unstable_by_key(|entry| (entry.command_id, Reverse(entry.seq)));
        applied.dedup_by_key(|entry| entry.command_id);
        applied.sort_unstable_by_key(|entry| entry.seq);
        self.applied = applied.into();
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn next_seq(&self) -> Seq {
        self.next_seq
    }

    /// The lowest number that may still be sent, because an owner may have lost it; every earlier
    /// command has had its outcome.
    pub(crate) fn oldest(&self) -> Seq {
        let known = self.applied.front().or(self.entries.front());
        known.map_or(self.next_seq, |entry| entry.seq)
    }

    /// Takes the command that was encoded with [`next_seq`](Self::next_seq).
    pub(crate) fn push(&mut self, command_id: CommandId, command: Command, frame: Bytes) {
        let numbered = Numbered {
            command_id,
            seq: self.next_seq,
            // It is in the frame.
            seen: None,
            command,
        };
        self.insert(numbered, frame, false);
    }

    fn insert(&mut self, numbered: Numbered, frame: Bytes, is_stored: bool) {
        // A stored `next_seq` is already past every entry, and must not go back.
        self.next_seq = self.next_seq.max(numbered.seq.next());
        self.entries
            .push_back(Entry::new(numbered, frame, is_stored));
    }

    /// A link is opened to an owner that has this device's numbers up to `last`, and was told
    /// [`oldest`](Self::oldest).
    ///
    /// - An outbox that is an old copy goes on after `last`.
    /// - An owner that is an old copy is offered again what it had applied and lost. The ids of
    ///   these commands are returned: they are pending once more.
    /// - The numbers after `last` follow each other from then on: one that is missing, because its
    ///   record was lost, would keep all behind it waiting.
    pub(crate) fn meet(&mut self, last: Option<Seq>) -> (Vec<CommandId>, Vec<Record>) {
        let oldest = self.oldest();
        self.at_owner = last.map_or(0, Seq::get);
        for entry in &mut self.entries {
            entry.is_reused = false;
        }
        let mut lost = Vec::new();
        let kept = self
            .applied
            .partition_point(|entry| entry.seq.get() <= self.at_owner);
        for entry in self.applied.drain(kept..).rev() {
            lost.push(entry.command_id);
            self.entries.push_front(Entry {
                sent: false,
                ..entry
            });
        }
        lost.reverse();
        if planted::is_on(Fault::NumbersFromOldOutbox) {
            self.at_owner = 0;
            return (lost, Vec::new());
        }
        let records = self.renumber(oldest, lost.len());
        (lost, records)
    }

    /// Gives the commands after the owner's last number the numbers that follow it, and likewise
    /// those whose number the owner has for another command. Returns the records of what has
    /// changed; the first `unstored` of these entries are in no store.
    fn renumber(&mut self, oldest: Seq, unstored: usize) -> Vec<Record> {
        let mut seq = Seq::new(self.at_owner)
            .map_or(Seq::FIRST, Seq::next)
            .max(oldest);
        let is_planted = planted::is_on(Fault::HoleInOutbox);
        let (mut settled, mut queued) = (Vec::new(), Vec::new());
        let mut new = 0;
        for entry in &mut self.entries {
            if entry.seq.get() <= self.at_owner && !entry.is_reused {
                // Its outcome is there, and it is about to be told.
                continue;
            }
            new += 1;
            let is_unstored = new <= unstored;
            let is_moved = entry.seq != seq && !is_planted;
            if is_moved {
                if !is_unstored {
                    let (seq, applied) = (entry.seq, None);
                    settled.push(Record::Settled { seq, applied });
                }
                entry.number(seq);
            }
            // And all behind it: the stored counter goes with the last record.
            if is_unstored || is_moved || !queued.is_empty() {
                queued.push(Record::Queued {
                    seq: entry.seq,
                    frame: entry.frame.clone(),
                });
            }
            entry.is_reused = false;
            seq = entry.seq.next();
        }
        self.next_seq = seq;
        // Those that make room first: a number may go from one command to another.
        settled.append(&mut queued);
        settled
    }

    /// The owner has this command's number for another one. Gives it a new number once all before
    /// it have their outcomes, so that the order stays; returns the records of that.
    pub(crate) fn reused(&mut self, command_id: CommandId) -> Vec<Record> {
        if let Some(entry) = self.find(command_id) {
            entry.sent = false;
            entry.is_reused = true;
        }
        self.renumber_if_known()
    }

    /// True if this command's number is one that the owner had when the link was opened.
    pub(crate) fn is_old_number(&mut self, command_id: CommandId) -> bool {
        let at_owner = self.at_owner;
        let entry = self.find(command_id);
        entry.is_some_and(|entry| entry.seq.get() <= at_owner)
    }

    /// True if this command was stored before this start, so that the owner may have answered it.
    pub(crate) fn is_stored(&mut self, command_id: CommandId) -> bool {
        self.find(command_id).is_some_and(|entry| entry.is_stored)
    }

    fn find(&mut self, command_id: CommandId) -> Option<&mut Entry> {
        let mut entries = self.entries.iter_mut();
        entries.find(|entry| entry.command_id == command_id)
    }

    /// True while commands wait for outcomes that the owner already had when the link was opened.
    fn waits_for_old(&self) -> bool {
        self.old().any(|entry| !entry.is_reused)
    }

    /// The commands with numbers that the owner had when the link was opened.
    fn old(&self) -> impl Iterator<Item = &Entry> {
        let entries = self.entries.iter();
        entries.take_while(|entry| entry.seq.get() <= self.at_owner)
    }

    fn renumber_if_known(&mut self) -> Vec<Record> {
        let is_needed = self.old().any(|entry| entry.is_reused);
        if !is_needed || self.waits_for_old() {
            return Vec::new();
        }
        self.renumber(Seq::FIRST, 0)
    }

    /// The next command to send, marked as sent: in order, and never so far ahead of the oldest
    /// that the owner could have forgotten that one.
    pub(crate) fn take_next(&mut self) -> Option<(CommandId, Bytes)> {
        let first = self.entries.front()?.seq.get();
        // Until the outcomes that the owner has are known, it is not known which numbers are free.
        let end = match self.waits_for_old() {
            true => self.at_owner + 1,
            false => first + WINDOW,
        };
        let entry = self
            .entries
            .iter_mut()
            .take_while(|entry| entry.seq.get() < end)
            .find(|entry| !entry.sent && !entry.is_reused)?;
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

    /// Removes a command that has its outcome. Returns it with the records of the others that get
    /// their numbers only now.
    pub(crate) fn settle(
        &mut self,
        command_id: CommandId,
        is_applied: bool,
    ) -> Option<(Entry, Vec<Record>)> {
        let mut entries = self.entries.iter();
        let at = entries.position(|entry| entry.command_id == command_id)?;
        let entry = self.entries.remove(at)?;
        if is_applied {
            if self.applied.len() as u64 == WINDOW {
                self.applied.pop_front();
            }
            self.applied.push_back(entry.clone());
        }
        Some((entry, self.renumber_if_known()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}

impl Entry {
    fn new(numbered: Numbered, frame: Bytes, is_stored: bool) -> Self {
        Self {
            seq: numbered.seq,
            command_id: numbered.command_id,
            command: numbered.command,
            frame,
            sent: false,
            is_stored,
            is_reused: false,
        }
    }

    /// Gives it another number; its payload stays byte for byte, by which the owner knows it again.
    fn number(&mut self, seq: Seq) {
        let limits = Limits::unbounded();
        let numbered = Envelope::parse(&self.frame, self.frame.len(), &limits)
            .and_then(|envelope| envelope.renumbered(seq));
        self.frame = numbered.unwrap_or_else(|_| {
            // Not reached: the frame was read before.
            let command = self.command.clone();
            Message::Command(Numbered {
                command_id: self.command_id,
                seq,
                seen: None,
                command,
            })
            .encode()
        });
        self.seq = seq;
    }
}
