//! The polls that were joined here, as the browser remembers them.

use hustings_protocol::{PollId, RoomId};
use serde::{Deserialize, Serialize};

/// The most polls that are remembered; the one that was not visited for the longest time goes.
const MOST: usize = 50;

/// A poll that was joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Visited {
    /// Its link.
    link: String,
    /// The question.
    pub(crate) title: String,
    /// The time of the last visit, as JSON writes it.
    pub(crate) at: String,
}

impl Visited {
    /// Its link; `None` if somebody has written something else there.
    pub(crate) fn link(&self) -> Option<RoomId> {
        self.link.parse().ok()
    }

    fn is_of(&self, poll: PollId) -> bool {
        self.link().is_some_and(|link| link.poll_id == poll)
    }
}

/// The list in a text, the last visit first. A text that is none is an empty list: it is a
/// convenience, and nothing depends on it.
pub(crate) fn read(text: Option<&str>) -> Vec<Visited> {
    let list: Vec<Visited> = text
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    list.into_iter()
        .filter(|visited| visited.link().is_some())
        .take(MOST)
        .collect()
}

/// The list as a text.
pub(crate) fn write(list: &[Visited]) -> String {
    // Structs of texts are always JSON.
    serde_json::to_string(list).unwrap_or_default()
}

/// The list after a visit.
pub(crate) fn after_visit(list: Vec<Visited>, link: RoomId, title: &str, at: &str) -> Vec<Visited> {
    let visited = Visited {
        link: link.to_string(),
        title: title.to_owned(),
        at: at.to_owned(),
    };
    let others = without(list, link.poll_id);
    std::iter::once(visited).chain(others).take(MOST).collect()
}

/// The list without a poll.
pub(crate) fn without(list: Vec<Visited>, poll: PollId) -> Vec<Visited> {
    list.into_iter()
        .filter(|visited| !visited.is_of(poll))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(number: usize) -> RoomId {
        let owner = "a".repeat(52);
        format!("{owner}/01234567-89ab-4cde-8f01-2345678{number:05}")
            .parse()
            .unwrap()
    }

    fn titles(list: &[Visited]) -> Vec<&str> {
        list.iter().map(|visited| visited.title.as_str()).collect()
    }

    #[test]
    fn the_last_visit_comes_first_and_a_poll_is_there_once() {
        let list = after_visit(Vec::new(), link(1), "Tea?", "2026-01-01T00:00:00Z");
        let list = after_visit(list, link(2), "Pizza?", "2026-01-02T00:00:00Z");
        assert_eq!(titles(&list), ["Pizza?", "Tea?"]);
        let list = after_visit(list, link(1), "Tea or not?", "2026-01-03T00:00:00Z");
        assert_eq!(titles(&list), ["Tea or not?", "Pizza?"]);
        assert_eq!(read(Some(&write(&list))), list);
        let list = without(list, link(2).poll_id);
        assert_eq!(titles(&list), ["Tea or not?"]);
        assert_eq!(list[0].link(), Some(link(1)));
    }

    #[test]
    fn the_list_has_an_end() {
        let mut list = Vec::new();
        for number in 0..60 {
            list = after_visit(list, link(number), &number.to_string(), "");
        }
        assert_eq!(list.len(), MOST);
        assert_eq!(list[0].title, "59");
    }

    #[test]
    fn what_is_no_list_is_none() {
        assert_eq!(read(None), []);
        for text in ["", "7", "[{}]", r#"[{"link":"half","title":"","at":""}]"#] {
            assert_eq!(read(Some(text)), [], "{text}");
        }
    }
}
