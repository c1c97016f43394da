//! A poll while its network breaks again and again, and its people leave and come back, by a seed:
//! what was asked for is there once, everybody has the same in the end, and no link, socket or task
//! is left over.
//!
//! `HUSTINGS_CUTS=1000` is for as many cuts, `HUSTINGS_CUTS_SEED` the first scene's number, and
//! with `HUSTINGS_CUTS_LOG=1` the standard error says what happens.

use std::fs;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use hustings_outbox::MemoryStore;
use hustings_protocol::{Ballots, Command, OptionAdd, OptionId, Outcome, PollDraft};
use hustings_room::driver::{Hosting, Room, Submitted};
use hustings_room::{BackoffConfig, Config as RoomConfig, OfflinePolicy};
use hustings_transport_peerjs::{Config, Status, Timing};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use tokio::runtime::{Builder, Handle};
use tokio::time::{Instant, sleep, timeout};

use crate::network::{Network, Way};
use crate::person::{Person, Present, option_of, vote_in};
use crate::relayed::{relaying, server_at};
use crate::side::{alone, soon};

/// Cuts in one scene, and scenes that are played at once.
const CUTS: u64 = 20;
const AT_ONCE: u64 = 8;
const VOTERS: usize = 3;
/// Longer than everything takes that was cut off, together with what it waits for.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_poll_comes_through_cuts_and_nothing_is_left_over() {
    let name = "cuts::a_poll_comes_through_cuts_and_nothing_is_left_over";
    alone(name, || {
        if std::env::var_os("HUSTINGS_CUTS_LOG").is_some() {
            let log = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG);
            log.with_writer(std::io::stderr).with_ansi(false).init();
        }
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(play_all());
    });
}

fn variable(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(default, |text| text.parse().expect("a number"))
}

async fn play_all() {
    let scenes = variable("HUSTINGS_CUTS", 2 * CUTS).div_ceil(CUTS);
    let first = variable("HUSTINGS_CUTS_SEED", 1);
    // What is made once and stays is made here.
    play(0, 0).await;
    let before = settled(None).await;
    let began = Instant::now();
    let (mut seed, mut all_dials) = (first, 0);
    while seed < first + scenes {
        let next = (seed + AT_ONCE).min(first + scenes);
        let dials = join_all((seed..next).map(|seed| play(seed, CUTS))).await;
        all_dials += dials.into_iter().sum::<usize>();
        seed = next;
        let cuts = (seed - first) * CUTS;
        let after = settled(Some(before)).await;
        assert_eq!(
            after, before,
            "left over after {cuts} cuts, seeds {first}..{seed}"
        );
        let time = began.elapsed();
        eprintln!("{cuts} cuts, {all_dials} dials, {time:?}: nothing is left over");
    }
}

/// The things that a process has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    /// File descriptors, where the system tells.
    files: Option<usize>,
    tasks: usize,
}

/// The count of what is open, once that is `expected`, or does not change any more.
async fn settled(expected: Option<Open>) -> Open {
    let look = || Open {
        files: fs::read_dir("/proc/self/fd").ok().map(Iterator::count),
        tasks: Handle::current().metrics().num_alive_tasks(),
    };
    let mut last = look();
    let mut unchanged = 0;
    while Some(last) != expected && unchanged < 100 {
        sleep(Duration::from_millis(50)).await;
        let now = look();
        unchanged = if now == last { unchanged + 1 } else { 0 };
        last = now;
    }
    last
}

/// Impatient, so that a cut that lasts is noticed and a link is dialled anew.
fn impatient() -> (Timing, RoomConfig) {
    let backoff = BackoffConfig {
        initial: Duration::from_millis(50),
        max: Duration::from_secs(1),
        stable_after: Duration::from_secs(1),
    };
    let timing = Timing {
        socket_timeout: Duration::from_secs(2),
        heartbeat_every: Duration::from_secs(1),
        echo_every: Duration::from_secs(2),
        echo_timeout: Duration::from_secs(1),
        backoff,
        connect_timeout: Duration::from_secs(4),
        disconnected_timeout: Duration::from_secs(2),
        linger: Duration::from_secs(1),
        ..Timing::default()
    };
    let room = RoomConfig {
        backoff,
        offline: OfflinePolicy::Queue,
        dial_timeout: Duration::from_secs(5),
        handshake_timeout: Duration::from_secs(3),
        ping_after: Duration::from_secs(1),
        pong_timeout: Duration::from_secs(1),
        ..RoomConfig::default()
    };
    (timing, room)
}

