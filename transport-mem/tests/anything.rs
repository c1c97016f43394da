//! Any calls in any order: the transport's contract holds, and the same seed gives the same events.
#![allow(clippy::unwrap_used)] // Only fixtures and checks.

mod common;

use std::collections::BTreeMap;

use bytes::Bytes;
use common::*;
use hustings_protocol::Address;
use hustings_room::transport::{SendOutcome, TransportEvent};
use hustings_room::{DownReason, LinkId, Moment};
use hustings_transport_mem::{Direction, Endpoint, Faults, Latency, Network};
use proptest::prelude::*;

const PROCESSES: u8 = 4;
const QUEUE_LIMIT: usize = 200;

#[derive(Debug, Clone)]
enum Step {
    Attach(u8),
    Detach(u8),
    Crash(u8),
    Dial(u8, u8),
    Send(u8, usize, usize),
    Hangup(u8, usize),
    Cut(u8, u8),
    CutLink(u8, usize),
    HalfOpen(u8, usize, Direction),
    Heal(u8, usize),
    Stall(u8, usize),
    Resume(u8, usize),
    Isolate(u8, bool),
    Refuse(u8, bool),
    Latency(u64, u64),
    Faults(bool),
    Serve(u8, usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..PROCESSES;
    let which = || 0..4_usize;
    let direction = prop_oneof![
        Just(Direction::Outgoing),
        Just(Direction::Incoming),
        Just(Direction::Both)
    ];
    prop_oneof![
        2 => who().prop_map(Step::Attach),
        1 => who().prop_map(Step::Detach),
        1 => who().prop_map(Step::Crash),
        6 => (who(), who()).prop_map(|(from, to)| Step::Dial(from, to)),
        12 => (who(), which(), 1..12_usize).prop_map(|(from, link, n)| Step::Send(from, link, n)),
        2 => (who(), which()).prop_map(|(of, link)| Step::Hangup(of, link)),
        1 => (who(), who()).prop_map(|(a, b)| Step::Cut(a, b)),
        1 => (who(), which()).prop_map(|(of, link)| Step::CutLink(of, link)),
        1 => (who(), which(), direction).prop_map(|(of, link, way)| Step::HalfOpen(of, link, way)),
        1 => (who(), which()).prop_map(|(of, link)| Step::Heal(of, link)),
        1 => (who(), which()).prop_map(|(of, link)| Step::Stall(of, link)),
        1 => (who(), which()).prop_map(|(of, link)| Step::Resume(of, link)),
        1 => (who(), any::<bool>()).prop_map(|(of, isolate)| Step::Isolate(of, isolate)),
        1 => (who(), any::<bool>()).prop_map(|(of, refuse)| Step::Refuse(of, refuse)),
        1 => (0..20_u64, 0..50_u64).prop_map(|(min, more)| Step::Latency(min, more)),
        1 => any::<bool>().prop_map(Step::Faults),
        6 => (who(), 1..6_usize).prop_map(|(of, events)| Step::Serve(of, events)),
        12 => (0..40_u64).prop_map(Step::Pass),
    ]
}

/// One end of a link, as the process there may know it.
#[derive(Debug, Default)]
struct End {
    channel: Option<Bytes>,
    /// Set once it may hear nothing more: `LinkDown` was taken, or it hung up.
    over: bool,
    /// Set while a send was blocked and `Writable` has not come since.
    blocked: bool,
}

/// The frames that one end of a channel has sent.
#[derive(Debug, Default)]
struct Sent {
    frames: Vec<usize>,
    received: usize,
}

impl Sent {
    fn outstanding(&self) -> &[usize] {
        &self.frames[self.received..]
    }
}

/// Runs the steps, and checks each event against what the contract allows.
struct Run {
    network: Network,
    now: Moment,
    running: BTreeMap<Address, Endpoint>,
    ends: BTreeMap<(Endpoint, LinkId), End>,
    /// By channel, and whether the end that dialled is the one that sends.
    sent: BTreeMap<(Bytes, bool), Sent>,
    dialled: u64,
    trace: Vec<(Moment, Endpoint, TransportEvent)>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut network = Network::new(
            seed,
            Latency {
                min: millis(0),
                max: millis(20),
            },
        );
        network.set_queue_limit(QUEUE_LIMIT);
        network.set_detection(millis(100));
        network.set_dial_timeout(millis(300));
        let mut run = Self {
            network,
            now: Moment::START,
            running: BTreeMap::new(),
            ends: BTreeMap::new(),
            sent: BTreeMap::new(),
            dialled: 0,
            trace: Vec::new(),
        };
        for n in 0..PROCESSES {
            run.step(&Step::Attach(n));
        }
        run
    }

