//! The votes as they are given, and the count that the library's result is held against.
//!
//! Nothing here knows the library's `Poll`: a count that is taken from what it checks, checks
//! nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hustings_protocol::Revision;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Options by their place in the poll. None at all takes the vote back.
pub(crate) type Choice = Vec<usize>;

/// The result of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Score {
    /// For each option, the number of voters who chose it.
    pub(crate) votes: Vec<u64>,
    /// The number of voters with a vote.
    pub(crate) voters: u64,
}

impl Score {
    fn of<'a>(options: usize, choices: impl Iterator<Item = &'a Choice>) -> Self {
        let mut score = Self {
            votes: vec![0; options],
            voters: 0,
        };
        for choice in choices {
            score.voters += u64::from(!choice.is_empty());
            for option in choice {
                score.votes[*option] += 1;
            }
        }
        score
    }
}

/// Every vote that will be given, by voter, in the order in which each gives theirs.
#[derive(Debug, Clone)]
pub(crate) struct Ballots {
    options: usize,
    of_voter: Vec<VecDeque<Choice>>,
}

impl Ballots {
    /// The votes of a seed. The first few are one for each of the `front` and a few more for the
    /// first of them, so that every scene has something to show.
    pub(crate) fn draw(
        seed: u64,
        voters: usize,
        votes: usize,
        options: usize,
        multiple_choice: bool,
        front: usize,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut ballots = Self {
            options,
            of_voter: vec![VecDeque::new(); voters],
        };
        for number in 0..votes {
            let voter = match number {
                _ if number < front => number,
                _ if number < front + 6 => (number - front) / 3,
                _ => below(&mut rng, voters),
            };
            let mut choice = Vec::new();
            // One in twenty changes their mind altogether.
            if below(&mut rng, 20) > 0 || number < front + 6 {
                choice.push(below(&mut rng, options));
                let second = below(&mut rng, options);
                if multiple_choice && !choice.contains(&second) {
                    choice.push(second);
                }
            }
            ballots.of_voter[voter].push_back(choice);
        }
        ballots
    }

    /// The result that is due when every vote is applied: the last vote of each voter counts.
    pub(crate) fn expected(&self) -> Score {
        Score::of(
            self.options,
            self.of_voter.iter().filter_map(VecDeque::back),
        )
    }

    /// Takes the next few votes of a voter: fewer where there are no more.
    pub(crate) fn take(&mut self, voter: usize, count: usize) -> Vec<Choice> {
        let left = &mut self.of_voter[voter];
        let count = count.min(left.len());
        left.drain(..count).collect()
    }

    /// The number of votes that have not been taken yet.
    pub(crate) fn left(&self) -> usize {
        self.of_voter.iter().map(VecDeque::len).sum()
    }
}

/// A number below `bound`, evenly enough for a demo.
pub(crate) fn below(rng: &mut impl Rng, bound: usize) -> usize {
    let bound = bound.max(1) as u64;
    usize::try_from(rng.next_u64() % bound).unwrap_or(0)
}

/// The votes given and acknowledged, counted by hand.
#[derive(Debug, Default)]
pub(crate) struct Count {
    /// The vote that stands, and the revision that it was acknowledged at.
    standing: BTreeMap<usize, (Revision, Choice)>,
    /// Every revision that anybody was told.
    revisions: BTreeSet<Revision>,
    /// Acknowledgements that named a revision which somebody else was told as well.
    doubles: u64,
    votes: u64,
    refused: u64,
}

impl Count {
    /// A vote was acknowledged as applied.
    pub(crate) fn applied(&mut self, voter: usize, choice: Choice, revision: Revision) {
        self.votes += 1;
        self.took_effect(revision);
        let later = |(standing, _): &(Revision, Choice)| *standing < revision;
        if self.standing.get(&voter).is_none_or(later) {
            self.standing.insert(voter, (revision, choice));
        }
    }

    /// Something else than a vote was acknowledged as applied.
    pub(crate) fn took_effect(&mut self, revision: Revision) {
        self.doubles += u64::from(!self.revisions.insert(revision));
    }

    /// A vote was refused: it does not count.
    pub(crate) fn refused(&mut self) {
        self.refused += 1;
    }

    /// The number of votes that were acknowledged as applied.
    pub(crate) const fn votes(&self) -> u64 {
        self.votes
    }

    /// The number of votes that were rejected.
    pub(crate) const fn refusals(&self) -> u64 {
        self.refused
    }

    /// True if the revisions that people were told are 1, 2, 3 … up to this one, each told once:
    /// nothing was applied twice, and nothing silently.
    pub(crate) fn explains(&self, revision: Revision) -> bool {
        self.doubles == 0
            && self.revisions.len() as u64 == revision.get()
            && self.revisions.last().copied().unwrap_or(Revision::ZERO) == revision
    }

    /// The result.
    pub(crate) fn score(&self, options: usize) -> Score {
        let choices = self.standing.values().map(|(_, choice)| choice);
        Score::of(options, choices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(number: u64) -> Revision {
        Revision::new(number).unwrap()
    }

    #[test]
    fn the_last_revision_of_each_counts_in_whatever_order_it_is_heard_of() {
        let mut count = Count::default();
        count.applied(0, vec![1], revision(3));
        count.applied(0, vec![0], revision(1));
        count.applied(1, vec![], revision(2));
        let score = count.score(2);
        assert_eq!((score.votes, score.voters), (vec![0, 1], 1));
        assert!(count.explains(revision(3)));
        assert!(!count.explains(revision(4)), "one was applied unheard");
    }

    #[test]
    fn a_revision_that_two_were_told_is_noticed() {
        let mut count = Count::default();
        count.applied(0, vec![1], revision(1));
        count.applied(1, vec![1], revision(1));
        assert!(!count.explains(revision(1)));
    }

    #[test]
    fn the_votes_are_a_function_of_the_seed() {
        let draw = |seed| Ballots::draw(seed, 5, 100, 3, true, 4);
        assert_eq!(draw(1).expected(), draw(1).expected());
        assert_ne!(draw(1).of_voter, draw(2).of_voter);
        assert_eq!(draw(1).left(), 100);
    }
}