/// One poll, its people and their network.
struct Scene {
    seed: u64,
    draws: ChaCha8Rng,
    network: Network,
    owner: (Person, Config),
    hosting: Present<Hosting<MemoryStore>>,
    poll: Room,
    voters: Vec<Voter>,
    /// The ids by which the network knows them.
    ids: Vec<String>,
}

struct Voter {
    person: Person,
    config: Config,
    present: Present<Room>,
    /// The number of commands, and those of which this start hears the outcome.
    asked: u64,
    submitted: Vec<Submitted>,
    /// Their wishes: the option that counts in the end, and those that they have added.
    choice: Option<OptionId>,
    added: Vec<OptionId>,
}

/// Returns the number of dials.
async fn play(seed: u64, cuts: u64) -> usize {
    let signalling = relaying().await;
    let mut network = Network::start(signalling.address).await;
    let (timing, room_config) = impatient();
    let config = Config {
        port: network.address.port(),
        timing,
        ..signalling.config()
    };
    // In every other scene nobody is reached but by a relay, and everybody has their own way there.
    let by = [None, Some("udp"), None, Some("tcp")][usize::try_from(seed % 4).unwrap()];
    let mut config_of = async |id: &str| {
        let Some(by) = by else {
            return config.clone();
        };
        let door = network.door(id, signalling.turn.unwrap()).await;
        Config {
            ice_servers: vec![server_at(door, by)],
            relay_only: true,
            ..config.clone()
        }
    };
    let somebody = || Person {
        config: room_config.clone(),
        ..Person::new()
    };
    let alice = somebody();
    let mut ids = vec![alice.as_owner().to_string()];
    let owner = (alice, config_of(&ids[0]).await);
    let hosting = owner.0.host(&owner.1);
    let draft = PollDraft::new("Tea or coffee?")
        .options(["Tea", "Coffee", "Water"])
        .ballots(Ballots::Open)
        .voters_may_add_options(true);
    let poll = hosting.room.create(draft).await.unwrap();
    let mut voters = Vec::new();
    for _ in 0..VOTERS {
        let person = somebody();
        let id = person.as_participant().to_string();
        let config = config_of(&id).await;
        let present = person.enter(&config, poll.id()).await;
        ids.push(id);
        soon("joining", present.room.connected()).await.unwrap();
        voters.push(Voter {
            person,
            config,
            present,
            asked: 0,
            submitted: Vec::new(),
            choice: None,
            added: Vec::new(),
        });
    }
    let mut scene = Scene {
        seed,
        draws: ChaCha8Rng::seed_from_u64(seed),
        network,
        owner,
        hosting,
        poll,
        voters,
        ids,
    };
    let before = scene.poll.revision().unwrap().get();
    let began = Instant::now();
    for _ in 0..cuts {
        scene.everybody_acts().await;
        scene.cut().await;
        scene.somebody_starts_anew().await;
    }
    scene.everybody_acts().await;
    scene.network.mend();
    scene.holds(before).await;
    let dials = scene.network.dials();
    let by = by.unwrap_or("no relay");
    eprintln!("seed {seed}: by {by}, {dials} dials, {:?}", began.elapsed());
    scene.end().await;
    dials
}

impl Scene {
    fn draw(&mut self, below: usize) -> usize {
        usize::try_from(self.draws.next_u32()).unwrap() % below
    }

    async fn everybody_acts(&mut self) {
        for number in 0..self.voters.len() {
            let kind = self.draw(4);
            let command = if kind == 0 {
                self.adds(number)
            } else {
                let voter = &mut self.voters[number];
                voter.choice = Some(option_of(&voter.present.room, kind - 1));
                vote_in(&voter.present.room, kind - 1)
            };
            let voter = &mut self.voters[number];
            let submitted = voter.present.room.submit(command).await.unwrap();
            voter.asked += 1;
            voter.submitted.push(submitted);
        }
    }

    fn adds(&mut self, number: usize) -> Command {
        let (high, low) = (self.draws.next_u32(), self.draws.next_u32());
        let text = format!("{high:08x}-0000-4000-8000-0000{low:08x}");
        let option_id: OptionId = text.parse().unwrap();
        self.voters[number].added.push(option_id);
        Command::AddOption(OptionAdd {
            poll_id: self.poll.id().poll_id,
            option_id,
            label: text,
        })
    }

