//! A vote that is being put together: what is ticked and not sent yet.

use hustings_protocol::{Limits, OptionId};

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

#[cfg(test)]
mod tests {
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
    fn the_most_options_of_a_vote_are_told() {
        assert_eq!(too_many(100), None);
        let told = "One vote has at most 100 options. You have ticked 101.";
        assert_eq!(too_many(101).as_deref(), Some(told));
    }
}
