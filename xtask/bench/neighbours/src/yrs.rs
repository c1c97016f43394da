//! yrs: each vote is the update of one transaction, which the hub applies to its own copy and
//! forwards as it is; this is what its documentation calls incremental updates, and y-sync's
//! servers do. A newcomer sends its state vector and gets what it lacks. The smaller encoding (v1,
//! which is the one that all servers speak) is used throughout.
//!
//! [`Merged`] is what a server could do that tells of several votes together, as hustings does: it
//! merges the updates of 200 ms into one, which yrs has a function for.

use std::time::Duration;

use bytes::Bytes;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{
    Any, Doc, Map, MapRef, Out, ReadTxn, StateVector, Transact, Update, WriteTxn, merge_updates_v1,
};

use crate::{Meter, OPTIONS, System, name};

struct Copy {
    doc: Doc,
    votes: MapRef,
}

impl Copy {
    fn new(number: usize) -> Self {
        let doc = Doc::with_client_id(number as u64 + 1);
        let votes = doc.get_or_insert_map("votes");
        Self { doc, votes }
    }

    fn apply(&mut self, update: &[u8]) {
        let update = Update::decode_v1(update).expect("it was encoded");
        let mut transaction = self.doc.transact_mut();
        transaction.apply_update(update).expect("it follows");
    }
}

pub(crate) struct Room {
    hub: Copy,
    members: Vec<Copy>,
}

impl Room {
    pub(crate) fn new(count: usize, meter: &mut Meter) -> Self {
        let mut hub = None;
        meter.hub(|| {
            let copy = Copy::new(1_000_000);
            let mut transaction = copy.doc.transact_mut();
            let poll = transaction.get_or_insert_map("poll");
            poll.insert(&mut transaction, "title", "Tea or coffee?");
            for option in OPTIONS {
                poll.insert(&mut transaction, option, true);
            }
            drop(transaction);
            hub = Some(copy);
            Vec::<(usize, Bytes)>::new()
        });
        let mut room = Self {
            hub: hub.expect("it was made"),
            members: Vec::new(),
        };
        for _ in 0..count {
            room.join(meter);
        }
        room
    }
}

impl Room {
    /// A member votes: the updates that it sends.
    fn cast(&mut self, who: usize, option: usize, meter: &mut Meter) -> Vec<Vec<u8>> {
        let key = name(who);
        let member = &mut self.members[who];
        meter.member(|| {
            let mut transaction = member.doc.transact_mut();
            member.votes.insert(&mut transaction, key, OPTIONS[option]);
            vec![transaction.encode_update_v1()]
        })
    }

    fn deliver(&mut self, sent: Vec<(usize, Vec<u8>)>, meter: &mut Meter) {
        for (to, update) in sent {
            let member = &mut self.members[to];
            meter.member(|| {
                member.apply(&update);
                Vec::<Bytes>::new()
            });
        }
    }
}

impl System for Room {
    fn vote(&mut self, who: usize, option: usize, meter: &mut Meter) {
        let updates = self.cast(who, option, meter);
        let (hub, count) = (&mut self.hub, self.members.len());
        let mut all = Vec::new();
        for update in updates {
            all.extend(meter.hub(|| {
                hub.apply(&update);
                // As it came: nothing is encoded, and a copy is a pointer.
                let update = Bytes::from(update);
                let others = (0..count).filter(|to| *to != who);
                others.map(|to| (to, update.clone())).collect()
            }));
        }
        self.deliver(all, meter);
    }

    fn join(&mut self, meter: &mut Meter) {
        let number = self.members.len();
        let mut copy = None;
        let asks = meter.member(|| {
            let new = Copy::new(number);
            let vector = new.doc.transact().state_vector().encode_v1();
            copy = Some(new);
            vec![vector]
        });
        let hub = &mut self.hub;
        for ask in asks {
            let sent = meter.hub(|| {
                let vector = StateVector::decode_v1(&ask).expect("it was encoded");
                let missing = hub.doc.transact().encode_diff_v1(&vector);
                vec![(number, missing)]
            });
            for (_, missing) in sent {
                let copy = copy.as_mut().expect("it was made");
                meter.member(|| {
                    copy.apply(&missing);
                    Vec::<Bytes>::new()
                });
            }
        }
        self.members.extend(copy);
    }

    fn tallies(&self) -> Vec<Vec<u64>> {
        let tallies = self.members.iter().map(|copy| {
            let transaction = copy.doc.transact();
            let votes = copy.votes.iter(&transaction);
            let choices: Vec<String> = votes
                .filter_map(|(_, choice)| match choice {
                    Out::Any(Any::String(choice)) => Some(choice.to_string()),
                    _ => None,
                })
                .collect();
            let count = |option: &&str| choices.iter().filter(|it| it == option).count() as u64;
            OPTIONS.iter().map(count).collect()
        });
        tallies.collect()
    }
}

/// The time between two tellings.
const INTERVAL: Duration = Duration::from_millis(200);

/// A hub that tells of a vote at once after a quiet time, and otherwise of all since the last
/// telling, when the interval is over.
pub(crate) struct Merged {
    room: Room,
    waiting: Vec<Vec<u8>>,
    now: Duration,
    not_before: Duration,
}

impl Merged {
    pub(crate) fn new(count: usize, meter: &mut Meter) -> Self {
        Self {
            room: Room::new(count, meter),
            waiting: Vec::new(),
            now: Duration::ZERO,
            not_before: Duration::ZERO,
        }
    }

    /// Authors get their own votes among the others: one message is for all.
    fn tell(&mut self, meter: &mut Meter) {
        self.not_before = self.now + INTERVAL;
        let (waiting, count) = (&mut self.waiting, self.room.members.len());
        let sent = meter.hub(|| {
            let merged = merge_updates_v1(&*waiting).expect("they were encoded");
            waiting.clear();
            let merged = Bytes::from(merged);
            (0..count).map(|to| (to, merged.clone())).collect()
        });
        self.room.deliver(sent, meter);
    }
}

impl System for Merged {
    fn vote(&mut self, who: usize, option: usize, meter: &mut Meter) {
        for update in self.room.cast(who, option, meter) {
            let (hub, waiting) = (&mut self.room.hub, &mut self.waiting);
            meter.hub(|| {
                hub.apply(&update);
                waiting.push(update);
                Vec::<(usize, Bytes)>::new()
            });
        }
        if self.now >= self.not_before {
            self.tell(meter);
        }
    }

    fn pass(&mut self, time: Duration, meter: &mut Meter) {
        let until = self.now + time;
        if !self.waiting.is_empty() && self.not_before <= until {
            self.now = self.not_before;
            self.tell(meter);
        }
        self.now = until;
    }

    fn join(&mut self, meter: &mut Meter) {
        self.room.join(meter);
    }

    fn tallies(&self) -> Vec<Vec<u64>> {
        self.room.tallies()
    }
}
