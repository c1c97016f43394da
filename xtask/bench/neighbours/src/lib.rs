//! The same poll by hustings and by libraries that keep a document alike at many places.
//!
//! There is a hub, and each participant has a link to it. They vote, one after the other, and then
//! change their minds; a vote has reached everybody before the next one is cast, unless the time
//! between two votes is given. In the end all have the same tally, and then one more joins. Nothing
//! is stored, nothing is lost, and no network takes time: what is counted is the libraries' own
//! work, and the bytes that they would send. Time is a number that is moved on, for those that tell
//! of several votes together.
//!
//! Each library is used in the fastest way that its own documentation shows; the module of each
//! says which. `instructions` runs under callgrind, which is told which of [`PHASES`] to count;
//! `heap` counts bytes, with an allocator that would disturb the other.

mod automerge;
mod hustings;
mod samod;
mod yrs;

use std::hint::black_box;
use std::time::Duration;

/// The bytes of a heap after some work: what it has left, and the most at a time.
#[derive(Debug, Clone, Copy)]
pub struct Heap {
    /// More than before, or fewer.
    pub left: i64,
    /// At most, at a time.
    pub most: i64,
}

/// Does some work and counts what it allocates.
pub type Measure = fn(&mut dyn FnMut()) -> Heap;

/// The functions that callgrind can be told to count: the votes at the hub and at the participants,
/// and then a late join at both.
pub const PHASES: [&str; 4] = [
    "votes_at_hub",
    "votes_at_members",
    "join_at_hub",
    "join_at_member",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first joins, which nobody counts.
    Begin,
    Votes,
    Join,
}

/// The counts that are not callgrind's.
struct Meter {
    measure: Option<Measure>,
    phase: Phase,
    /// Bytes on all links, in both directions.
    votes: u64,
    join: u64,
    /// The hub's heap, and the most that it was.
    kept: i64,
    most: i64,
    /// The bytes that the hub has to keep at the end, where it knows.
    content: Option<u64>,
}

impl Meter {
    /// The hub's work, and the messages that it has for participants. They are copied, as by a
    /// network: what the hub does not need any more is not in its heap.
    fn hub<T: Copy, M: AsRef<[u8]>>(
        &mut self,
        work: impl FnOnce() -> Vec<(T, M)>,
    ) -> Vec<(T, Vec<u8>)> {
        let (mut work, mut sent) = (Some(work), None);
        let phase = self.phase;
        self.heap(&mut || {
            let work = work.take().expect("it is done once");
            sent = Some(match phase {
                Phase::Begin => work(),
                Phase::Votes => votes_at_hub(work),
                Phase::Join => join_at_hub(work),
            });
        });
        let messages = sent.iter().flatten();
        let messages: Vec<_> = messages
            .map(|(to, message)| (*to, message.as_ref().to_vec()))
            .collect();
        self.heap(&mut || drop(sent.take()));
        messages.iter().for_each(|(_, message)| self.send(message));
        messages
    }

    /// A participant's work, and the messages that it has for the hub.
    fn member<M: AsRef<[u8]>>(&mut self, work: impl FnOnce() -> Vec<M>) -> Vec<M> {
        let sent = match self.phase {
            Phase::Begin => work(),
            Phase::Votes => votes_at_members(work),
            Phase::Join => join_at_member(work),
        };
        sent.iter().for_each(|message| self.send(message.as_ref()));
        sent
    }

    fn send(&mut self, message: &[u8]) {
        match self.phase {
            Phase::Begin => {}
            Phase::Votes => self.votes += message.len() as u64,
            Phase::Join => self.join += message.len() as u64,
        }
    }

    fn heap(&mut self, work: &mut dyn FnMut()) {
        let Some(measure) = self.measure else {
            return work();
        };
        let heap = measure(work);
        self.most = self.most.max(self.kept + heap.most);
        self.kept += heap.left;
    }
}

// Each says its name, or else the compiler would make one function of two that are alike.

#[inline(never)]
fn votes_at_hub<R>(work: impl FnOnce() -> R) -> R {
    black_box("votes_at_hub");
    work()
}

#[inline(never)]
fn votes_at_members<R>(work: impl FnOnce() -> R) -> R {
    black_box("votes_at_members");
    work()
}

#[inline(never)]
fn join_at_hub<R>(work: impl FnOnce() -> R) -> R {
    black_box("join_at_hub");
    work()
}

#[inline(never)]
fn join_at_member<R>(work: impl FnOnce() -> R) -> R {
    black_box("join_at_member");
    work()
}

/// Longer than anybody waits with what is to be told together.
const LONG: Duration = Duration::from_millis(250);

/// A hub and its participants.
trait System {
    /// Votes, until all have heard of it who are told of it at once.
    fn vote(&mut self, who: usize, option: usize, meter: &mut Meter);
    /// So much time passes, and what is to be told within it is told.
    fn pass(&mut self, _time: Duration, _meter: &mut Meter) {}
    /// One more participant joins, until it has everything.
    fn join(&mut self, meter: &mut Meter);
    /// The bytes that the hub has to keep at the end, if it knows; see the system's own.
    fn content(&self) -> Option<u64> {
        None
    }
    /// The votes of each option, as each participant counts them.
    fn tallies(&self) -> Vec<Vec<u64>>;
}

