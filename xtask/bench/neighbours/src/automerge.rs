//! automerge: its sync protocol, with a state for each link at both ends, as its documentation
//! shows. Documents are `AutoCommit`s, as it recommends. Nobody is told more often than once for a
//! vote: the hub generates messages for all only when its document has changed.

use automerge::sync::{Message, State, SyncDoc};
use automerge::transaction::Transactable;
use automerge::{ActorId, AutoCommit, ObjId, ObjType, ROOT, ReadDoc, Value};

use crate::{Meter, OPTIONS, System, name};

struct Member {
    doc: AutoCommit,
    state: State,
}

impl Member {
    fn message(&mut self) -> Vec<Vec<u8>> {
        let message = self.doc.sync().generate_sync_message(&mut self.state);
        message.map(Message::encode).into_iter().collect()
    }

    fn receive(&mut self, message: &[u8]) {
        let message = Message::decode(message).expect("it was encoded");
        let mut sync = self.doc.sync();
        sync.receive_sync_message(&mut self.state, message)
            .expect("it is sound");
    }
}

pub(crate) struct Room {
    hub: AutoCommit,
    states: Vec<State>,
    votes: ObjId,
    members: Vec<Member>,
}

impl Room {
    pub(crate) fn new(count: usize, meter: &mut Meter) -> Self {
        let mut hub = None;
        meter.hub(|| {
            let mut doc = AutoCommit::new().with_actor(actor(1_000_000));
            let put = doc.put(ROOT, "title", "Tea or coffee?");
            put.expect("a title");
            for option in OPTIONS {
                doc.put(ROOT, option, true).expect("an option");
            }
            let votes = doc.put_object(ROOT, "votes", ObjType::Map);
            hub = Some((doc, votes.expect("a map")));
            Vec::<(usize, Vec<u8>)>::new()
        });
        let (hub, votes) = hub.expect("it was made");
        let mut room = Self {
            hub,
            states: Vec::new(),
            votes,
            members: Vec::new(),
        };
        for _ in 0..count {
            room.join(meter);
        }
        room
    }

    /// Carries messages until nobody has one.
    fn carry(&mut self, who: usize, first: Vec<Vec<u8>>, meter: &mut Meter) {
        let mut up: Vec<_> = first.into_iter().map(|message| (who, message)).collect();
        while !up.is_empty() {
            let mut next = Vec::new();
            for (from, message) in up {
                let (hub, states) = (&mut self.hub, &mut self.states);
                let down = meter.hub(|| {
                    let message = Message::decode(&message).expect("it was encoded");
                    let before = hub.get_heads();
                    hub.sync()
                        .receive_sync_message(&mut states[from], message)
                        .expect("it is sound");
                    let is_new = hub.get_heads() != before;
                    let links = if is_new {
                        0..states.len()
                    } else {
                        from..from + 1
                    };
                    let mut down = Vec::new();
                    for to in links {
                        let message = hub.sync().generate_sync_message(&mut states[to]);
                        down.extend(message.map(|message| (to, message.encode())));
                    }
                    down
                });
                for (to, message) in down {
                    let member = &mut self.members[to];
                    let answers = meter.member(|| {
                        member.receive(&message);
                        member.message()
                    });
                    next.extend(answers.into_iter().map(|answer| (to, answer)));
                }
            }
            up = next;
        }
    }
}

fn actor(number: usize) -> ActorId {
    ActorId::from(&(number as u64).to_be_bytes()[..])
}

impl System for Room {
    fn vote(&mut self, who: usize, option: usize, meter: &mut Meter) {
        let (key, votes) = (name(who), &self.votes);
        let member = &mut self.members[who];
        let first = meter.member(|| {
            member.doc.put(votes, key, OPTIONS[option]).expect("a vote");
            member.message()
        });
        self.carry(who, first, meter);
    }

    fn join(&mut self, meter: &mut Meter) {
        let number = self.members.len();
        let mut member = None;
        let first = meter.member(|| {
            let mut new = Member {
                doc: AutoCommit::new().with_actor(actor(number)),
                state: State::new(),
            };
            let first = new.message();
            member = Some(new);
            first
        });
        self.members.extend(member);
        let states = &mut self.states;
        meter.hub(|| {
            states.push(State::new());
            Vec::<(usize, Vec<u8>)>::new()
        });
        self.carry(number, first, meter);
    }

    fn tallies(&self) -> Vec<Vec<u64>> {
        let tallies = self.members.iter().map(|member| {
            let votes = member.doc.map_range(&self.votes, ..);
            let choices: Vec<String> = votes.map(|item| text(item.value.into_value())).collect();
            let count = |option: &&str| choices.iter().filter(|it| it == option).count() as u64;
            OPTIONS.iter().map(count).collect()
        });
        tallies.collect()
    }
}

fn text(value: Value<'_>) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