    fn step(&mut self, step: &Step) {
        let now = self.now;
        match *step {
            Step::Attach(n) => match self.network.attach(address(n)) {
                Ok(endpoint) => assert_eq!(self.running.insert(address(n), endpoint), None),
                Err(_) => assert!(self.running.contains_key(&address(n))),
            },
            Step::Detach(n) => {
                let Some(endpoint) = self.running.remove(&address(n)) else {
                    return;
                };
                self.network.detach(endpoint, now);
                self.ends.retain(|(of, _), _| *of != endpoint);
            }
            Step::Crash(n) => {
                let Some(endpoint) = self.running.remove(&address(n)) else {
                    return;
                };
                self.network.crash(endpoint, now);
                self.ends.retain(|(of, _), _| *of != endpoint);
            }
            Step::Dial(from, to) => {
                let Some(endpoint) = self.running.get(&address(from)) else {
                    return;
                };
                self.dialled += 1;
                let link = LinkId::dialled(self.dialled);
                self.ends.insert((*endpoint, link), End::default());
                self.network.dial(*endpoint, link, &address(to), now);
            }
            Step::Send(from, link, frames) => {
                if let Some((endpoint, link)) = self.pick(from, link) {
                    for _ in 0..frames {
                        self.send(endpoint, link);
                    }
                }
            }
            Step::Hangup(of, link) => {
                if let Some((endpoint, link)) = self.pick(of, link) {
                    self.network.hangup(endpoint, link, now);
                    // It may be unknown to the process, when `LinkUp` was not taken yet.
                    self.ends.entry((endpoint, link)).or_default().over = true;
                }
            }
            Step::Cut(a, b) => self.network.cut(&address(a), &address(b), now),
            Step::CutLink(of, link) => {
                if let Some((endpoint, link)) = self.pick(of, link) {
                    self.network.cut_link(endpoint, link, now);
                }
            }
            Step::HalfOpen(of, link, direction) => {
                if let Some((endpoint, link)) = self.pick(of, link) {
                    self.network.half_open(endpoint, link, direction, now);
                }
            }
            Step::Heal(of, link) => {
                if let Some((endpoint, link)) = self.pick(of, link) {
                    self.network.heal(endpoint, link, now);
                }
            }
            Step::Stall(of, link) => {
                if let Some((endpoint, link)) = self.pick(of, link) {
                    self.network.stall(endpoint, link, now);
                }
            }
            Step::Resume(of, link) => {
                if let Some((endpoint, link)) = self.pick(of, link) {
                    self.network.resume(endpoint, link, now);
                }
            }
            Step::Isolate(of, isolate) => self.network.isolate(&address(of), isolate, now),
            Step::Refuse(of, refuse) => self.network.refuse(&address(of), refuse),
            Step::Latency(min, more) => {
                self.network.set_latency(Latency {
                    min: millis(min),
                    max: millis(min + more),
                });
            }
            Step::Faults(on) => self.network.set_faults(if on {
                Faults {
                    cut_per_frame: 0.02,
                    silence_per_frame: 0.02,
                    refuse_per_dial: 0.2,
                }
            } else {
                Faults::NONE
            }),
            Step::Serve(of, events) => {
                let Some(endpoint) = self.running.get(&address(of)).copied() else {
                    return;
                };
                for _ in 0..events {
                    let Some(event) = self.network.poll_endpoint(endpoint, now) else {
                        break;
                    };
                    self.check(endpoint, event);
                }
            }
            Step::Pass(duration) => {
                let until = now + millis(duration);
                while let Some(next) = self.network.next_at()
                    && next <= until
                {
                    self.serve_all(next);
                }
                self.now = until;
            }
        }
    }

    fn serve_all(&mut self, now: Moment) {
        assert!(now >= self.now);
        self.now = now;
        while let Some((endpoint, event)) = self.network.poll(now) {
            self.check(endpoint, event);
        }
    }

    fn pick(&self, of: u8, link: usize) -> Option<(Endpoint, LinkId)> {
        let endpoint = *self.running.get(&address(of))?;
        let links = self.network.links(endpoint);
        Some((endpoint, *links.get(link)?))
    }

