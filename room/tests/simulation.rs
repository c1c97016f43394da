//! Random schedules of joins, submits, cuts, crashes, restarts and worse, held against the
//! guarantees.
//!
//! `cargo xtask sim --seed S --steps N` replays one schedule and prints what happens; `--seeds N
//! --jobs J` runs many; `--kind K` and `--fault F` say what goes wrong. The environment says the
//! same: `HUSTINGS_SEED`, `HUSTINGS_STEPS`, `HUSTINGS_KIND` (one of the kinds of schedules, such as
//! `Hostile`); `HUSTINGS_SEEDS`, `HUSTINGS_FROM`, `HUSTINGS_JOBS`; and `HUSTINGS_FAULT`, a mended
//! fault that is put back, such as `OwnerJoins`.
//!
//! `cargo xtask sim --points` tells every story with a crash at every boundary, and at every two;
//! `--story S --crash 12,15` tells one with two crashes, and prints what happens. The environment
//! says the same: `HUSTINGS_POINTS=true`; `HUSTINGS_STORY`, `HUSTINGS_CRASH`, and
//! `HUSTINGS_POWER=true` for crashes of the whole machine.

#![cfg(not(target_family = "wasm"))]

mod sim;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[cfg(feature = "planted")]
use hustings_protocol::planted::{self, Fault};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use sim::{Kind, Plan, Plant, Report, Spoilt, Violation};

fn from_environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let value = text.parse().ok();
    assert!(value.is_some(), "{name} cannot be {text}");
    value
}

/// The schedule of a seed, as the environment wants it.
fn planned(seed: u64) -> Plan {
    Plan {
        kind: from_environment("HUSTINGS_KIND").unwrap_or(Kind::Mixed),
        steps: from_environment("HUSTINGS_STEPS").unwrap_or(Plan::STEPS),
        ..Plan::new(seed, Plan::STEPS)
    }
}

/// Runs a schedule, with the fault put back that the environment names, if any.
fn run(plan: &Plan) -> Result<Report, Violation> {
    with_fault(|| sim::run(plan))
}

/// With the fault put back that the environment names, if any.
fn with_fault<T>(then: impl FnOnce() -> T) -> T {
    #[cfg(feature = "planted")]
    if let Some(name) = from_environment::<String>("HUSTINGS_FAULT") {
        let mut faults = Fault::ALL.iter().copied();
        let fault = faults.find(|fault| format!("{fault:?}") == name);
        assert!(fault.is_some(), "there is no fault {name}");
        return planted::with(fault, then);
    }
    then()
}

