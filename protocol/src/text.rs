//! Texts: the titles, labels and names that people write and others see.
//!
//! A text is what is seen of it. Whoever sends one brings it into its [normal form](normalised)
//! first; the owner of a poll rejects one that is not, or that breaks the rules below, with
//! [`BadText`](ErrorCode::BadText), and a label that looks like another one of the poll with
//! [`LabelExists`](ErrorCode::LabelExists). Only what is new is held to this, see
//! [`Poll::decide`](crate::Poll::decide): a poll that is stored or comes from its owner keeps the
//! texts that it has.
//!
//! | characters | in a text | when labels are compared |
//! |---|---|---|
//! | letters, digits, symbols, emoji, right-to-left scripts, and what Unicode has yet to assign | as they are | without case, width and style: NFKD and case folding |
//! | blanks: white space, and the blank U+2800 of braille, U+1D159 of music, U+13441–2 of hieroglyphs | between others; at the ends the sender takes them off | several are one |
//! | joiners U+200C and U+200D, variation selectors (U+FE00–F, U+E0100–1EF, Mongolian U+180B–F), U+034F: scripts and emoji need them | anywhere | left out |
//! | the marks U+200E, U+200F and U+061C: they order what stands beside them, and nothing beyond the text | anywhere | left out |
//! | soft hyphen U+00AD, U+200B and U+2060, which say where a line may end: Khmer and Thai need them | between others; at the ends the sender takes them off | left out |
//! | combining marks | behind what they stand on, at most [`MAX_MARKS`] in a row | in canonical order |
//! | tags U+E0020–7F | in the flags of England, Scotland and Wales | as they are |
//! | line breaks U+000A–D, U+0085, U+2028–9; all other controls | never | |
//! | embeddings, overrides and isolates U+202A–E, U+2066–9, and the deprecated U+206A–F: they turn what stands around a text, or end what an app puts around it | never | |
//! | fillers and what else cannot be seen: U+115F–60, U+3164, U+FFA0, U+17B4–5, U+2061–5, U+FEFF, U+FFF0–8, U+1BCA0–3, U+1D173–A, all other tags | never; at the ends the sender takes U+FEFF off | |
//! | annotations and objects U+FFF9–C, private use, noncharacters: they mean nothing to others | never | |
//!
//! A text begins with something that can be seen; marks of direction may come before it. Lengths
//! are counted in characters, not in what looks like one: a family emoji can be eleven. Nothing
//! here ever shortens a text.
//!
//! An app shows the texts of others apart from its own, so that their direction ends where they do:
//! in an element of its own (`<bdi>`), or, within a sentence, [`isolated`].

mod unicode;

use std::borrow::Cow;
use std::sync::Arc;

use crate::planted::{self, Fault};
use crate::{ErrorCode, PollOption, Rejection};

/// The most combining marks in a row. Unicode's stream-safe form has 30, "significantly beyond" any
/// language; the longest stacks in use, of Tibetan, have 8, and ten already reach into the line
/// above.
pub const MAX_MARKS: usize = 10;

/// The longest label that a sentence repeats, in characters: it stays below the 300 at which a
/// sentence is cut, which would leave an isolate without its end.
const MAX_QUOTED: usize = 200;

/// The tags behind U+1F3F4 in the flags that need them.
const FLAGS: [&str; 3] = [
    "\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
];
const BLACK_FLAG: char = '\u{1f3f4}';

/// The part of a character in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Something to see, or a mark on it.
    Seen,
    Blank,
    /// Part of how others look.
    Unseen,
    /// No part of a text, for this reason.
    Refused(&'static str),
}

const LINE_BREAK: Kind = Kind::Refused("ends a line");
const CONTROL: Kind = Kind::Refused("is a control character");
const TURNS: Kind = Kind::Refused("turns the direction of the text around it");
const INVISIBLE: Kind = Kind::Refused("cannot be seen");
const NO_TEXT: Kind = Kind::Refused("means nothing to others");

impl Kind {
    fn of(character: char) -> Self {
        match character {
            '!'..='~' => Self::Seen,
            '\n'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => LINE_BREAK,
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => CONTROL,
            '\u{2800}' | '\u{13441}' | '\u{13442}' | '\u{1d159}' => Self::Blank,
            _ if character.is_whitespace() => Self::Blank,
            '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2060}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{e0100}'..='\u{e01ef}' => Self::Unseen,
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' => TURNS,
            '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{2061}'..='\u{2065}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}' => INVISIBLE,
            '\u{e000}'..='\u{f8ff}'
            | '\u{fdd0}'..='\u{fdef}'
            | '\u{fff9}'..='\u{fffc}'
            | '\u{f0000}'.. => NO_TEXT,
            _ if u32::from(character) & 0xfffe == 0xfffe => NO_TEXT,
            _ => Self::Seen,
        }
    }
}

