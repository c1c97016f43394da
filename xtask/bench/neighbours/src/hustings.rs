//! hustings: the machines without I/O, joined by hand. Signatures are made and verified, journal
//! and outbox records are made and dropped. An open poll shows each vote to everybody; in a secret
//! one everybody is told the tally, at once after a quiet time and then every 200 ms, which is the
//! default. So votes of which each is heard before the next one is cast have a tally each.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hustings_protocol::{
    Ballots, Command, DeviceId, Message, OptionId, Poll, PollDraft, PollId, RoomId, Vote,
};
use hustings_room::{
    ChannelBinding, Config, Host, LinkId, Moment, Output, Owner, Participant, Setup,
};

use crate::{LONG, Meter, OPTIONS, System};

pub(crate) struct Room {
    host: Host,
    /// With their own ends of the links.
    members: Vec<(Participant, LinkId)>,
    /// The members by the hub's ends of the links.
    numbers: BTreeMap<LinkId, usize>,
    id: RoomId,
    options: Vec<OptionId>,
    now: Moment,
}

/// Of a command: its outcome (number, id, digest and revision), and the digest of the history after
/// it, by which a copy is known.
const COMMAND: u64 = 8 + 16 + 8 + 8 + 8;

/// Of somebody who has voted, beside the poll: by which command, from which device, as which
/// revision.
const CAST: u64 = 16 + 5 + 8;

/// A device and its link: identity, device, the link's number, the oldest command that may come,
/// when it was heard, when it is due, and when it may ask for the poll once more.
const LINK: u64 = 32 + 5 + 8 + 8 + 8 + 8 + 8;

pub(crate) fn open(count: usize, meter: &mut Meter) -> Room {
    Room::new(count, Ballots::Open, meter)
}

pub(crate) fn secret(count: usize, meter: &mut Meter) -> Room {
    Room::new(count, Ballots::Secret, meter)
}

/// Nobody is pinged, as no other system does that here.
fn setup(number: u64) -> Setup {
    let mut secret = [7; 32];
    secret[..8].copy_from_slice(&number.to_be_bytes());
    Setup {
        key: SigningKey::from_bytes(&secret),
        device: DeviceId::from_bytes([2; 5]),
        seed: secret,
        unix_millis: 1_790_000_000_000,
        config: Config {
            ping_after: Duration::from_secs(1_000_000),
            ..Config::default()
        },
    }
}

fn binding() -> ChannelBinding {
    let binding = Bytes::from_static(b"channel");
    ChannelBinding {
        local: binding.clone(),
        remote: binding,
    }
}

/// The frames for each participant, in their order; the work of a transport that has a queue for
/// each.
fn down(host: &mut Host) -> Vec<(LinkId, Bytes)> {
    let mut down = Vec::new();
    while let Some(output) = host.poll_output() {
        match output {
            Output::Send { link, frame } => down.push((link, frame)),
            Output::Broadcast {
                links,
                except,
                frame,
            } => {
                let all = links.iter().filter(|link| Some(**link) != except);
                down.extend(all.map(|link| (*link, frame.clone())));
            }
            Output::Persist(_)
            | Output::Dial { .. }
            | Output::Hangup { .. }
            | Output::Event { .. } => {}
        }
    }
    down
}

fn up(member: &mut Participant) -> Vec<Bytes> {
    let mut up = Vec::new();
    while let Some(output) = member.poll_output() {
        if let Output::Send { frame, .. } = output {
            up.push(frame);
        }
    }
    up
}

impl Room {
    fn new(count: usize, ballots: Ballots, meter: &mut Meter) -> Self {
        let poll_id = PollId::from_uuid(uuid::Uuid::from_u128(0x9_0000));
        let mut host = None;
        let mut options = Vec::new();
        meter.hub(|| {
            let ours = setup(u64::MAX);
            let mut number = 0;
            let next = || {
                number += 1;
                OptionId::from_uuid(uuid::Uuid::from_u128(number))
            };
            let draft = PollDraft::new("Tea or coffee?")
                .ballots(ballots)
                .options(OPTIONS);
            let limits = ours.config.limits;
            let poll = Poll::new(poll_id, ours.peer(), draft, next, &limits);
            let poll = poll.expect("a sound draft");
            options = poll.options().iter().map(|it| it.option_id).collect();
            let mut new = Host::new(&ours, Moment::START);
            let owner = Owner::create(ours, poll).expect("a sound poll");
            new.open(owner, Moment::START);
            let sent = down(&mut new);
            host = Some(new);
            sent
        });
        let id = RoomId {
            owner: setup(u64::MAX).peer(),
            poll_id,
        };
        let mut room = Self {
            host: host.expect("it was made"),
            members: Vec::new(),
            numbers: BTreeMap::new(),
            id,
            options,
            now: Moment::START,
        };
        for _ in 0..count {
            room.join(meter);
        }
        room
    }

