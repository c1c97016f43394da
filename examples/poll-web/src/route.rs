//! The route: the view that the page's address asks for.

use hustings_protocol::{FindLinkError, RoomId, RoomLink};

/// A view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// The view in which polls are started and joined.
    Start,
    /// A poll.
    Room(RoomId),
    /// A poll, with an invitation to it.
    Invited(RoomLink),
    /// A poll for a whole room of people to look at.
    Presented(RoomId),
    /// The text behind the `#` is neither, for this reason.
    Unknown(FindLinkError),
}

impl Route {
    /// The view of a fragment: `#/<owner>/<poll>`, the same with `?present`, or nothing. What a
    /// mail or a messenger has added to it does not count.
    pub(crate) fn of(fragment: &str) -> Self {
        let text = match fragment.trim_start_matches('#').trim_start_matches('/') {
            "" => return Self::Start,
            text => text,
        };
        match RoomLink::find(text) {
            Ok(link) if text.ends_with(PRESENT) => Self::Presented(link.room),
            Ok(RoomLink {
                room,
                invitation: None,
            }) => Self::Room(room),
            Ok(link) => Self::Invited(link),
            Err(why) => Self::Unknown(why),
        }
    }

    /// The view without the way in which it is shown: what is opened for it stays open while only
    /// that changes.
    pub(crate) fn place(self) -> Self {
        match self {
            Self::Presented(link) => Self::Room(link),
            Self::Invited(link) => Self::Room(link.room),
            Self::Start | Self::Room(_) | Self::Unknown(_) => self,
        }
    }
}

/// Ends the fragment of a poll that is presented.
const PRESENT: &str = "?present";

/// The fragment of a link to a poll, which may be an invitation.
pub(crate) fn fragment_of(link: RoomLink) -> String {
    format!("#/{link}")
}

/// The fragment of a poll.
pub(crate) fn fragment(link: RoomId) -> String {
    format!("#/{link}")
}

/// The fragment of a poll that is presented.
pub(crate) fn presented(link: RoomId) -> String {
    format!("{}{PRESENT}", fragment(link))
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
        assert_eq!(
            Route::of("#/nonsense"),
            Route::Unknown(FindLinkError::Nothing)
        );
        let cut = format!("#/{}", &LINK[..80]);
        let missing = FindLinkError::Incomplete { missing: 9 };
        assert_eq!(Route::of(&cut), Route::Unknown(missing));
        for added in [".", ")", "%E2%80%8B", "?utm_source=x", "%20thanks"] {
            let opened = Route::of(&format!("#/{LINK}{added}"));
            assert_eq!(opened, Route::Room(link), "{added}");
        }
        assert_eq!(Route::of(&presented(link)), Route::Presented(link));
        assert_eq!(Route::of(&presented(link)).place(), Route::Room(link));
        let invited = format!("{LINK}/invited/{}", "e".repeat(26));
        let invitation = RoomLink::find(&invited).unwrap();
        assert!(invitation.invitation.is_some());
        for added in ["", ".", "%20thanks"] {
            let opened = Route::of(&format!("{}{added}", fragment_of(invitation)));
            assert_eq!(opened, Route::Invited(invitation), "{added}");
            assert_eq!(opened.place(), Route::Room(link));
        }
        let encoded = LINK.replace('/', "%2F").to_uppercase();
        assert_eq!(Route::of(&format!("#%2F{encoded}")), Route::Room(link));
    }
}