/// The normal form of a text: without blanks and invisible breaks at its ends, in Unicode's normal
/// form C. What somebody typed may be given to the library as it is: commands and drafts are
/// brought into this form before they are checked, sent or stored.
///
/// ```
/// use hustings_protocol::text::normalised;
///
/// assert_eq!(normalised(" Cafe\u{301}\n"), "Café");
/// ```
#[must_use]
pub fn normalised(text: &str) -> Cow<'_, str> {
    unicode::nfc(trimmed(text))
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|character| match character {
        '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' => true,
        _ => character.is_whitespace() || Kind::of(character) == Kind::Blank,
    })
}

/// True of characters that are there and are not seen: a link between them is still the same.
pub(crate) fn is_unseen(character: char) -> bool {
    let kind = Kind::of(character);
    kind == Kind::Unseen || kind == TURNS || kind == INVISIBLE
}

/// A text of somebody else's for a sentence of one's own: between the characters that isolate its
/// direction (FSI and PDI), and without any that could end the isolation, or the line.
///
/// ```
/// use hustings_protocol::text::isolated;
///
/// assert_eq!(isolated("Te\u{202e}a\n"), "\u{2068}Tea \u{2069}");
/// ```
#[must_use]
pub fn isolated(text: &str) -> String {
    let mut isolated = String::from('\u{2068}');
    isolated.extend(text.chars().filter_map(|character| {
        let kind = Kind::of(character);
        match kind {
            _ if kind == TURNS => None,
            _ if kind == LINE_BREAK || kind == CONTROL => Some(' '),
            Kind::Seen | Kind::Blank | Kind::Unseen | Kind::Refused(_) => Some(character),
        }
    }));
    isolated.push('\u{2069}');
    isolated
}

/// Checks a new text. `what` names it in the sentence.
pub(crate) fn check(what: &str, text: &str) -> Result<(), Rejection> {
    if planted::is_on(Fault::InvisibleText) {
        return Ok(());
    }
    let refuse = |why: String| Err(Rejection::new(ErrorCode::BadText, format!("{what} {why}")));
    let mut rest = text.chars();
    let (mut is_seen, mut marks) = (false, 0);
    while let Some(character) = rest.next() {
        match Kind::of(character) {
            Kind::Refused(why) => {
                let code = u32::from(character);
                return refuse(format!("has the character U+{code:04X}, which {why}"));
            }
            Kind::Blank => marks = 0,
            // No limit is evaded by one between two marks.
            Kind::Unseen => {}
            Kind::Seen if unicode::mark(character).is_some() => {
                marks += 1;
                if !is_seen {
                    return refuse("begins with a mark that stands on another character".into());
                }
                if marks > MAX_MARKS {
                    return refuse(format!("has more than {MAX_MARKS} marks in a row"));
                }
            }
            Kind::Seen => (is_seen, marks) = (true, 0),
        }
        if character == BLACK_FLAG {
            let flag = FLAGS
                .iter()
                .find_map(|tags| rest.as_str().strip_prefix(tags));
            rest = flag.unwrap_or(rest.as_str()).chars();
        }
    }
    if !is_seen {
        return refuse("is empty: nothing in it can be seen".into());
    }
    if trimmed(text) != text {
        return refuse("begins or ends with a blank".into());
    }
    if normalised(text) != text {
        return refuse("is not in Unicode's normal form C".into());
    }
    Ok(())
}

/// The form in which labels are compared.
fn key(text: &str) -> String {
    let seen = text.chars().filter(|it| Kind::of(*it) != Kind::Unseen);
    let mut key = String::with_capacity(text.len());
    for character in unicode::folded(seen) {
        if Kind::of(character) != Kind::Blank {
            key.push(character);
        } else if !key.is_empty() && !key.ends_with(' ') {
            key.push(' ');
        }
    }
    if key.ends_with(' ') {
        key.pop();
    }
    key
}

/// The labels of a poll as they are compared, in the order of its options, as far as they were
/// asked for. It is no part of the poll's value.
///
/// It relies on that options are only ever added at the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Labels(Arc<Vec<String>>);

impl PartialEq for Labels {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Labels {}

impl Labels {
    /// Checks that no option has a label like this new one.
    pub(crate) fn check_new(
        &mut self,
        options: &[PollOption],
        label: &str,
    ) -> Result<(), Rejection> {
        if planted::is_on(Fault::SameLabels) {
            return Ok(());
        }
        let unknown = options.get(self.0.len()..).unwrap_or_default();
        if !unknown.is_empty() {
            Arc::make_mut(&mut self.0).extend(unknown.iter().map(|option| key(&option.label)));
        }
        let label = key(label);
        let same = self.0.iter().zip(options).find(|(key, _)| **key == label);
        let Some((_, same)) = same else {
            return Ok(());
        };
        let mut message = "this poll already has such an option".to_owned();
        if same.label.chars().nth(MAX_QUOTED).is_none() {
            message = format!(
                "this poll already has the option “{}”",
                isolated(&same.label)
            );
        }
        Err(Rejection::new(ErrorCode::LabelExists, message))
    }
}
