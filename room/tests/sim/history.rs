//! The history of a schedule as a checker reads it that knows nothing of polls: lists to which
//! transactions append, and that others read.
//!
//! Each device has a list, and each command that takes effect appends its number to its device's.
//! A participant that shows a poll has read all lists, as far as the journal goes up to the
//! revision shown.

use std::collections::BTreeMap;

use hustings_protocol::{DeviceId, PeerId};
use serde_json::{Value, json};

/// The list of one device.
type Key = (PeerId, DeviceId);

/// Everything that was asked for and shown, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History {
    steps: Vec<Step>,
    /// The list to which each number is appended; numbers are from zero.
    keys: Vec<Key>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Somebody asks for the effect with this number.
    Asks(usize),
    /// They are told that it was applied, or that it never will be.
    Hears { number: usize, is_applied: bool },
    /// One life of a process reads the effects in their order.
    Reads { reader: Reader, effects: Vec<usize> },
}

/// The one who reads: a process, and its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) slot: usize,
    pub(crate) life: usize,
    /// True for reads that see everything that anybody was told: those of the owner, and those
    /// at the end.
    pub(crate) is_fresh: bool,
}

/// Something wrong in a history, on purpose.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spoilt {
    /// The last reads miss an effect that somebody was told of.
    Lost,
    /// One reads an effect twice.
    Doubled,
    /// One reads two effects of one device in another order than all others.
    Reordered,
    /// One reads what another was told has no effect.
    Rejected,
    /// One goes back to what it had read before.
    Backward,
}

impl Spoilt {
    pub(crate) const ALL: [Self; 5] = [
        Self::Lost,
        Self::Doubled,
        Self::Reordered,
        Self::Rejected,
        Self::Backward,
    ];
}

impl History {
    /// Somebody asks for the next effect; returns its number.
    pub(crate) fn asks(&mut self, peer: PeerId, device: DeviceId) -> usize {
        self.keys.push((peer, device));
        let number = self.keys.len() - 1;
        self.steps.push(Step::Asks(number));
        number
    }

    pub(crate) fn hears(&mut self, number: usize, is_applied: bool) {
        self.steps.push(Step::Hears { number, is_applied });
    }

    pub(crate) fn reads(&mut self, reader: Reader, effects: Vec<usize>) {
        self.steps.push(Step::Reads { reader, effects });
    }

    /// The history in the form of Jepsen's: one transaction's begin or end a line. Only fresh reads
    /// can be told when they were made.
    pub(crate) fn lines(&self, is_fresh_only: bool) -> String {
        let mut lines = Vec::new();
        for step in &self.steps {
            match step {
                Step::Asks(number) => {
                    lines.push(self.append("invoke", *number));
                }
                Step::Hears { number, is_applied } => {
                    let how = if *is_applied { "ok" } else { "fail" };
                    lines.push(self.append(how, *number));
                }
                Step::Reads { reader, effects } if reader.is_fresh || !is_fresh_only => {
                    let process = reader.slot * 1_000 + reader.life;
                    lines.extend(self.read(process, effects));
                }
                Step::Reads { .. } => {}
            }
        }
        let lines = lines.into_iter().enumerate().map(|(index, mut line)| {
            line["index"] = json!(index);
            format!("{line}\n")
        });
        lines.collect()
    }

    fn key(&self, number: usize) -> String {
        let (peer, device) = self.keys[number];
        format!("{peer}/{device}")
    }

    /// A device asks for more while it waits for what it has asked for, which one process of such
    /// a history does not: so each command has a process of its own.
    fn append(&self, how: &str, number: usize) -> Value {
        json!({
            "type": how,
            "process": 1_000_000 + number,
            "value": [["append", self.key(number), number]],
        })
    }

    fn read(&self, process: usize, effects: &[usize]) -> [Value; 2] {
        let mut lists: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for key in 0..self.keys.len() {
            lists.entry(self.key(key)).or_default();
        }
        for number in effects {
            lists.entry(self.key(*number)).or_default().push(*number);
        }
        let asked: Vec<Value> = lists.keys().map(|key| json!(["r", key, null])).collect();
        let read: Vec<Value> = lists
            .iter()
            .map(|(key, list)| json!(["r", key, list]))
            .collect();
        [
            json!({ "type": "invoke", "process": process, "value": asked }),
            json!({ "type": "ok", "process": process, "value": read }),
        ]
    }

    /// The same history with something wrong in it; `None` if it has nothing that could be.
    pub(crate) fn spoilt(&self, how: Spoilt) -> Option<Self> {
        let mut spoilt = self.clone();
        let applied = spoilt.heard(true);
        let rejected = spoilt.heard(false).first().copied();
        let keys = spoilt.keys.clone();
        let mut reads = spoilt.steps.iter_mut().rev().filter_map(|step| match step {
            Step::Reads { effects, .. } => Some(effects),
            Step::Asks(_) | Step::Hears { .. } => None,
        });
        match how {
            Spoilt::Lost => {
                // By all who read at the end, so that nobody disagrees.
                let reads: Vec<&mut Vec<usize>> = reads.collect();
                let lost = *reads.first()?.iter().rfind(|it| applied.contains(it))?;
                for read in reads {
                    // And all that its device has asked for after it, as on a disk that is put
                    // back.
                    if let Some(at) = read.iter().position(|it| *it == lost) {
                        let kept = read.split_off(at).into_iter();
                        read.extend(kept.filter(|it| keys[*it] != keys[lost]));
                    }
                }
            }
            Spoilt::Doubled => {
                let read = reads.find(|read| !read.is_empty())?;
                read.push(read[0]);
            }
            Spoilt::Reordered => {
                let pair = |read: &Vec<usize>| {
                    let mut pairs = (0..read.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
                    pairs.find(|(a, b)| keys[read[*a]] == keys[read[*b]])
                };
                let ((a, b), read) = reads.find_map(|read| Some((pair(read)?, read)))?;
                read.swap(a, b);
            }
            Spoilt::Rejected => reads.next()?.push(rejected?),
            Spoilt::Backward => {
                let last = reads.next()?;
                let before = last.len() / 2;
                last.truncate(before);
            }
        }
        Some(spoilt)
    }

    /// The numbers of which somebody was told that they were applied, or were not.
    fn heard(&self, wanted: bool) -> Vec<usize> {
        let heard = self.steps.iter().filter_map(|step| match step {
            Step::Hears { number, is_applied } if *is_applied == wanted => Some(*number),
            Step::Asks(_) | Step::Hears { .. } | Step::Reads { .. } => None,
        });
        heard.collect()
    }
}
