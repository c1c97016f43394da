//! Ids and texts as they may stand in a log, which more people read than are in a room.

use std::fmt::{self, Write};

/// The beginning of an id: 8 characters, which tell people and polls apart in a log, and are too
/// few to reach one by.
///
/// Of an id that is no longer than that nothing is shown, as it would be shown whole. So is
/// anything in a stranger's id that none of this crate's has: it could write lines of its own.
///
/// ```
/// use hustings_protocol::{PeerId, Short};
///
/// let peer = PeerId::from_bytes([1; 32]);
/// assert!(peer.to_string().starts_with("aeaqcaibaeaqcaib"));
/// assert_eq!(Short::of(peer).to_string(), "aeaqcaib");
/// assert_eq!(Short::of("me").to_string(), "…");
/// assert_eq!(Short::of("\u{1b}[2J or so").to_string(), "?[2J?or?");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Short {
    beginning: [u8; Self::LEN],
    is_longer: bool,
}

impl Short {
    /// The number of characters.
    pub const LEN: usize = 8;

    /// The beginning of an id's text form. Of an [`Address`](crate::Address) it is the person's.
    #[must_use]
    pub fn of(id: impl fmt::Display) -> Self {
        let mut taken = Taken {
            short: Self {
                beginning: [b'?'; Self::LEN],
                is_longer: false,
            },
            len: 0,
        };
        // It ends with an error once it has enough.
        let _ = write!(taken, "{id}");
        taken.short
    }
}

/// A [`Short`] that is being filled.
struct Taken {
    short: Short,
    len: usize,
}

impl Write for Taken {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let Some(place) = self.short.beginning.get_mut(self.len) else {
                self.short.is_longer = true;
                return Err(fmt::Error);
            };
            // What is none stays the question mark that is there.
            if let Ok(byte) = u8::try_from(character)
                && byte.is_ascii_graphic()
            {
                *place = byte;
            }
            self.len += 1;
        }
        Ok(())
    }
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_longer {
            return f.write_char('…');
        }
        for byte in self.beginning {
            f.write_char(char::from(byte))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text of an error, which may come from elsewhere, for a log: 160 characters at most, on one
/// line, and of each word that is as long as an id, a token or a secret only what [`Short`] shows.
///
/// ```
/// use hustings_protocol::{Excerpt, PeerId};
///
/// let peer = PeerId::from_bytes([1; 32]);
/// let text = format!("the journal of {peer}/5f0c9f60-3f3c-4b3e-9d2f-0a1b2c3d4e5f\nis damaged");
/// let excerpt = Excerpt(&text).to_string();
/// assert_eq!(excerpt, "the journal of aeaqcaib…/5f0c9f60… is damaged");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Excerpt<'a>(pub &'a str);

impl Excerpt<'_> {
    /// The longest excerpt, in characters.
    pub const LEN: usize = 160;
    /// The longest word that is shown whole. An invitation's secret has 26 characters.
    const WORD: usize = 20;
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_in_word = |character: char| character.is_alphanumeric() || "-_".contains(character);
        let mut rest = self.0;
        let mut left = Self::LEN;
        while let Some(first) = rest.chars().next() {
            let end = match rest.find(|character| !is_in_word(character)) {
                Some(0) => first.len_utf8(),
                Some(end) => end,
                None => rest.len(),
            };
            let (piece, after) = rest.split_at(end);
            rest = after;
            let is_long = piece.chars().nth(Self::WORD).is_some();
            let shown = if is_long { Short::LEN } else { Self::WORD };
            for character in piece.chars().take(shown) {
                if left == 0 {
                    return f.write_char('…');
                }
                left -= 1;
                f.write_char(if character.is_control() {
                    ' '
                } else {
                    character
                })?;
            }
            if is_long {
                f.write_char('…')?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_never_shown_whole() {
        for (id, shown) in [
            ("", "…"),
            ("12345678", "…"),
            ("123456789", "12345678"),
            ("ünïcödé-id", "?n?c?d?-"),
        ] {
            assert_eq!(Short::of(id).to_string(), shown);
            assert_eq!(format!("{:?}", Short::of(id)), shown);
        }
    }

    #[test]
    fn an_excerpt_has_an_end_and_one_line() {
        let shown = |text: &str| Excerpt(text).to_string();
        assert_eq!(shown(""), "");
        assert_eq!(shown("no space left on device"), "no space left on device");
        assert_eq!(shown(&"é ".repeat(200)).chars().count(), Excerpt::LEN + 1);
        assert_eq!(shown(&"a".repeat(20)), "a".repeat(20));
        assert_eq!(shown(&"a".repeat(21)), "aaaaaaaa…");
        assert_eq!(shown("a\r\n\u{1b}[2Jb"), "a   [2Jb");
    }
}
