//! Room links in what people paste: a whole address, a sentence around it, a mail that broke it.
//!
//! A [`RoomId`] has one spelling, and parsing insists on it. [`RoomId::find`] reads what became of
//! it on its way from one person to another. Only what stands around and between the characters of
//! a link is forgiven, and their case; never one of the characters themselves.
//!
//! The work is linear in the text, which is gone through a fixed number of times.

use std::fmt;

use crate::text;
use crate::{InvitationSecret, PeerId, PollId, RoomId};

/// The characters of a link: the owner, a slash, the poll.
const LINK_LEN: usize = PeerId::TEXT_LEN + 1 + PollId::TEXT_LEN;

/// Stands between a room and the secret of an invitation to it. It has no `=`, which at the end of
/// a line looks like a mail's soft line break.
const INVITED: &str = "/invited/";

/// The number of times that a link may have been percent-encoded: once by each service that wraps
/// it into a link of its own, and mails pass through two of them at most.
const MAX_ENCODINGS: usize = 3;

/// The most breaks within a link: four, in a column of no more than twenty characters. Longer
/// chains of short pieces are prose.
const MAX_BREAKS: usize = 4;

/// The shortest piece of an owner that is taken for one without anything of a poll behind it. No
/// word is as long.
const MIN_OWNER: usize = 24;

/// The same for an owner whose beginning is missing, and the piece of a poll that shows it: up to
/// the second hyphen.
const MIN_CUT: (usize, usize) = (12, 14);

/// The reason why there is no room link in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindLinkError {
    /// Nothing in it looks like one.
    #[error("there is no link to a poll in this text")]
    Nothing,
    /// A part of one.
    #[error(
        "the link to the poll is incomplete: {missing} of its {LINK_LEN} characters are missing"
    )]
    Incomplete {
        /// The number of missing characters.
        missing: usize,
    },
    /// As much as one, with other characters in it.
    #[error("the link to the poll is damaged: it has a wrong character, or one too many")]
    Damaged,
    /// Two or more rooms.
    #[error("there are links to more than one poll in this text")]
    Several,
    /// A room, and a part of an invitation to it.
    #[error(
        "the invitation in this link is incomplete: {missing} of its {} characters are missing",
        InvitationSecret::TEXT_LEN
    )]
    IncompleteInvitation {
        /// The number of missing characters.
        missing: usize,
    },
    /// A room, and an invitation to it with other characters in it.
    #[error("the invitation in this link is damaged: it has a wrong character, or one too many")]
    DamagedInvitation,
    /// Two or more invitations to one room. Each is for one person.
    #[error("there is more than one invitation in this text, and each is for one person")]
    SeveralInvitations,
}

/// A link to a room, which may be an invitation: `<owner>/<poll>`, or
/// `<owner>/<poll>/invited/<secret>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoomLink {
    /// The room.
    pub room: RoomId,
    /// The secret of the person for whom this link was made.
    pub invitation: Option<InvitationSecret>,
}

impl fmt::Display for RoomLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.room.fmt(f)?;
        match &self.invitation {
            Some(secret) => write!(f, "{INVITED}{secret}"),
            None => Ok(()),
        }
    }
}

impl RoomLink {
    /// Finds the one link in a text, as [`RoomId::find`] does, with the invitation in it if there
    /// is one.
    ///
    /// # Errors
    ///
    /// As there, and if there are several different invitations, or one of which a part is missing:
    /// that would be a link of somebody who may not vote.
    pub fn find(text: &str) -> Result<Self, FindLinkError> {
        let Found { room, invitation } = search(text)?;
        let invitation = invitation.transpose()?;
        Ok(Self { room, invitation })
    }
}

impl RoomId {
    /// Finds the one room link in a text: whatever stands before and behind it, in either case,
    /// percent-encoded, broken over lines and quoted, or with characters in it that nobody sees.
    ///
    /// ```
    /// use hustings_protocol::{FindLinkError, RoomId};
    ///
    /// let link = format!("{}/01234567-89ab-4cde-8f01-23456789abcd", "a".repeat(52));
    /// let text = format!("Please vote (https://example.org/#/{link})!");
    /// assert_eq!(RoomId::find(&text)?.to_string(), link);
    ///
    /// let cut = &link[..link.len() - 3];
    /// assert_eq!(RoomId::find(cut), Err(FindLinkError::Incomplete { missing: 3 }));
    /// # Ok::<(), FindLinkError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// There is none in it, only a part of one, or there are several different ones.
    pub fn find(text: &str) -> Result<Self, FindLinkError> {
        search(text).map(|found| found.room)
    }
}

/// A room that is linked in a text.
#[derive(Clone, Copy)]
struct Found {
    room: RoomId,
    /// The invitation behind it, if there is one, or its fault.
    invitation: Option<Result<InvitationSecret, FindLinkError>>,
}