    /// Something breaks, or comes back; and then it lasts.
    async fn cut(&mut self) {
        let way = [Way::Cut, Way::Still, Way::Cut, Way::Open][self.draw(4)];
        let whose = self.draw(self.ids.len());
        let where_ = self.draw(3);
        if where_ != 0 {
            self.network.to_broker(&self.ids[whose], way);
        }
        if where_ != 1 {
            self.network.between(&self.ids[whose], way);
        }
        if self.draw(6) == 0 {
            self.network.mend();
        }
        // Most are over before anybody has noticed; some outlast every patience.
        let longest = [100, 600, 2_500, 5_000][self.draw(4)];
        let lasts = self.draw(longest);
        sleep(Duration::from_millis(u64::try_from(lasts).unwrap())).await;
    }

    /// Somebody leaves, with whatever waits, and is back at once with what they have kept.
    async fn somebody_starts_anew(&mut self) {
        match self.draw(8) {
            0 => {
                let poll_id = self.poll.id().poll_id;
                self.hosting.room.close().await;
                let (alice, config) = &self.owner;
                self.hosting = alice.host(config);
                self.poll = self.hosting.room.open(poll_id).await.unwrap();
            }
            1 | 2 => {
                let number = self.draw(VOTERS);
                let voter = &mut self.voters[number];
                voter.present.room.close().await;
                voter.submitted.clear();
                voter.present = voter.person.enter(&voter.config, self.poll.id()).await;
            }
            _ => {}
        }
    }

    /// The guarantees, once the network holds.
    async fn holds(&mut self, before: u64) {
        let seed = self.seed;
        let asked: u64 = self.voters.iter().map(|voter| voter.asked).sum();
        for voter in &mut self.voters {
            for submitted in std::mem::take(&mut voter.submitted) {
                let outcome = timeout(PATIENCE, submitted.outcome()).await;
                let outcome = outcome.unwrap_or_else(|_| panic!("seed {seed}: no outcome"));
                let outcome = outcome.unwrap();
                assert!(
                    matches!(outcome, Outcome::Applied(_)),
                    "seed {seed}: {outcome:?}"
                );
            }
            // Those of an earlier start have their outcomes with nobody to hear of them.
            let room = &voter.present.room;
            let answered = async {
                let mut events = room.events();
                while !room.pending().is_empty() {
                    events.next().await.unwrap();
                }
            };
            let answered = timeout(PATIENCE, answered).await;
            answered.unwrap_or_else(|_| panic!("seed {seed}: {:?}", room.pending()));
        }
        let poll = self.poll.poll().unwrap();
        let revision = self.poll.revision().unwrap().get();
        assert_eq!(revision - before, asked, "seed {seed}: each once");
        for voter in &self.voters {
            let peer = voter.person.identity.peer_id();
            let choice: Vec<_> = voter.choice.into_iter().collect();
            assert_eq!(poll.choices(peer), choice, "seed {seed}");
            for added in &voter.added {
                let count = poll.options().iter().filter(|it| it.option_id == *added);
                assert_eq!(count.count(), 1, "seed {seed}");
            }
        }
        for voter in &self.voters {
            let room = &voter.present.room;
            let same = async {
                let mut events = room.events();
                while room.confirmed().as_deref() != Some(&*poll) {
                    events.next().await.unwrap();
                }
            };
            let same = timeout(PATIENCE, same).await;
            same.unwrap_or_else(|_| panic!("seed {seed}: another poll: {:?}", room.confirmed()));
        }
        // Each has its one link, and nobody one that is of no use any more.
        let links = |status: &Status| status.connections();
        let all = self.voters.iter().map(|voter| (&voter.present.status, 1));
        for (status, expected) in all.chain([(&self.hosting.status, VOTERS)]) {
            let comes_true = async {
                while links(status) != expected {
                    sleep(Duration::from_millis(20)).await;
                }
            };
            let came = timeout(PATIENCE, comes_true).await;
            came.unwrap_or_else(|_| panic!("seed {seed}: {} links", links(status)));
        }
    }

    async fn end(self) {
        let mut gone = vec![self.hosting.status.gone()];
        for voter in &self.voters {
            gone.push(voter.present.status.gone());
            voter.present.room.close().await;
        }
        self.hosting.room.close().await;
        for gone in gone {
            soon("its end", gone).await;
        }
    }
}