#[test]
fn random_schedules_keep_every_guarantee() {
    if let Some(seed) = from_environment("HUSTINGS_SEED") {
        return replay(seed);
    }
    if let Some(seeds) = from_environment("HUSTINGS_SEEDS") {
        return run_many(seeds);
    }
    let config = Config {
        cases: 96,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    };
    // Fewer steps of the same seed are a prefix of its schedule, so shrinking finds where it
    // breaks.
    TestRunner::new(config)
        .run(
            &(any::<u64>().no_shrink(), 1..=Plan::STEPS),
            |(seed, steps)| {
                run(&Plan::new(seed, steps)).map(drop).map_err(|violation| {
                    TestCaseError::fail(format!(
                        "replay: cargo xtask sim --seed {seed} --steps {steps}\n{violation}"
                    ))
                })
            },
        )
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Once more, with everything that happens.
fn replay(seed: u64) {
    let plan = Plan {
        is_verbose: true,
        ..planned(seed)
    };
    match run(&plan) {
        Ok(report) => println!("held: {:016x}, {:?}", report.trace, report.counts()),
        Err(violation) => panic!("{violation}"),
    }
}

/// Many schedules on several threads, with a line every few seconds.
fn run_many(seeds: u64) {
    const EVERY: Duration = Duration::from_secs(5);
    let from: u64 = from_environment("HUSTINGS_FROM").unwrap_or(0);
    let jobs: usize = from_environment("HUSTINGS_JOBS").unwrap_or(1);
    let (next, began) = (AtomicU64::new(from), Instant::now());
    let total = Mutex::new((Report::default(), began));
    let failed = Mutex::new(None);
    let is_failed = || failed.lock().is_ok_and(|failed| failed.is_some());
    let work = || {
        while !is_failed() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + seeds {
                return;
            }
            let report = match run(&planned(seed)) {
                Ok(report) => report,
                Err(violation) => {
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.get_or_insert((seed, violation));
                    return;
                }
            };
            let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
            total.0.add(&report);
            if total.1.elapsed() >= EVERY {
                total.1 = Instant::now();
                println!(
                    "{} of {seeds} seeds, {}",
                    seed - from,
                    rate(&total.0, began)
                );
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(work);
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner).0;
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((seed, violation)) = failed {
        panic!("replay: cargo xtask sim --seed {seed}\n{violation}");
    }
    let (rate, counts) = (rate(&total, began), total.counts());
    println!("{seeds} seeds held, {rate}\n{counts:?}");
}

fn rate(total: &Report, began: Instant) -> String {
    let seconds = began.elapsed().as_secs_f64();
    let per_second = |count: u64| count as f64 / seconds;
    format!(
        "{:.0} steps and {:.0} events per second",
        per_second(total.steps),
        per_second(total.events)
    )
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..8 {
        let plan = Plan::new(seed, Plan::STEPS);
        let (first, second) = (run(&plan).unwrap(), run(&plan).unwrap());
        assert_eq!(first, second, "seed {seed}");
    }
    let other = Plan::new(99, Plan::STEPS);
    assert_ne!(
        run(&other).unwrap().trace,
        run(&Plan::new(0, Plan::STEPS)).unwrap().trace
    );
}

#[test]
fn the_schedules_reach_what_they_should() {
    let mut total = Report::default();
    for seed in 0..64 {
        total.add(&run(&Plan::new(seed, Plan::STEPS)).unwrap());
    }
    for kind in Kind::ALONE {
        for seed in 0..6 {
            let held = run(&Plan::of(*kind, seed));
            total.add(&held.unwrap_or_else(|broken| panic!("{kind:?} {seed}: {broken}")));
        }
    }
    println!("{:?}", total.counts());
    for (what, count) in total.counts() {
        // Few of these invite people: `invited_polls_keep_every_guarantee` counts them.
        if what == "invited" {
            continue;
        }
        if ["epochs", "missed"].contains(&what) {
            assert!(count > 0, "no {what}");
            continue;
        }
        assert!(count >= 50, "only {count} {what} in 64 schedules");
    }
}

/// Work for somebody hostile grows with what they send, and with nothing else.
#[test]
fn hostile_peers_get_no_more_than_they_send() {
    let mut total = Report::default();
    for seed in 0..16 {
        total.add(&run(&Plan::of(Kind::Hostile, seed)).unwrap());
    }
    let Report {
        hostile, answers, ..
    } = total;
    assert!(answers < 3 * hostile, "{answers} for {hostile} messages");
}

#[test]
fn planted_bugs_are_caught() {
    for plant in Plant::ALL {
        let found = (0..200).find(|seed| {
            let plan = Plan {
                plant: Some(plant),
                ..Plan::of(plant.kind(), *seed)
            };
            run(&plan).is_err()
        });
        println!("{plant:?}: seed {found:?}");
        assert!(found.is_some(), "{plant:?} went unnoticed");
    }
}

/// Every crash point of every story, and every two of which the second is in the recovery from the
/// first.
mod crash_points {
    use super::sim::{Crashes, STORIES, Story, tell};
    use super::*;

    /// The boundaries after a crash that are those of the recovery from it.
    const RECOVERY: u64 = 8;
    /// Stories with more boundaries are too long to be told for every two in every build.
    const SHORT: u64 = 70;

    /// One telling of a story: its place among them, and where it crashes.
    #[derive(Debug, Clone)]
    struct Telling {
        story: &'static Story,
        at: Vec<u64>,
        is_of_power: bool,
    }

    impl Telling {
        fn of(story: &'static Story, at: &[u64], is_of_power: bool) -> Self {
            let at = at.to_vec();
            Self {
                story,
                at,
                is_of_power,
            }
        }

        fn is_told(&self, plant: Option<Plant>, is_verbose: bool) -> Result<u64, Violation> {
            let Self { story, .. } = self;
            let crashes = Crashes {
                at: &self.at,
                is_of_power: self.is_of_power,
            };
            let told = with_fault(|| tell(story, &crashes, plant, is_verbose))?;
            Ok(told.points)
        }

        /// The way to see it again.
        fn replay(&self) -> String {
            let at: Vec<String> = self.at.iter().map(u64::to_string).collect();
            let power = if self.is_of_power { " --power" } else { "" };
            let (name, at) = (self.story.name, at.join(","));
            format!("replay: cargo xtask sim --story \"{name}\" --crash {at}{power}")
        }
    }

    /// Every crash of a story, of a process and of its machine.
    fn singles(story: &'static Story, points: u64) -> impl Iterator<Item = Telling> {
        let of = move |point| [false, true].map(|power| Telling::of(story, &[point], power));
        (0..points).flat_map(of)
    }

    /// Tells them all on some threads; the boundaries of each, or what the first of them that is
    /// not held breaks.
    fn told(tellings: &[Telling]) -> Vec<u64> {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let (next, failed) = (AtomicU64::new(0), Mutex::new(None));
        let points = Mutex::new(vec![0; tellings.len()]);
        let work = || {
            while failed.lock().is_ok_and(|failed| failed.is_none()) {
                let at = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).expect("few");
                let Some(telling) = tellings.get(at) else {
                    return;
                };
                match telling.is_told(None, false) {
                    Ok(count) => {
                        points.lock().unwrap_or_else(PoisonError::into_inner)[at] = count;
                    }
                    Err(violation) => {
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.get_or_insert((at, violation));
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(work);
            }
        });
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, violation)) = failed {
            panic!("{}\n{violation}", tellings[at].replay());
        }
        points.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    #[test]
    fn every_crash_point_keeps_every_guarantee() {
        if let Some(name) = from_environment::<String>("HUSTINGS_STORY") {
            return replay(&name);
        }
        let is_all = from_environment::<bool>("HUSTINGS_POINTS").unwrap_or(false);
        let (mut count, mut of_two) = (0, 0);
        for story in STORIES {
            let base = Telling::of(story, &[], false);
            let points = told(&[base])[0];
            let singles: Vec<Telling> = singles(story, points).collect();
            let after = told(&singles);
            let both = singles
                .iter()
                .zip(&after)
                .filter(|_| is_all || points <= SHORT);
            let pairs: Vec<Telling> = both
                .filter(|(first, _)| is_all || !first.is_of_power)
                .flat_map(|(first, after)| {
                    let from = first.at[0] + 1;
                    let end = if is_all { *after } else { from + RECOVERY };
                    let seconds = from..end.min(*after);
                    seconds
                        .map(|second| Telling::of(story, &[first.at[0], second], first.is_of_power))
                })
                .collect();
            told(&pairs);
            println!(
                "{}: {points} boundaries, {} tellings with a crash, {} with two",
                story.name,
                singles.len(),
                pairs.len()
            );
            count += singles.len();
            of_two += pairs.len();
        }
        println!("{count} tellings with a crash, and {of_two} with two, keep every guarantee");
        assert!(count >= 1_000 && of_two >= 1_000, "{count} and {of_two}");
    }

    /// Once more, with everything that happens.
    fn replay(name: &str) {
        let story = STORIES.iter().find(|story| story.name == name);
        let at: String = from_environment("HUSTINGS_CRASH").unwrap_or_default();
        let numbers = at.split(',').filter(|number| !number.is_empty());
        let telling = Telling {
            story: story.unwrap_or_else(|| panic!("there is no story {name}")),
            at: numbers.map(|it| it.parse().expect("a number")).collect(),
            is_of_power: from_environment("HUSTINGS_POWER").unwrap_or(false),
        };
        match telling.is_told(None, true) {
            Ok(points) => println!("held, {points} boundaries"),
            Err(violation) => panic!("{violation}"),
        }
    }

    #[test]
    fn a_story_is_always_the_same() {
        for story in STORIES {
            for at in [&[][..], &[9], &[9, 12]] {
                let crashes = Crashes {
                    at,
                    is_of_power: true,
                };
                let [first, second] = [(); 2].map(|()| tell(story, &crashes, None, false).unwrap());
                assert_eq!(first, second, "{}", story.name);
            }
        }
    }

    /// The points of a story at which a bug shows; none if it shows without a crash, too.
    fn found_by(story: &'static Story, plant: Plant) -> Vec<Telling> {
        let base = Telling::of(story, &[], false);
        let Ok(points) = base.is_told(Some(plant), false) else {
            return Vec::new();
        };
        let singles = singles(story, points);
        singles
            .filter(|telling| telling.is_told(Some(plant), false).is_err())
            .collect()
    }

    /// Bugs that a story without a crash does not show, nor one with a crash at most of its points.
    #[test]
    fn bugs_that_need_a_crash_are_found_at_their_points() {
        let mut found_at = Vec::new();
        for plant in [Plant::HalfCommit, Plant::LoseQueued, Plant::WriteRelaxed] {
            let mut found = STORIES.iter().map(|story| (story, found_by(story, plant)));
            let first = found.find(|(_, found)| !found.is_empty());
            let Some((story, found)) = first else {
                panic!("{plant:?} goes unnoticed");
            };
            let at: Vec<_> = found.iter().map(|it| (it.at[0], it.is_of_power)).collect();
            println!("{plant:?}: \"{}\" at {at:?}", story.name);
            found_at.push(at);
        }
        let [half, queued, relaxed] = &found_at[..] else {
            panic!("there are three");
        };
        // In a commit, and while something is in the outbox; the last only with the machine.
        assert!(
            half.len() <= 10 && queued.len() <= 12,
            "{half:?} {queued:?}"
        );
        assert!(relaxed.iter().all(|(_, is_of_power)| *is_of_power));
    }

    /// A bug that no single crash shows.
    #[test]
    fn a_bug_in_the_recovery_is_found_by_two_crashes() {
        let story = &STORIES[0];
        let points = Telling::of(story, &[], false).is_told(None, false).unwrap();
        let plant = Some(Plant::LoseTwice);
        for telling in singles(story, points) {
            let held = telling.is_told(plant, false);
            assert!(held.is_ok(), "{telling:?}: {held:?}");
        }
        let mut pairs = (0..points).flat_map(|first| {
            let seconds = first + 1..first + 1 + RECOVERY;
            seconds.map(move |second| Telling::of(story, &[first, second], false))
        });
        let found = pairs.find(|telling| telling.is_told(plant, false).is_err());
        println!("{found:?}");
        assert!(found.is_some(), "it goes unnoticed");
    }
}

/// All that happens in some schedules of these kinds.
fn held(kinds: &[Kind], seeds: u64) -> Report {
    let mut total = Report::default();
    for kind in kinds {
        for seed in 0..seeds {
            let held = run(&Plan::of(*kind, seed));
            total.add(&held.unwrap_or_else(|broken| panic!("{kind:?} {seed}: {broken}")));
        }
    }
    total
}

/// Each of two polls is held by itself, with everything that happens to it.
#[test]
fn two_polls_of_one_host_keep_every_guarantee() {
    let total = held(&[Kind::TwoPolls, Kind::TwoHostile], 30);
    let Report {
        put_back,
        epochs,
        hostile,
        applied,
        ..
    } = total;
    assert!(
        put_back > 5 && epochs > 0 && hostile > 500 && applied > 500,
        "{put_back} {epochs} {hostile} {applied}"
    );
}

/// In polls that do not show each vote, what each is told is the projection of what was.
#[test]
fn secret_polls_and_hidden_results_keep_every_guarantee() {
    let total = held(&[Kind::Secret, Kind::Moderated], 60);
    let Report {
        applied, crashes, ..
    } = total;
    assert!(applied > 1_000 && crashes > 100, "{applied} {crashes}");
}

/// In invited polls each invitation makes one voter, nobody else is one but by the
/// owner's hand, and whoever only looks leaves nothing behind.
#[test]
fn invited_polls_keep_every_guarantee() {
    let total = held(&[Kind::Invited], 80);
    println!("{:?}", total.counts());
    let Report {
        applied,
        crashes,
        invited,
        rejected,
        ..
    } = total;
    assert!(
        applied > 300 && crashes > 50 && invited > 30 && rejected > 50,
        "{applied} {crashes} {invited} {rejected}"
    );
}

/// Of an owner's two machines one comes back after the other, as it was left: a fork, of which
/// everybody hears who was on the other side.
#[test]
fn an_owner_that_moves_and_comes_back_is_found_out() {
    let total = held(&[Kind::MovedOwner], 50);
    let Report {
        put_back, epochs, ..
    } = total;
    assert!(put_back > 20 && epochs > 10, "{put_back} {epochs}");
}

/// The histories of some schedules, held against a checker that is not ours: it knows lists, and
/// nothing of polls.
mod checked_from_outside {
    use adya::{History, Opts, Valid, Workload};

    use super::*;

    /// Effects are in one order that agrees with all that people were shown, each once; nobody goes
    /// back; and whoever reads fresh, reads all that anybody was told before.
    fn check(history: &str, model: &str) -> Result<(), Vec<String>> {
        let history = History::from_json(history).expect("it is a history");
        let opts = Opts {
            models: vec![model.to_owned()],
            // By steps alone, not by how busy a machine is.
            timeout: Duration::from_secs(600),
            ..Opts::default()
        };
        let report = adya::check(&history, Workload::ListAppend, &opts);
        match report.valid {
            Valid::True => Ok(()),
            Valid::False | Valid::Unknown => Err(report.anomaly_types),
        }
    }

    fn check_all(history: &sim::History) -> Result<(), Vec<String>> {
        check(&history.lines(false), "strong-session-serializable")?;
        check(&history.lines(true), "strict-serializable")
    }

    #[test]
    fn histories_are_those_of_one_list_of_effects() {
        for seed in 0..20 {
            let history = run(&Plan::new(seed, Plan::STEPS)).unwrap().history;
            let checked = check_all(&history);
            assert_eq!(checked, Ok(()), "seed {seed}");
        }
    }

    #[test]
    fn it_finds_effects_that_are_lost_doubled_reordered_or_should_not_be() {
        for how in Spoilt::ALL {
            let mut count = 0;
            for seed in 0..4 {
                let history = run(&Plan::new(seed, Plan::STEPS)).unwrap().history;
                let Some(spoilt) = history.spoilt(how) else {
                    continue;
                };
                count += 1;
                let checked = check_all(&spoilt);
                println!("{how:?}, seed {seed}: {checked:?}");
                assert!(checked.is_err(), "{how:?} of seed {seed} goes unnoticed");
            }
            assert!(count > 0, "no schedule has what could be {how:?}");
        }
    }
}

/// Faults that were mended: the kind of schedules in which each is found when it is put back, and
/// the seed from which it is looked for.
#[cfg(feature = "planted")]
const MENDED: &[(Fault, Kind, u64)] = &[
    (Fault::OwnerJoins, Kind::CopiedOwner, 0),
    (Fault::UncheckedSubmit, Kind::TooMuch, 0),
    (Fault::StoredCommandBlocks, Kind::WiderLimits, 0),
    (Fault::ViolationUnanswered, Kind::Hostile, 100),
    (Fault::OweWithoutBound, Kind::Hostile, 280),
    (Fault::BelieveRevisions, Kind::Hostile, 0),
    (Fault::ImpostorIsFinal, Kind::ForgedChallenge, 0),
    (Fault::GraceByClock, Kind::OpenedLate, 0),
    (Fault::AnyCommandId, Kind::Hostile, 20),
    (Fault::TooLargeIsNameless, Kind::Hostile, 100),
    (Fault::NoHistoryDigest, Kind::OldJournal, 100),
    (Fault::ForgetsApplied, Kind::OldJournal, 0),
    (Fault::NumbersFromOldOutbox, Kind::OldOutbox, 0),
    (Fault::TellsVotes, Kind::Secret, 0),
    (Fault::ShowsEarly, Kind::Secret, 0),
    (Fault::HoleInOutbox, Kind::LostEntry, 0),
    (Fault::StrangersFillMembers, Kind::Crowd, 20),
    (Fault::StrangersFillReceipts, Kind::Crowd, 0),
    (Fault::StateOverLimit, Kind::Small, 0),
    (Fault::StrangersTakeLinks, Kind::FewLinks, 0),
    (Fault::UnreadableIsMissed, Kind::ReadsLess, 0),
    (Fault::UnreadableCacheBlocks, Kind::DamagedCache, 0),
    (Fault::NoChecksum, Kind::DamagedCache, 0),
    (Fault::DamageSpreads, Kind::OtherPolls, 0),
    (Fault::InvisibleText, Kind::OddTexts, 0),
    (Fault::SameLabels, Kind::OddTexts, 0),
    (Fault::SilentLag, Kind::Floods, 50),
    (Fault::NeverYields, Kind::Floods, 0),
    (Fault::OpenFromOldJournal, Kind::OpensAgain, 0),
    (Fault::BornAgain, Kind::MadeAnew, 0),
    (Fault::LateVoteWins, Kind::Tabs, 0),
    (Fault::CastsNotKept, Kind::Tabs, 0),
    (Fault::TellsInvitations, Kind::Invited, 0),
    (Fault::InvitationTwice, Kind::Invited, 0),
    (Fault::InvitationsNotKept, Kind::Invited, 0),
    (Fault::KeepsPassing, Kind::Invited, 0),
    (Fault::UninvitedVote, Kind::Invited, 0),
    (Fault::ModeratorsInvite, Kind::Invited, 20),
];

/// Faults that no kind of schedule finds, and why.
#[cfg(feature = "planted")]
const NOT_FOUND: &[(Fault, &str)] = &[
    (
        Fault::CreateUnchecked,
        "a driver makes a poll of a draft, which is checked on its way; only the bare machine is \
         given a poll",
    ),
    (
        Fault::AnswersBeforePoll,
        "a link that has room again gets the poll and the answers in one frame, and nobody sees \
         what is shown between two messages of one",
    ),
    (
        Fault::TellsLate,
        "what comes too early in one frame is a gap to its reader, who asks, and is told the same \
         once more: it costs frames, which `room/tests/secret.rs` counts",
    ),
];

#[cfg(feature = "planted")]
#[test]
fn every_mended_fault_is_looked_for_or_has_its_reason() {
    let found = MENDED.iter().map(|(fault, ..)| *fault);
    let not_found = NOT_FOUND.iter().map(|(fault, reason)| {
        assert!(!reason.is_empty(), "{fault:?} has no reason");
        *fault
    });
    let listed: Vec<Fault> = found.chain(not_found).collect();
    for fault in Fault::ALL {
        let times = listed.iter().filter(|listed| *listed == fault).count();
        assert_eq!(times, 1, "{fault:?} is listed {times} times");
    }
    assert_eq!(listed.len(), Fault::ALL.len());
    assert!(MENDED.len() >= 37, "only {} are found", MENDED.len());
}

#[cfg(feature = "planted")]
#[test]
fn mended_faults_are_found_when_they_are_put_back() {
    for (fault, kind, from) in MENDED {
        let found = (*from..from + 200).find(|seed| {
            let plan = Plan::of(*kind, *seed);
            planted::with(Some(*fault), || sim::run(&plan)).is_err()
        });
        println!("{fault:?}: {kind:?}, seed {found:?}");
        let found = found.unwrap_or_else(|| panic!("{fault:?} went unnoticed"));
        let held = run(&Plan::of(*kind, found));
        assert!(
            held.is_ok(),
            "{fault:?} is not what {found} finds: {held:?}"
        );
    }
}
