//! Kills, at any moment of an owner's life and of its participants'.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, thread};

use hustings_outbox::{RedbStore, StoreError};

use crate::host::COMPACT;
use crate::member::Whims;
use crate::scene::{OWNER, Scene};

/// The number of kills of the owner, unless [`KILLS`] says another.
const FEW: u64 = 80;

const KILLS: &str = "HUSTINGS_KILLS";
const SEED: &str = "HUSTINGS_SEED";

/// Participants in this process, and in others.
const HERE: [usize; 2] = [1, 2];
const OTHERS: [usize; 2] = [3, 4];

fn number(name: &str, default: u64) -> u64 {
    let text = env::var(name).ok();
    text.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text:?}"))
    })
}

/// The moment at which an owner dies.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// After so many outcomes were told since its start.
    Outcomes(usize),
    /// While it starts.
    Starting(Duration),
    /// While the room is busy.
    Busy(Duration),
    /// While the file is made smaller, for the so-manieth time.
    Compacting(u64, Duration),
}

impl Moment {
    fn draw(whims: &mut Whims) -> Self {
        let micros = |whims: &mut Whims, bound| Duration::from_micros(whims.below(bound));
        match whims.below(8) {
            0..4 => Self::Outcomes(1 + usize::try_from(whims.below(80)).unwrap()),
            4 => Self::Starting(micros(whims, 60_000)),
            5 => Self::Busy(micros(whims, 100_000)),
            _ => Self::Compacting(1 + whims.below(6), micros(whims, 8_000)),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Outcomes(_) => "after some outcomes",
            Self::Starting(_) => "while it started",
            Self::Busy(_) => "at any moment",
            Self::Compacting(..) => "while its file was made smaller",
        }
    }

    /// Waits for it.
    fn wait(self, scene: &mut Scene) {
        let outcomes = scene.outcomes;
        match self {
            Self::Starting(delay) => {
                scene.hear_until(Some(Instant::now() + delay), |_| false);
            }
            Self::Outcomes(count) => {
                scene.hear_until(None, |scene| {
                    scene.assert_nobody_ended();
                    scene.outcomes >= outcomes + count
                });
            }
            Self::Busy(delay) => {
                scene.wait_for(OWNER, "open");
                scene.hear_until(Some(Instant::now() + delay), |_| false);
            }
            Self::Compacting(count, delay) => {
                for _ in 0..count {
                    scene.wait_for(OWNER, "compacting");
                }
                thread::sleep(delay);
            }
        }
    }
}

/// Says of a failure when it was.
struct Life {
    seed: u64,
    kill: u64,
    moment: Moment,
}

impl Drop for Life {
    fn drop(&mut self) {
        if thread::panicking() {
            let Self { seed, kill, moment } = self;
            eprintln!(
                "at kill {kill} of seed {seed}, {}: {moment:?}",
                moment.word()
            );
        }
    }
}

impl Scene {
    fn assert_nobody_ended(&self) {
        for (who, line) in &self.heard {
            let is_bad = line.starts_with("ended") || line.starts_with("failed");
            assert!(!is_bad, "{who} {line}, and nobody has killed it");
        }
    }
}