/// Makes a hub with so many participants.
type Make = fn(usize, &mut Meter) -> Box<dyn System>;

/// Each system, and whether it is quick enough for a thousand participants.
const SYSTEMS: [(&str, Make, bool); 6] = [
    (
        "hustings, open",
        |count, meter| Box::new(hustings::open(count, meter)),
        true,
    ),
    (
        "hustings, secret",
        |count, meter| Box::new(hustings::secret(count, meter)),
        true,
    ),
    (
        "yrs",
        |count, meter| Box::new(yrs::Room::new(count, meter)),
        true,
    ),
    (
        "yrs, merged",
        |count, meter| Box::new(yrs::Merged::new(count, meter)),
        true,
    ),
    (
        "automerge",
        |count, meter| Box::new(automerge::Room::new(count, meter)),
        false,
    ),
    (
        "samod",
        |count, meter| Box::new(samod::Room::new(count, meter)),
        false,
    ),
];

const OPTIONS: [&str; 3] = ["Tea", "Coffee", "Water"];

/// A name for a participant where a library wants the application to have one: as long as those of
/// hustings.
fn name(number: usize) -> String {
    format!("{number:0>52}")
}

/// Votes that are cast: everybody's two, or a hundred where there are more.
fn votes(participants: usize) -> usize {
    (2 * participants).min(100)
}

/// The whole of it, with so much time after each vote.
fn run(make: Make, participants: usize, between: Duration, measure: Option<Measure>) -> Meter {
    let mut meter = Meter {
        measure,
        phase: Phase::Begin,
        votes: 0,
        join: 0,
        kept: 0,
        most: 0,
        content: None,
    };
    let mut system = make(participants, &mut meter);
    meter.phase = Phase::Votes;
    let count = votes(participants);
    let mut choices = vec![None; participants];
    for number in 0..count {
        let (who, option) = (number % participants, number % OPTIONS.len());
        choices[who] = Some(option);
        system.vote(who, option, &mut meter);
        system.pass(between, &mut meter);
    }
    system.pass(LONG, &mut meter);
    meter.phase = Phase::Join;
    system.join(&mut meter);
    let expected: Vec<u64> = (0..OPTIONS.len())
        .map(|option| choices.iter().filter(|it| **it == Some(option)).count() as u64)
        .collect();
    let tallies = system.tallies();
    assert_eq!(tallies.len(), participants + 1);
    assert!(
        tallies.iter().all(|tally| *tally == expected),
        "{tallies:?} {expected:?}"
    );
    meter.content = system.content();
    meter
}

/// The programs: `--list`, or the name of a system and a number of participants, and perhaps the
/// milliseconds between two votes.
#[must_use]
pub fn main(measure: Option<Measure>) -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["--list"] = words[..] {
        for (name, _, is_quick) in SYSTEMS {
            println!("{name}\t{is_quick}");
        }
        return std::process::ExitCode::SUCCESS;
    }
    let between = match words.get(2) {
        Some(millis) => millis.parse().ok().map(Duration::from_millis),
        None => Some(LONG),
    };
    if let [name, participants, ..] = words[..]
        && words.len() <= 3
        && let (Ok(participants), Some(between)) = (participants.parse(), between)
        && let Some((_, make, _)) = SYSTEMS.iter().find(|(it, ..)| *it == name)
    {
        let meter = run(*make, participants, between, measure);
        let (votes, bytes) = (votes(participants), meter.votes);
        print!("{votes}\t{bytes}\t{}\t{}", meter.join, meter.most);
        // Of those who do not know what they have to keep, nobody asks what they have kept.
        if let Some(content) = meter.content {
            print!("\t{}\t{content}", meter.kept);
        }
        println!();
        return std::process::ExitCode::SUCCESS;
    }
    eprintln!("usage: --list | <system> <participants> [<milliseconds between votes>]");
    std::process::ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_come_to_the_same_tally() {
        for (name, make, _) in SYSTEMS {
            for between in [LONG, Duration::from_millis(1)] {
                let Meter { votes, join, .. } = run(make, 5, between, None);
                assert!(votes > 0 && join > 0, "{name}");
            }
        }
    }

    #[test]
    fn of_votes_that_come_together_those_who_tell_of_them_together_say_less() {
        for (name, make, _) in SYSTEMS {
            let bytes = |between| run(make, 20, Duration::from_millis(between), None).votes;
            let (quick, slow) = (bytes(1), bytes(1_000));
            match name {
                "hustings, open" | "hustings, secret" | "yrs, merged" => {
                    assert!(quick < slow, "{name}: {quick} of {slow}");
                }
                // It sends more or less from one run to the next.
                "samod" => assert!(quick.abs_diff(slow) < slow / 10, "{quick} and {slow}"),
                _ => assert_eq!(quick, slow, "{name}"),
            }
        }
    }
}
