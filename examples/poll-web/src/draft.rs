//! Things that are being put together: a vote that is ticked and not sent yet, a poll like another.

use hustings_protocol::{Limits, OptionId, Poll, PollDraft};

/// The draft after an option is ticked, or not any more. It is none where it comes to what was
/// voted for already: nothing is there to send then, and a vote from another tab shows here, too,
/// rather than being undone by the next click.
pub(crate) fn after(
    ticked: &[OptionId],
    voted: &[OptionId],
    several: bool,
    option: OptionId,
    is_ticked: bool,
) -> Option<Vec<OptionId>> {
    let others = if several { ticked } else { &[] };
    let mut ticked: Vec<_> = others.iter().copied().filter(|it| *it != option).collect();
    if is_ticked {
        ticked.push(option);
    }
    differs(&ticked, voted).then_some(ticked)
}

/// True if two votes are not for the same options, in whatever order.
pub(crate) fn differs(one: &[OptionId], other: &[OptionId]) -> bool {
    let sorted = |options: &[OptionId]| {
        let mut options = options.to_vec();
        options.sort_unstable();
        options
    };
    sorted(one) != sorted(other)
}

/// The reason why so many options are no vote, told while they are being ticked.
pub(crate) fn too_many(ticked: usize) -> Option<String> {
    let most = Limits::default().max_choices;
    (ticked > most)
        .then(|| format!("One vote has at most {most} options. You have ticked {ticked}."))
}

/// The options of somebody's vote that they can still have: without those that were withdrawn.
pub(crate) fn standing(choices: &[OptionId], poll: &Poll) -> Vec<OptionId> {
    let is_there = |choice: &OptionId| poll.option(*choice).is_some_and(|it| !it.withdrawn);
    choices.iter().copied().filter(is_there).collect()
}

/// A new poll like this one: its question, its options that were not withdrawn and its settings,
/// and neither votes nor a deadline.
pub(crate) fn like(poll: &Poll) -> PollDraft {
    let options = poll.options().iter().filter(|option| !option.withdrawn);
    PollDraft::new(poll.title())
        .options(options.map(|option| &option.label))
        .multiple_choice(poll.multiple_choice())
        .voters_may_add_options(poll.voters_may_add_options())
        .admission(poll.admission())
        .ballots(poll.ballots())
        .results(poll.results())
        .voters_named_up_to(poll.voters_named_up_to())
}

#[cfg(test)]
mod tests {
    use hustings_protocol::{Admission, Ballots, Command, OptionUpdate, PeerId, Results};

    use super::*;

    fn option(number: u8) -> OptionId {
        format!("00000000-0000-4000-8000-0000000000{number:02}")
            .parse()
            .unwrap()
    }

    #[test]
    fn what_comes_to_the_old_vote_is_no_draft() {
        let [one, two] = [option(1), option(2)];
        assert_eq!(after(&[one], &[one], false, two, true), Some(vec![two]));
        assert_eq!(after(&[two], &[one], false, one, true), None);
        assert_eq!(after(&[one], &[one], true, two, true), Some(vec![one, two]));
        assert_eq!(after(&[one, two], &[one], true, two, false), None);
        // In another order it is the same vote.
        assert_eq!(after(&[two], &[one, two], true, one, true), None);
        assert_eq!(after(&[one], &[one], true, one, false), Some(Vec::new()));
    }

    #[test]
    fn a_poll_like_another_has_all_that_its_form_has() {
        for (admission, ballots, results) in [
            (Admission::Invited, Ballots::Secret, Results::AfterVote),
            (Admission::Link, Ballots::Open, Results::AfterClose),
        ] {
            let draft = PollDraft::new("Which?")
                .options(["Tea", "Coffee"])
                .multiple_choice(true)
                .voters_may_add_options(true)
                .admission(admission)
                .ballots(ballots)
                .results(results);
            let id = "01234567-89ab-4cde-8f01-23456789abcd".parse().unwrap();
            let mut numbers = 1..;
            let option = || option(numbers.next().unwrap());
            let owner = PeerId::from_bytes([9; 32]);
            let limits = Limits::default();
            let poll = Poll::new(id, owner, draft.clone(), option, &limits).unwrap();
            assert_eq!(like(&poll), draft);
        }
    }

    #[test]
    fn what_was_withdrawn_is_in_no_vote_and_no_copy() {
        let id = "01234567-89ab-4cde-8f01-23456789abcd".parse().unwrap();
        let draft = PollDraft::new("Which?").options(["Tea", "Coffee"]);
        let mut numbers = 1..;
        let next = || option(numbers.next().unwrap());
        let (owner, limits) = (PeerId::from_bytes([9; 32]), Limits::default());
        let draft = draft.closes_at(1_790_000_000_000);
        let mut poll = Poll::new(id, owner, draft, next, &limits).unwrap();
        let choices = [option(1), option(2)];
        assert_eq!(standing(&choices, &poll), choices);
        let withdrawal = OptionUpdate::new(id, option(1)).withdrawn(true);
        let withdrawal = Command::UpdateOption(withdrawal);
        poll.apply(owner, &withdrawal, &limits).unwrap();
        assert_eq!(standing(&choices, &poll), [option(2)]);
        let copy = like(&poll);
        assert_eq!(
            (copy.options, copy.closes_at),
            (vec!["Coffee".to_owned()], None)
        );
    }

    #[test]
    fn the_most_options_of_a_vote_are_told() {
        assert_eq!(too_many(100), None);
        let told = "One vote has at most 100 options. You have ticked 101.";
        assert_eq!(too_many(101).as_deref(), Some(told));
    }
}