    /// Carries frames until nobody has one.
    fn carry(&mut self, who: usize, first: Vec<Bytes>, meter: &mut Meter) {
        let now = self.now;
        let mut up_frames: Vec<_> = first.into_iter().map(|frame| (who, frame)).collect();
        while !up_frames.is_empty() {
            let mut next = Vec::new();
            for (from, frame) in up_frames {
                let host = &mut self.host;
                let sent = meter.hub(|| {
                    host.handle_frame(LinkId::accepted(from as u64), &frame, now);
                    down(host)
                });
                next.extend(self.deliver(sent, meter));
            }
            up_frames = next;
        }
    }

    fn deliver(&mut self, sent: Vec<(LinkId, Vec<u8>)>, meter: &mut Meter) -> Vec<(usize, Bytes)> {
        let now = self.now;
        let mut answers = Vec::new();
        for (to, frame) in sent {
            let to = self.numbers[&to];
            let (member, link) = &mut self.members[to];
            let frame = Bytes::from(frame);
            let answer = meter.member(|| {
                member.handle_frame(*link, &frame, now);
                up(member)
            });
            answers.extend(answer.into_iter().map(|frame| (to, frame)));
        }
        answers
    }
}

impl System for Room {
    fn vote(&mut self, who: usize, option: usize, meter: &mut Meter) {
        let command = Command::Vote(Vote {
            poll_id: self.id.poll_id,
            option_ids: vec![self.options[option]],
        });
        let (member, _) = &mut self.members[who];
        let now = self.now;
        let first = meter.member(|| {
            member.submit(command, now).expect("it is connected");
            up(member)
        });
        self.carry(who, first, meter);
    }

    fn pass(&mut self, time: Duration, meter: &mut Meter) {
        let until = self.now + time;
        while let Some((at, _)) = self.host.poll_timeout()
            && at <= until
        {
            // A timer that was set for a moment in the past is due now.
            self.now = self.now.max(at);
            let (host, now) = (&mut self.host, self.now);
            let sent = meter.hub(|| {
                host.handle_timeout(now);
                down(host)
            });
            for (from, frame) in self.deliver(sent, meter) {
                self.carry(from, vec![frame], meter);
            }
        }
        self.now = until;
    }

    fn join(&mut self, meter: &mut Meter) {
        let number = self.members.len();
        let (id, now) = (self.id, self.now);
        let mut member = None;
        let first = meter.member(|| {
            let stored = Default::default();
            let new = Participant::new(setup(number as u64), id, stored, None, now);
            let mut new = new.expect("it is new");
            let link = LinkId::dialled(0);
            new.handle_link_up(link, binding(), now);
            let first = up(&mut new);
            member = Some((new, link));
            first
        });
        self.members.extend(member);
        let accepted = LinkId::accepted(number as u64);
        self.numbers.insert(accepted, number);
        let host = &mut self.host;
        let sent = meter.hub(|| {
            host.handle_link_up(accepted, binding(), now);
            down(host)
        });
        self.deliver(sent, meter);
        self.carry(number, first, meter);
        self.pass(LONG, meter);
    }

    /// The poll, and as many bytes of updates, as whoever has missed more gets the poll; who is
    /// there; and what is remembered of commands, votes and links.
    fn content(&self) -> Option<u64> {
        let owner = self.host.owner(self.id.poll_id)?;
        let poll = owner.poll().encode_payload().len() as u64;
        let mut peers = owner.peers();
        peers.truncate(Config::default().max_listed_peers);
        let peers = Message::Discovery(peers).encode().len() as u64;
        let links = self.members.len() as u64 * LINK;
        let (commands, voters) = (owner.revision().get(), owner.poll().voters() as u64);
        Some(2 * poll + peers + commands * COMMAND + voters * CAST + links)
    }

    fn tallies(&self) -> Vec<Vec<u64>> {
        let polls = self.members.iter().map(|(member, _)| member.confirmed());
        let tallies = polls.map(|poll| {
            let tally = poll.and_then(|poll| poll.tally()).expect("it is shown");
            tally.options.iter().map(|it| it.votes).collect()
        });
        tallies.collect()
    }
}
