//! The options of a poll, found by their ids.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::strict::objects;
use crate::{OptionId, PollOption};

/// As many options are looked through faster than they are searched by halves.
const FEW: usize = 16;

/// The options of a poll, in the order in which they were added. A copy shares them.
///
/// Two are equal if their options are: all else follows from these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options(Arc<Listed>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Listed {
    options: Vec<PollOption>,
    /// Their places, in the order of their ids.
    by_id: Vec<usize>,
}

impl Listed {
    /// The number of those whose ids are lower than this one.
    fn below(&self, option_id: OptionId) -> usize {
        let is_below = |at: &usize| self.options[*at].option_id < option_id;
        self.by_id.partition_point(is_below)
    }

    fn push(&mut self, option: PollOption) {
        // Of two with the same id, which only a poll has that is refused, any may be found.
        let rank = self.below(option.option_id);
        self.by_id.insert(rank, self.options.len());
        self.options.push(option);
    }
}

impl Options {
    /// The place of the option with this id.
    pub(crate) fn position(&self, option_id: OptionId) -> Option<usize> {
        let Listed { options, by_id } = &*self.0;
        if options.len() <= FEW {
            return options.iter().position(|it| it.option_id == option_id);
        }
        let at = *by_id.get(self.0.below(option_id))?;
        (options[at].option_id == option_id).then_some(at)
    }

    /// One more option, behind the others.
    pub(crate) fn push(&mut self, option: PollOption) {
        Arc::make_mut(&mut self.0).push(option);
    }

    /// Another label for the option at this place.
    pub(crate) fn set_label(&mut self, at: usize, label: &str) {
        label.clone_into(&mut Arc::make_mut(&mut self.0).options[at].label);
    }

    /// The option at this place is withdrawn, or is taken back.
    pub(crate) fn set_withdrawn(&mut self, at: usize, withdrawn: bool) {
        Arc::make_mut(&mut self.0).options[at].withdrawn = withdrawn;
    }
}

impl Deref for Options {
    type Target = [PollOption];

    fn deref(&self) -> &[PollOption] {
        &self.0.options
    }
}

impl FromIterator<PollOption> for Options {
    fn from_iter<I: IntoIterator<Item = PollOption>>(options: I) -> Self {
        let mut listed = Listed::default();
        // One by one: each moves some places by one, which is little even for a thousand of them,
        // and pages have no sorting to load.
        for option in options {
            listed.push(option);
        }
        Self(Arc::new(listed))
    }
}

impl Serialize for Options {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.options.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Options {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let options: Vec<PollOption> = objects(deserializer)?;
        Ok(options.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(number: u128) -> PollOption {
        PollOption {
            option_id: OptionId::from_uuid(uuid::Uuid::from_u128(number)),
            label: number.to_string(),
            withdrawn: false,
        }
    }

    /// Ids in an order that is none.
    fn ids(count: u128) -> impl Iterator<Item = u128> {
        (0..count).map(|number| (number * 7_919) % 10_007)
    }

    #[test]
    fn each_is_found_where_it_stands_and_no_other_is_found() {
        for count in [0, 1, 2, FEW, FEW + 1, 100] {
            let options: Options = ids(count as u128).map(option).collect();
            for (at, number) in ids(count as u128).enumerate() {
                assert_eq!(options.position(option(number).option_id), Some(at));
            }
            for number in 10_007..10_020 {
                assert_eq!(options.position(option(number).option_id), None);
            }
            assert_eq!(options.position(option(5).option_id), None);
        }
    }

    #[test]
    fn whatever_is_added_is_found_in_the_copy_that_has_it() {
        let mut options: Options = ids(20).map(option).collect();
        let before = options.clone();
        options.push(option(1));
        options.set_label(3, "three");
        options.set_withdrawn(4, true);
        assert_eq!(options.position(option(1).option_id), Some(20));
        assert_eq!(before.position(option(1).option_id), None);
        assert_eq!((&*options[3].label, options[4].withdrawn), ("three", true));
        assert_eq!(&before[..], &ids(20).map(option).collect::<Vec<_>>()[..]);
    }

    #[test]
    fn they_are_written_and_read_as_a_list() {
        let options: Options = ids(20).map(option).collect();
        let list: Vec<PollOption> = ids(20).map(option).collect();
        let text = serde_json::to_string(&options).expect("a list");
        assert_eq!(text, serde_json::to_string(&list).expect("a list"));
        let read: Options = serde_json::from_str(&text).expect("a list");
        assert_eq!(read, options);
    }
}
