//! A room of processes: an owner, participants in this process, and participants in others.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::executor::block_on;
use hustings_outbox::{Cache, Outbox, RedbStore};
use hustings_protocol::RoomId;
use tempfile::TempDir;

use crate::host;
use crate::ledger::Ledger;
use crate::member::{End, Member, Order, pool};
use crate::process::{Heard, Other};

/// The owner's number.
pub(crate) const OWNER: usize = 0;

/// Nothing that is waited for takes so long, unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A room's processes and their files, and what is known of them.
pub(crate) struct Scene {
    pub(crate) directory: TempDir,
    ear: Receiver<Heard>,
    to_ear: Sender<Heard>,
    pub(crate) owner: Option<Other>,
    /// By its number: what a process is wrapped in.
    pub(crate) around: BTreeMap<usize, Vec<String>>,
    /// By its number: the further settings of a process.
    pub(crate) settings: BTreeMap<usize, BTreeMap<&'static str, OsString>>,
    /// Participants in this process, by their numbers.
    here: BTreeMap<usize, (UnboundedSender<Order>, JoinHandle<End>)>,
    /// Participants in others.
    pub(crate) others: BTreeMap<usize, Other>,
    pub(crate) room: Option<RoomId>,
    pub(crate) ledger: Ledger,
    /// A seed for each process.
    next_seed: u64,
    /// News that is not about commands, and was not looked at.
    pub(crate) heard: Vec<(usize, String)>,
    /// The number of outcomes that were heard.
    pub(crate) outcomes: usize,
}