impl Found {
    /// Adds the invitation of another link to the same room. A whole one counts where it was cut
    /// off elsewhere in the text.
    fn add(&mut self, other: Self) {
        self.invitation = match (self.invitation, other.invitation) {
            (Some(Ok(one)), Some(Ok(other))) if one != other => {
                Some(Err(FindLinkError::SeveralInvitations))
            }
            (several @ Some(Err(FindLinkError::SeveralInvitations)), _)
            | (several @ Some(Ok(_)), _)
            | (several, None) => several,
            (Some(Err(_)) | None, other) => other,
        };
    }
}

/// The one room of a text.
fn search(text: &str) -> Result<Found, FindLinkError> {
    let (mut certain, mut doubtful) = (None::<Found>, None::<Found>);
    let mut plain = plain(text);
    for _ in 0..=MAX_ENCODINGS {
        for (found, is_certain) in rooms(plain.as_bytes()) {
            let known = if is_certain {
                &mut certain
            } else {
                &mut doubtful
            };
            match known {
                Some(known) if known.room == found.room => known.add(found),
                Some(_) if is_certain => return Err(FindLinkError::Several),
                Some(_) => {}
                None => *known = Some(found),
            }
        }
        match decoded(&plain) {
            Some(decoded) => plain = self::plain(&decoded),
            None => break,
        }
    }
    let found = certain.or(doubtful);
    found.ok_or_else(|| missing(plain.as_bytes()))
}

/// The text in lower case, without what cannot be seen, and with a single blank for a break: white
/// space, with the `=` of a mail's soft line break before it and the `>` of a quotation behind it.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut seen = text.chars().filter(|&it| !text::is_unseen(it)).peekable();
    while let Some(character) = seen.next() {
        let is_soft = character == '=' && seen.peek().is_some_and(|next| next.is_whitespace());
        let is_quote = character == '>' && plain.ends_with(' ');
        if !(is_soft || is_quote || character.is_whitespace()) {
            plain.push(character.to_ascii_lowercase());
        } else if !plain.ends_with(' ') {
            plain.push(' ');
        }
    }
    plain
}

/// The text with one layer of percent-encoding less; `None` if it has none.
///
/// Nobody encodes letters and digits. Where they seem to be, a `%` stands before a link, and
/// what comes out is no part of one.
fn decoded(plain: &str) -> Option<String> {
    let (mut bytes, mut has_any) = (Vec::with_capacity(plain.len()), false);
    let mut rest = plain.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        // A line may end within them, too.
        let digit = |rest: &mut &[u8]| {
            let [digit, behind @ ..] = rest.strip_prefix(b" ").unwrap_or(rest) else {
                return None;
            };
            *rest = behind;
            char::from(*digit).to_digit(16)
        };
        let mut behind = rest;
        let byte = match first {
            b'%' => digit(&mut behind)
                .zip(digit(&mut behind))
                .and_then(|(high, low)| u8::try_from(high << 4 | low).ok()),
            _ => None,
        };
        match byte {
            Some(byte) => {
                has_any = true;
                rest = behind;
                bytes.push(if byte.is_ascii_alphanumeric() {
                    b'?'
                } else {
                    byte
                });
            }
            None => bytes.push(*first),
        }
    }
    has_any.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// A part of a link in a text.
#[derive(Default)]
struct Part {
    /// Its characters, without breaks.
    text: String,
    /// The number of breaks in it.
    breaks: usize,
    /// The number of bytes that it takes, with its breaks.
    len: usize,
}

impl Part {
    /// The bytes from the first on, for as long as they are what a part has at that place, and over
    /// single blanks.
    fn of(bytes: impl Iterator<Item = u8>, max: usize, is_fit: impl Fn(usize, u8) -> bool) -> Self {
        let (mut part, mut breaks) = (Self::default(), 0);
        for (at, byte) in bytes.enumerate() {
            if byte == b' ' && breaks < MAX_BREAKS {
                breaks += 1;
            } else if part.text.len() < max && is_fit(part.text.len(), byte) {
                part.text.push(char::from(byte));
                (part.breaks, part.len) = (breaks, at + 1);
            } else {
                break;
            }
        }
        part
    }

    /// As much as there is of a poll's id at the beginning.
    fn poll(bytes: &[u8]) -> Self {
        Self::of(
            bytes.iter().copied(),
            PollId::TEXT_LEN,
            |at, byte| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            },
        )
    }

    /// As much as there is of an owner's id at the end.
    fn owner(bytes: &[u8]) -> Self {
        let backwards = bytes.iter().rev().copied();
        let mut part = Self::of(backwards, PeerId::TEXT_LEN, |_, byte| is_base32(byte));
        part.text = part.text.chars().rev().collect();
        part
    }

    /// True unless it is broken and what stands next to it could be part of it: then the piece at
    /// its end is one of a word.
    fn is_whole(&self, next: Option<&u8>) -> bool {
        self.breaks == 0 || !next.is_some_and(u8::is_ascii_alphanumeric)
    }
}

const fn is_base32(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'2'..=b'7')
}

