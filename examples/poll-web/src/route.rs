//! The route: the view that the page's address asks for.

use hustings_protocol::RoomId;

/// A view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// The view in which polls are started and joined.
    Start,
    /// A poll.
    Room(RoomId),
    /// The text behind the `#` is neither.
    Unknown,
}

impl Route {
    /// The view of a fragment: `#/<owner>/<poll>`, or nothing.
    pub(crate) fn of(fragment: &str) -> Self {
        match fragment.trim_start_matches('#').trim_start_matches('/') {
            "" => Self::Start,
            link => link.parse().map_or(Self::Unknown, Self::Room),
        }
    }
}

/// The fragment of a poll.
pub(crate) fn fragment(link: RoomId) -> String {
    format!("#/{link}")
}

/// The poll that somebody pasted: a page's address with a fragment, or the bare link.
pub(crate) fn pasted(text: &str) -> Option<RoomId> {
    let text = text.trim();
    let fragment = text.split_once('#').map_or(text, |(_, fragment)| fragment);
    match Route::of(fragment) {
        Route::Room(link) => Some(link),
        Route::Start | Route::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/01234567-89ab-4cde-8f01-23456789abcd";

    #[test]
    fn a_fragment_names_a_view() {
        let link: RoomId = LINK.parse().unwrap();
        assert_eq!(Route::of(""), Route::Start);
        assert_eq!(Route::of("#/"), Route::Start);
        assert_eq!(Route::of(&fragment(link)), Route::Room(link));
        assert_eq!(Route::of("#/nonsense"), Route::Unknown);
    }

    #[test]
    fn a_poll_is_found_in_what_people_paste() {
        let link: RoomId = LINK.parse().unwrap();
        for text in [
            LINK.to_owned(),
            format!("  http://127.0.0.1:8000/?ice=none#/{LINK}\n"),
            format!("#/{LINK}"),
        ] {
            assert_eq!(pasted(&text), Some(link), "{text}");
        }
        for text in ["", "https://example.org/", "#/", "what?"] {
            assert_eq!(pasted(text), None, "{text}");
        }
    }
}