impl Scene {
    pub(crate) fn new(seed: u64) -> Self {
        let (to_ear, ear) = channel();
        Self {
            directory: TempDir::new().unwrap(),
            ear,
            to_ear,
            owner: None,
            around: BTreeMap::new(),
            settings: BTreeMap::new(),
            here: BTreeMap::new(),
            others: BTreeMap::new(),
            room: None,
            ledger: Ledger::default(),
            next_seed: seed,
            heard: Vec::new(),
            outcomes: 0,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The place of a process's store.
    pub(crate) fn store_of(&self, who: usize) -> PathBuf {
        let settings = self.settings.get(&who);
        let elsewhere = settings.and_then(|settings| settings.get(host::STORE));
        let here = || self.path(&format!("{who}.redb"));
        elsewhere.map_or_else(here, PathBuf::from)
    }

    /// The place of a process's store after its end.
    fn left_by(&self, who: usize) -> PathBuf {
        let settings = self.settings.get(&who);
        let export = settings.and_then(|settings| settings.get(host::EXPORT));
        export.map_or_else(|| self.store_of(who), PathBuf::from)
    }

    /// The commands of a process whose outcome it has not told.
    pub(crate) fn unanswered(&self, who: usize) -> usize {
        let submitted = self.ledger.submitted.get(&who).into_iter().flatten();
        let told = &self.ledger.told;
        submitted.filter(|id| !told.contains_key(id)).count()
    }

    fn seed(&mut self) -> u64 {
        self.next_seed = self
            .next_seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        self.next_seed >> 16
    }

    fn process(&mut self, part: &str, who: usize) -> Other {
        let seed = self.seed().to_string();
        let around = self.around.get(&who).into_iter().flatten();
        let around: Vec<&str> = around.map(String::as_str).collect();
        let store = self.store_of(who);
        let room = self.room.map_or_else(String::new, |room| room.to_string());
        let common = [
            (host::STORE, store.as_os_str()),
            (host::SOCKETS, self.directory.path().as_os_str()),
            (host::SEED, OsStr::new(&seed)),
            (crate::ROOM, OsStr::new(&room)),
        ];
        let further = self.settings.get(&who).into_iter().flatten();
        let further = further.map(|(name, value)| (*name, &**value));
        Other::start(
            part,
            &around,
            common.into_iter().chain(further),
            who,
            &self.to_ear,
        )
    }

    /// Starts the owner's process.
    pub(crate) fn start_owner(&mut self) {
        self.owner = Some(self.process("part_of_an_owner", OWNER));
    }

    /// Kills the owner, and hears the rest of what it has said.
    pub(crate) fn kill_owner(&mut self) {
        self.owner.take().unwrap().kill();
        self.hear_the_rest();
    }

    /// Starts a participant in a process of its own.
    pub(crate) fn start_other(&mut self, who: usize) {
        let other = self.process("part_of_a_participant", who);
        self.others.insert(who, other);
    }

    pub(crate) fn kill_other(&mut self, who: usize) {
        self.others.remove(&who).unwrap().kill();
        self.hear_the_rest();
    }

    /// Starts a participant in this process.
    pub(crate) fn start_here(&mut self, who: usize) {
        let member = Member {
            store: self.store_of(who),
            sockets: self.directory.path().to_owned(),
            room: self.room.unwrap(),
            seed: self.seed(),
        };
        let (orders, mut to_member) = unbounded();
        let ear = self.to_ear.clone();
        let running = thread::spawn(move || {
            let tell = move |news: crate::member::News| {
                let line = Some(news.to_line());
                let _ = ear.send(Heard { who, line });
            };
            block_on(member.run(&pool(), &mut to_member, tell))
        });
        self.here.insert(who, (orders, running));
    }

    // Hearing.

    /// Hears everything that was said before now.
    fn hear_the_rest(&mut self) {
        while let Ok(heard) = self.ear.try_recv() {
            self.take(heard);
        }
    }

    fn take(&mut self, Heard { who, line }: Heard) {
        let Some(line) = line else {
            // Whoever was killed is not here any more.
            let is_alive = match who {
                OWNER => self.owner.is_some(),
                who => self.others.contains_key(&who),
            };
            if is_alive {
                self.heard.push((who, "ended".to_owned()));
            }
            return;
        };
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        match word() {
            "is" => self
                .ledger
                .is(who, (word().parse().unwrap(), word().parse().unwrap())),
            "submitted" => self.ledger.submits(who, word().parse().unwrap()),
            "settled" => {
                let id = word().parse().unwrap();
                self.ledger
                    .settles(id, serde_json::from_str(word()).unwrap());
                self.outcomes += 1;
            }
            "open" => {
                let room = word().parse().unwrap();
                let before = *self.room.get_or_insert(room);
                assert_eq!(before, room, "the owner has opened another poll");
                let revision: u64 = word().parse().unwrap();
                let durable = self.ledger.revision();
                assert!(revision >= durable, "{durable} was durable, not {revision}");
                self.heard.push((who, "open".to_owned()));
            }
            _ => self.heard.push((who, line)),
        }
    }

    /// Hears what is said until `is_enough`, or until a moment. False if it was the moment.
    pub(crate) fn hear_until(
        &mut self,
        until: Option<Instant>,
        mut is_enough: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let end = until.unwrap_or_else(|| Instant::now() + PATIENCE);
        while !is_enough(self) {
            let left = end.saturating_duration_since(Instant::now());
            let heard = match left {
                Duration::ZERO => None,
                left => self.ear.recv_timeout(left).ok(),
            };
            match heard {
                Some(heard) => self.take(heard),
                None if until.is_some() => return false,
                None => panic!("nobody has said it; but {:?}", self.heard),
            }
        }
        true
    }

    /// Waits for somebody to say a line that begins so. Returns the rest of it.
    pub(crate) fn wait_for(&mut self, who: usize, beginning: &str) -> String {
        let mut found = None;
        self.hear_until(None, |scene| {
            let is_it = |heard: &(usize, String)| heard.0 == who && heard.1.starts_with(beginning);
            if let Some(at) = scene.heard.iter().position(is_it) {
                found = Some(scene.heard.remove(at).1[beginning.len()..].to_owned());
            } else if let Some((who, line)) = scene
                .heard
                .iter()
                .find(|(_, line)| line.starts_with("ended") || line.starts_with("failed"))
            {
                panic!("{who} {line}, and nobody expected that");
            }
            found.is_some()
        });
        found.unwrap().trim_start().to_owned()
    }

    // Commands to all.

    /// Gives an order to everybody but the owner.
    pub(crate) fn order(&mut self, order: Order) {
        for (orders, _) in self.here.values() {
            orders.unbounded_send(order).unwrap();
        }
        let line = crate::line(order);
        for other in self.others.values_mut() {
            other.tell(&line);
        }
    }

    pub(crate) fn tell_owner(&mut self, line: &str) {
        self.owner.as_mut().unwrap().tell(line);
    }

    /// The numbers of everybody but the owner.
    fn participants(&self) -> Vec<usize> {
        self.here
            .keys()
            .chain(self.others.keys())
            .copied()
            .collect()
    }

    /// With everybody alive: lets them come to rest, compares what they show, closes all, and holds
    /// everything that is known against what is in the stores. Returns the last revision.
    pub(crate) fn finish(&mut self) -> u64 {
        self.order(Order::Stop);
        let participants = self.participants();
        for who in &participants {
            self.wait_for(*who, "idle");
        }
        self.tell_owner("stop");
        self.wait_for(OWNER, "idle");
        self.tell_owner("show");
        let revision: u64 = self.wait_for(OWNER, "at ").parse().unwrap();
        let poll = self.wait_for(OWNER, "poll ");
        self.order(Order::ShowAt(revision));
        for who in &participants {
            let shown = self.wait_for(*who, "poll ");
            assert!(shown == poll, "{who} shows another poll:\n{shown}\n{poll}");
        }
        self.order(Order::Close);
        let here = std::mem::take(&mut self.here);
        let is_here: Vec<usize> = here.keys().copied().collect();
        for (who, (_, running)) in here {
            assert_eq!(running.join().unwrap(), End::Closed, "{who}");
        }
        for (who, mut other) in std::mem::take(&mut self.others) {
            assert!(other.wait(), "{who} ends well");
        }
        self.tell_owner("close");
        assert!(self.owner.take().unwrap().wait(), "the owner ends well");
        self.hear_the_rest();

        let room = self.room.unwrap();
        self.ledger.read(&self.left_by(OWNER), room);
        assert_eq!(self.ledger.revision(), revision);
        self.ledger.check_all(&poll, &is_here);
        for who in participants {
            let store = RedbStore::open(self.left_by(who)).unwrap();
            let (_, device) = self.ledger.devices[&who];
            let outbox = block_on(Outbox::new(device, room).load(&store)).unwrap();
            assert_eq!(outbox.entries, [], "{who} has nothing pending");
            let cache = block_on(Cache::new(device, room).load(&store)).unwrap();
            let cached = cache.expect("it has seen the poll").revision();
            assert_eq!(cached.get(), revision, "what {who} has stored");
        }
        revision
    }

    /// Reads the owner's store as its death has left it, on a copy, so that the owner's own next
    /// start is from the same bytes.
    pub(crate) fn look_at_the_dead(&mut self) {
        let Some(room) = self.room else { return };
        let copy = self.path("copy.redb");
        fs::copy(self.store_of(OWNER), &copy).unwrap();
        self.ledger.read(&copy, room);
    }
}