/// The rooms that are linked in a plain text, and whether each is certain. Every byte is looked at
/// a few times at most: what reaches from one slash ends a few slashes further.
fn rooms(plain: &[u8]) -> impl Iterator<Item = (Found, bool)> {
    memchr::memchr_iter(b'/', plain).filter_map(|slash| {
        let (before, behind) = (&plain[..slash], &plain[slash + 1..]);
        let (owner, poll) = (Part::owner(before), Part::poll(behind));
        let start = slash - owner.len;
        let is_one = owner.breaks + poll.breaks <= MAX_BREAKS
            && owner.is_whole(before[..start].last())
            && poll.is_whole(behind.get(poll.len));
        let room = is_one.then(|| (owner.text.parse(), poll.text.parse()))?;
        let room = RoomId {
            owner: room.0.ok()?,
            poll_id: room.1.ok()?,
        };
        let invitation = invitation(&behind[poll.len..]);
        let found = Found { room, invitation };
        Some((found, !is_in_encoding(before, start)))
    })
}

/// The invitation behind a room; `None` if nothing there looks like one.
fn invitation(behind: &[u8]) -> Option<Result<InvitationSecret, FindLinkError>> {
    let marker = Part::of(behind.iter().copied(), INVITED.len(), |at, byte| {
        INVITED.as_bytes()[at] == byte
    });
    if marker.text != INVITED {
        return None;
    }
    let behind = &behind[marker.len..];
    let whole = InvitationSecret::TEXT_LEN;
    let secret = Part::of(behind.iter().copied(), whole, |_, byte| is_base32(byte));
    let is_cut = !behind
        .get(secret.len)
        .is_some_and(u8::is_ascii_alphanumeric);
    let missing = whole - secret.text.len();
    Some(match secret.text.parse() {
        _ if missing > 0 && is_cut => Err(FindLinkError::IncompleteInvitation { missing }),
        Ok(invitation) if secret.is_whole(behind.get(secret.len)) && is_cut => Ok(invitation),
        Ok(_) | Err(_) => Err(FindLinkError::DamagedInvitation),
    })
}

/// True if what begins here could be a digit of a percent-encoded byte: of a break within an owner,
/// as a rule, which ends with the same characters as another one.
fn is_in_encoding(plain: &[u8], start: usize) -> bool {
    let is_encoding = |at: Option<usize>| match at.and_then(|at| plain.get(at..at + 3)) {
        Some([b'%', digits @ ..]) => digits.iter().all(u8::is_ascii_hexdigit),
        Some(_) | None => false,
    };
    is_encoding(start.checked_sub(1)) || is_encoding(start.checked_sub(2))
}

/// The fault of a plain text without a room: of the part that is most of a link.
fn missing(plain: &[u8]) -> FindLinkError {
    let mut best = (0, FindLinkError::Nothing);
    // The end and the length of the piece before.
    let mut earlier = (0, 0);
    let mut at = 0;
    while at < plain.len() {
        let len = plain[at..].iter().take_while(|&&it| is_base32(it)).count();
        let end = at + len;
        let is_begun = at > 0 && plain[at - 1].is_ascii_alphanumeric();
        if len > 0 && !is_begun {
            let is_rest = earlier.0 + 1 == at && plain[at - 1] == b' ' && earlier.1 >= MIN_OWNER;
            let rest = if is_rest { earlier.1 } else { 0 };
            if let Some(part) = part(&plain[end..], len, rest).filter(|part| part.0 > best.0) {
                best = part;
            }
            earlier = (end, len);
        }
        at = end + 1;
    }
    best.1
}

/// A piece of an owner's id, `len` bytes and `rest` on the line before, by what stands behind it:
/// how much of a link it is with that, and its fault. `None` if it is nothing of a link.
fn part(behind: &[u8], len: usize, rest: usize) -> Option<(usize, FindLinkError)> {
    let Some(behind) = behind.strip_prefix(b"/").or(behind.strip_prefix(b" /")) else {
        let is_cut = !behind.first().is_some_and(u8::is_ascii_alphanumeric);
        let is_owner = (MIN_OWNER..=PeerId::TEXT_LEN).contains(&len) && is_cut;
        return is_owner.then(|| (len, incomplete(len)));
    };
    let poll = Part::poll(behind);
    let is_cut = match behind.get(poll.len) {
        Some(&next) => !(next == b'-' || next.is_ascii_alphanumeric()),
        None => true,
    };
    let owner = match len + rest {
        both if both <= PeerId::TEXT_LEN => both,
        _ => len,
    };
    let has = owner + 1 + poll.text.len();
    let is_poll = owner >= MIN_CUT.0 && poll.text.len() >= MIN_CUT.1;
    let is_whole = poll.text.len() == PollId::TEXT_LEN;
    match owner == PeerId::TEXT_LEN || is_poll {
        false => None,
        true if owner <= PeerId::TEXT_LEN && has < LINK_LEN && (is_cut || is_whole) => {
            Some((has, incomplete(has)))
        }
        true => Some((has, FindLinkError::Damaged)),
    }
}

const fn incomplete(has: usize) -> FindLinkError {
    FindLinkError::Incomplete {
        missing: LINK_LEN - has,
    }
}