#[test]
fn an_owner_and_its_participants_are_killed_again_and_again_and_nothing_is_lost() {
    let (kills, seed) = (number(KILLS, FEW), number(SEED, 1));
    let mut whims = Whims::new(seed);
    let mut scene = Scene::new(seed);
    let mut moments: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut of_others, mut in_compaction) = (0, 0);

    // Its first death is before anybody has come: what it has then is where all begins.
    scene.start_owner();
    scene.wait_for(OWNER, "open");
    scene.kill_owner();
    scene.look_at_the_dead();
    for who in HERE {
        scene.start_here(who);
    }
    for who in OTHERS {
        scene.start_other(who);
    }

    for kill in 1..kills {
        let moment = Moment::draw(&mut whims);
        let _life = Life { seed, kill, moment };
        scene.settings.clear();
        if let Moment::Compacting(..) = moment {
            let owner = scene.settings.entry(OWNER).or_default();
            owner.insert(COMPACT, OsString::new());
        }
        scene.heard.clear();
        scene.start_owner();
        // A participant may die while the owner lives, or with it.
        let victim = OTHERS[usize::try_from(whims.below(OTHERS.len() as u64)).unwrap()];
        match whims.below(8) {
            0 => {
                scene.kill_other(victim);
                scene.start_other(victim);
                moment.wait(&mut scene);
                scene.kill_owner();
                of_others += 1;
            }
            1 => {
                moment.wait(&mut scene);
                scene.kill_other(victim);
                scene.kill_owner();
                scene.start_other(victim);
                of_others += 1;
            }
            _ => {
                moment.wait(&mut scene);
                scene.kill_owner();
            }
        }
        let said = |scene: &Scene, line: &str| {
            let lines = scene.heard.iter();
            lines
                .filter(|heard| heard.0 == OWNER && heard.1 == line)
                .count()
        };
        if let Moment::Compacting(count, _) = moment {
            let begun = said(&scene, "compacting") + usize::try_from(count).unwrap();
            in_compaction += u64::from(begun > said(&scene, "compacted"));
        }
        scene.assert_nobody_ended();
        *moments.entry(moment.word()).or_default() += 1;
        scene.look_at_the_dead();
        if kills > FEW && kill % 50 == 0 {
            println!("{kill} kills, revision {}", scene.ledger.revision());
        }
    }

    scene.settings.clear();
    scene.heard.clear();
    scene.start_owner();
    scene.wait_for(OWNER, "open");
    let revision = scene.finish();
    let ledger = &scene.ledger;
    println!(
        "{kills} kills of the owner {moments:?}, {in_compaction} in the midst of a compaction; \
         {of_others} of participants; {} commands, {revision} applied, {} rejections seen in the \
         journal; {} outcomes were durable when an owner died and told by a later one",
        ledger.submitted.values().map(Vec::len).sum::<usize>(),
        ledger.rejected(),
        ledger.told_by_a_successor,
    );
    // A run of a few says nothing about what it had no time for.
    if kills >= FEW {
        let is_repeated = ledger.told_by_a_successor > 0;
        assert!(is_repeated, "no kill came between a commit and its ack");
        assert!(ledger.rejected() > 0, "nothing was rejected");
    }
}

/// An owner's first start, killed anywhere: there is no file, or a sound one, and the next start
/// finds no second poll.
#[test]
fn an_owner_that_is_killed_while_it_makes_its_store_begins_anew_or_goes_on() {
    let kills = number(KILLS, FEW) / 2;
    let mut whims = Whims::new(number(SEED, 1) ^ 0xc0ffee);
    let (mut without_file, mut without_poll) = (0, 0);
    for _ in 0..kills {
        let mut scene = Scene::new(whims.below(u64::MAX));
        scene.start_owner();
        let delay = Duration::from_micros(whims.below(40_000));
        scene.hear_until(Some(Instant::now() + delay), |_| false);
        scene.kill_owner();
        let store = scene.store_of(OWNER);
        match scene.room {
            Some(_) => scene.look_at_the_dead(),
            None if store.exists() => {
                without_poll += 1;
                assert_sound(&store);
            }
            None => without_file += 1,
        }
        scene.start_owner();
        scene.wait_for(OWNER, "open");
        scene.kill_owner();
        scene.look_at_the_dead();
    }
    println!("{kills} kills: {without_file} before there was a file, {without_poll} before a poll");
}

fn assert_sound(store: &Path) {
    let copy = store.with_extension("copy");
    fs::copy(store, &copy).unwrap();
    let opened = RedbStore::open(&copy);
    assert!(
        !matches!(opened, Err(StoreError::Corrupt { .. })),
        "{opened:?}"
    );
    opened.unwrap();
}