    fn send(&mut self, endpoint: Endpoint, link: LinkId) {
        // A process sends only on links that it knows are up.
        let Some(end) = self.ends.get_mut(&(endpoint, link)) else {
            return;
        };
        let Some(channel) = end.channel.clone() else {
            return;
        };
        let sent = self
            .sent
            .entry((channel.clone(), !link.is_accepted()))
            .or_default();
        let size = [24, 30, 90, 500][sent.frames.len() % 4];
        let mut frame = channel.to_vec();
        frame.extend(sent.frames.len().to_be_bytes());
        frame.resize(size, 0);
        match self.network.send(endpoint, link, frame.into(), self.now) {
            SendOutcome::Queued => {
                sent.frames.push(size);
                let before = &sent.outstanding()[..sent.outstanding().len() - 1];
                assert!(before.iter().sum::<usize>() <= QUEUE_LIMIT, "{before:?}");
            }
            SendOutcome::Blocked => {
                assert!(sent.outstanding().iter().sum::<usize>() > QUEUE_LIMIT);
                end.blocked = true;
            }
            SendOutcome::Gone => {}
        }
    }

    fn check(&mut self, endpoint: Endpoint, event: TransportEvent) {
        self.trace.push((self.now, endpoint, event.clone()));
        assert!(self.running.values().any(|running| *running == endpoint));
        match event {
            TransportEvent::LinkUp { link, binding } => {
                assert_eq!(binding.local, binding.remote);
                let new = !self.ends.contains_key(&(endpoint, link));
                assert_eq!(new, link.is_accepted());
                let end = self.ends.entry((endpoint, link)).or_default();
                assert!(!end.over && end.channel.is_none());
                end.channel = Some(binding.local);
            }
            TransportEvent::Frame { link, frame } => {
                let end = &self.ends[&(endpoint, link)];
                assert!(!end.over);
                let channel = end.channel.as_ref().expect("no frame before LinkUp");
                assert_eq!(frame[..16], channel[..], "a frame of another link");
                let sent = self
                    .sent
                    .get_mut(&(channel.clone(), link.is_accepted()))
                    .unwrap();
                let number = usize::from_be_bytes(frame[16..24].try_into().unwrap());
                assert_eq!(number, sent.received, "a gap, a duplicate or a wrong order");
                assert_eq!(frame.len(), sent.frames[number]);
                sent.received += 1;
            }
            TransportEvent::Writable { link } => {
                let end = self.ends.get_mut(&(endpoint, link)).unwrap();
                assert!(!end.over && end.blocked);
                end.blocked = false;
            }
            TransportEvent::LinkDown { link, reason } => {
                let end = self.ends.get_mut(&(endpoint, link)).unwrap();
                assert!(!end.over, "a second LinkDown");
                assert!(end.channel.is_none() || reason != DownReason::Unreachable);
                end.over = true;
            }
            TransportEvent::Wake => {}
            TransportEvent::Failed(error) => panic!("{error}"),
        }
    }

    /// Ends all faults and waits until nothing is on its way. Then every link is either up and
    /// complete at both ends, or over at both.
    fn run_out(&mut self) {
        self.network.set_faults(Faults::NONE);
        for n in 0..PROCESSES {
            self.network.isolate(&address(n), false, self.now);
        }
        for _ in 0..2 {
            for endpoint in self.running.values() {
                for link in self.network.links(*endpoint) {
                    self.network.heal(*endpoint, link, self.now);
                    self.network.resume(*endpoint, link, self.now);
                }
            }
            while let Some(next) = self.network.next_at() {
                self.serve_all(next);
            }
        }
        let mut up = BTreeMap::<Bytes, Vec<(Endpoint, LinkId)>>::new();
        for (end, state) in self.ends.iter().filter(|(_, end)| !end.over) {
            let channel = state.channel.clone().expect("every dial has ended");
            assert!(self.network.links(end.0).contains(&end.1));
            assert!(!state.blocked, "Writable never came");
            up.entry(channel).or_default().push(*end);
        }
        for (channel, ends) in &up {
            assert_eq!(ends.len(), 2, "{ends:?} is left alone");
            for dialler in [false, true] {
                if let Some(sent) = self.sent.get(&(channel.clone(), dialler)) {
                    assert!(
                        sent.outstanding().is_empty(),
                        "frames were lost on a link that is up"
                    );
                }
            }
        }
    }
}

fn run(seed: u64, steps: &[Step]) -> Vec<(Moment, Endpoint, TransportEvent)> {
    let mut run = Run::new(seed);
    for step in steps {
        run.step(step);
    }
    run.run_out();
    run.trace
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_contract_holds_and_the_trace_is_the_seeds(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        prop_assert_eq!(run(seed, &steps), run(seed, &steps));
    }
}
