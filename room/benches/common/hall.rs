//! An owner's machine, and its links, which take everything.

use std::collections::VecDeque;
use std::hint::black_box;

use bytes::Bytes;
use hustings_protocol::{Challenge, Message, Poll};
use hustings_room::{DownReason, Host, LinkId, Moment, Output, Owner, Participant, Persist};

use super::{binding, challenge_in, hello, key_of, poll_id, proof, setup};
use crate::drain::drain;

pub(crate) const NOW: Moment = Moment::START;

/// An owner, and the work of a transport with its outputs: a queue for each link, of which the last
/// frame is kept. Records are dropped if nobody wants them: this measures the machine.
pub(crate) struct Hall {
    pub(crate) host: Host,
    pub(crate) links: Vec<LinkId>,
    queues: Vec<VecDeque<Bytes>>,
    /// The frames that followed from the last input: those for one link, and those for all if they
    /// are for `watched`, too.
    pub(crate) sent: Vec<Bytes>,
    watched: Option<LinkId>,
    /// There are no queues: only the owner's own memory is looked at.
    pub(crate) is_deaf: bool,
    /// The records; `None` if nobody wants them.
    pub(crate) records: Option<Vec<Persist>>,
}

impl Hall {
    /// With so many participants, who have come through the handshake.
    pub(crate) fn new(participants: u64, poll: Poll) -> Self {
        let mut hall = Self::keeping(poll, None);
        for number in 0..participants {
            hall.join(number);
        }
        hall
    }

    /// Without anybody yet. Its records go on this list, if there is one.
    pub(crate) fn keeping(poll: Poll, records: Option<Vec<Persist>>) -> Self {
        let owner = Owner::create(setup(), poll).expect("a sound poll");
        let mut host = Host::new(&setup(), NOW);
        host.open(owner, NOW);
        let mut hall = Self {
            host,
            links: Vec::new(),
            queues: Vec::new(),
            sent: Vec::new(),
            watched: None,
            is_deaf: false,
            records,
        };
        hall.drain();
        hall
    }

    /// The next link, which is up and has a queue.
    pub(crate) fn connect(&mut self, now: Moment) -> LinkId {
        let link = self.next_link();
        self.host.handle_link_up(link, binding(), now);
        link
    }

    /// The next link, with a queue, before it is up.
    pub(crate) fn next_link(&mut self) -> LinkId {
        let link = LinkId::accepted(self.links.len() as u64);
        self.links.push(link);
        if !self.is_deaf {
            self.queues.push(VecDeque::new());
        }
        link
    }

    /// Brings a participant through the handshake.
    pub(crate) fn join(&mut self, number: u64) {
        let key = key_of(number);
        let link = self.connect(NOW);
        let hello = hello(&key, poll_id());
        self.say(link, &Message::Hello(hello).encode(), NOW);
        let challenge = self.challenge();
        self.say(link, &proof(&key, &hello, &challenge, &binding()), NOW);
    }

    /// The challenge that has just been sent.
    pub(crate) fn challenge(&self) -> Challenge {
        let mut sent = self.sent.iter();
        let challenge = sent.find_map(|frame| challenge_in(frame));
        challenge.expect("a hello is answered")
    }

    /// Brings a participant's machine in; returns its link at this end and at its own.
    pub(crate) fn admit(&mut self, participant: &mut Participant, now: Moment) -> (LinkId, LinkId) {
        let ends = (self.connect(now), dialled(participant));
        participant.handle_link_up(ends.1, binding(), now);
        self.carry(ends, participant, now);
        ends
    }

    /// Carries what both ends of a link have to say, until neither has anything more.
    pub(crate) fn carry(
        &mut self,
        (at, link): (LinkId, LinkId),
        participant: &mut Participant,
        now: Moment,
    ) {
        self.watched = Some(at);
        loop {
            let up = frames(participant);
            if up.is_empty() {
                break;
            }
            for frame in &up {
                self.say(at, frame, now);
                for frame in &std::mem::take(&mut self.sent) {
                    participant.handle_frame(link, frame, now);
                }
            }
        }
        self.watched = None;
    }

    /// A link is down.
    pub(crate) fn leave(&mut self, link: LinkId, now: Moment) {
        self.host.handle_link_down(link, over(), now);
        self.drain();
    }

    /// A frame from the other end of a link, and everything that it leads to.
    pub(crate) fn say(&mut self, link: LinkId, frame: &Bytes, now: Moment) {
        self.sent.clear();
        self.host.handle_frame(link, frame, now);
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        let (queues, sent, watched) = (&mut self.queues, &mut self.sent, self.watched);
        let records = &mut self.records;
        drain(&mut self.host, |output| match output {
            Output::Broadcast {
                links,
                except,
                frame,
            } => {
                if watched.is_some_and(|link| links.contains(&link) && except != watched) {
                    sent.push(frame.clone());
                }
                // Links are numbered in the order of the queues. Where somebody has left, the queue
                // of another one serves as well.
                for (link, queue) in links.iter().zip(&mut *queues) {
                    if Some(*link) != except {
                        queue.clear();
                        queue.push_back(frame.clone());
                    }
                }
            }
            Output::Send { frame, .. } => sent.push(frame),
            Output::Persist(record) => match records {
                Some(records) => records.push(*record),
                None => drop(black_box(record)),
            },
            other @ (Output::Dial { .. } | Output::Hangup { .. } | Output::Event { .. }) => {
                black_box(other);
            }
        });
    }

    /// The last frame in the queue of a link.
    pub(crate) fn last(&self, of: usize) -> Option<&Bytes> {
        self.queues[of].back()
    }
}

/// The end of any link.
pub(crate) fn over() -> DownReason {
    DownReason::Lost("it is over".into())
}

/// The frames that a participant wants sent.
pub(crate) fn frames(participant: &mut Participant) -> Vec<Bytes> {
    let mut frames = Vec::new();
    drain(participant, |output| {
        if let Output::Send { frame, .. } = output {
            frames.push(frame);
        } else {
            black_box(output);
        }
    });
    frames
}

/// The link that a participant dials.
pub(crate) fn dialled(participant: &mut Participant) -> LinkId {
    let mut dialled = None;
    drain(participant, |output| {
        if let Output::Dial { link, .. } = output {
            dialled = Some(link);
        }
    });
    dialled.expect("it dials by itself")
}
