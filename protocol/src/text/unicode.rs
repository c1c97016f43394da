//! The Unicode data behind the rules of texts: the normal form C, and the form in which two labels
//! are compared.
//!
//! The tables are this crate's own, in `unicode.bin`. Those of a library are three to six times as
//! much to load. They are made of those of ICU4X, which the tests hold them to for every character.
//!
//! Characters that are younger than the tables stay as they are. No version of Unicode changes the
//! normal form of what an earlier one has, so two versions agree on what both know.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::LazyLock;

/// The characters below this one neither change in the normal form C nor combine with others.
const FIRST_MARK: char = '\u{300}';

/// Korean syllables, which are composed by arithmetic: the first of the syllables and of their
/// leading, middle and trailing parts, and how many there are of each.
const LEADS: (u32, u32) = (0x1100, 19);
const VOWELS: (u32, u32) = (0x1161, 21);
/// The first is the absence of one.
const TRAILS: (u32, u32) = (0x11a7, 28);
const SYLLABLES: (u32, u32) = (0xac00, LEADS.1 * VOWELS.1 * TRAILS.1);

static BYTES: &[u8] = include_bytes!("unicode.bin");

static TABLES: LazyLock<Tables> =
    LazyLock::new(|| Tables::read(BYTES).expect("constant bytes, which the tests read, too"));

/// The tables, made of [`BYTES`] for the first text that is more than Latin letters. Rows of one
/// kind for all of them, since each kind is code of its own.
struct Tables {
    /// Non-spacing and enclosing marks, and their canonical combining class.
    marks: Rows,
    /// A character, and the two that it is canonically equivalent to.
    pairs: Rows,
    /// The second characters of pairs that are composed: fewer than a hundred.
    seconds: Rows,
    /// A character, and the one of which it is a duplicate.
    singles: Rows,
    /// Characters, and what they are compared as: of every character, or every second one, the one
    /// as far from the third number; or, where the step is 0, the text there in `texts`.
    folds: Rows,
    texts: &'static str,
}

/// The first and the last character of each row, in ascending order, and two numbers.
type Rows = Vec<[u32; 4]>;

/// The bit of a pair's second character that says that Unicode leaves it in parts.
const IN_PARTS: u32 = 1 << 31;

/// The row of a character.
fn row(rows: &Rows, code: u32) -> Option<&[u32; 4]> {
    let row = rows[..rows.partition_point(|row| row[0] <= code)].last()?;
    (code <= row[1]).then_some(row)
}

impl Tables {
    /// Reads what `tests::bytes` has written; `None` if it is cut short.
    fn read(bytes: &'static [u8]) -> Option<Self> {
        let mut bytes = Column(bytes);
        let mut column = || bytes.column();

        let (mut at, mut marks) = (0, Rows::new());
        let mut runs = column()?;
        while let Some(gap) = runs.next() {
            let first = at + gap;
            at = first + runs.next()?;
            marks.push([first, at, runs.next()?, 0]);
        }

        let (mut at, mut from) = (0, 0);
        let (mut pairs, mut seconds) = (Rows::new(), Rows::new());
        let (mut wholes, mut firsts, mut others) = (column()?, column()?, column()?);
        while let Some(gap) = wholes.next() {
            at += gap >> 1;
            let mut second = others.next()?;
            if gap & 1 == 1 {
                second |= IN_PARTS;
            } else if seconds.iter().all(|known| known[0] != second) {
                seconds.push([second; 4]);
            }
            pairs.push([at, at, firsts.step(&mut from)?, second]);
        }

        let (mut at, mut to, mut singles) = (0, 0, Rows::new());
        let (mut duplicates, mut originals) = (column()?, column()?);
        while let Some(gap) = duplicates.next() {
            at += gap;
            singles.push([at, at, originals.step(&mut to)?, 0]);
        }

        let (mut at, mut to, mut text, mut folds) = (0, 0, 0, Rows::new());
        let (mut heads, mut targets, texts) = (column()?, column()?, column()?);
        while let Some(head) = heads.next() {
            let (first, step, length) = (at + (head >> 2), head & 3, heads.next()?);
            at = first + length * step;
            if step == 0 {
                folds.push([first, first, text, length << 2]);
                text += length;
            } else {
                folds.push([first, at, targets.step(&mut to)?, step]);
            }
        }
        Some(Self {
            marks,
            pairs,
            seconds,
            singles,
            folds,
            texts: str::from_utf8(texts.0).ok()?,
        })
    }
}

/// Numbers of seven bits to a byte, the lowest first; the eighth says that there are more.
struct Column<'a>(&'a [u8]);

impl<'a> Column<'a> {
    fn next(&mut self) -> Option<u32> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u32::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
            shift += 7;
        }
    }

    /// The number before and a difference, whose sign is its lowest bit.
    fn step(&mut self, before: &mut u32) -> Option<u32> {
        let difference = self.next()?;
        let magnitude = difference >> 1;
        *before = before.wrapping_add(if difference & 1 == 0 {
            magnitude
        } else {
            !magnitude
        });
        Some(*before)
    }

    /// The column that begins here, behind its length in bytes.
    fn column(&mut self) -> Option<Column<'a>> {
        let length = self.next()?;
        let (column, rest) = self.0.split_at_checked(length as usize)?;
        self.0 = rest;
        Some(Column(column))
    }
}

/// The canonical combining class of a mark that takes no room of its own; `None` of anything else.
pub(super) fn mark(character: char) -> Option<u8> {
    if character < FIRST_MARK {
        return None;
    }
    let row = row(&TABLES.marks, character.into())?;
    u8::try_from(row[2]).ok()
}

/// The normal form C.
pub(super) fn nfc(text: &str) -> Cow<'_, str> {
    if text.chars().all(|character| character < FIRST_MARK) {
        return Cow::Borrowed(text);
    }
    let mut parts = Parts::default();
    for character in text.chars() {
        parts.decompose(character.into());
    }
    parts.compose();
    Cow::Owned(parts.0.into_iter().map(|(part, _)| part).collect())
}

/// The form in which texts are compared: decomposed, without differences of case, width or style.
pub(super) fn folded(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let mut parts = Parts::default();
    for character in text {
        parts.decompose(character.into());
    }
    // In two steps: the iota below a Greek letter is compared as a letter of its own, behind all
    // marks.
    let mut folded = Parts::default();
    for (part, _) in parts.0 {
        folded.fold(part);
    }
    folded.0.into_iter().map(|(part, _)| part)
}

/// Characters with their combining classes, in canonical order.
#[derive(Default)]
struct Parts(Vec<(char, u8)>);

impl Parts {
    fn push(&mut self, character: char) {
        let class = mark(character).unwrap_or(0);
        let mut at = self.0.len();
        if class != 0 {
            while at > 0 && self.0[at - 1].1 > class {
                at -= 1;
            }
        }
        self.0.insert(at, (character, class));
    }

    /// Adds a character of the tables.
    fn push_code(&mut self, code: u32) {
        self.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    }

    /// Adds the canonical decomposition of a character.
    fn decompose(&mut self, code: u32) {
        // As most are; and a text of them alone needs no tables.
        if code < 0x80 {
            return self.push_code(code);
        }
        if let Some(&[_, _, first, second]) = row(&TABLES.pairs, code) {
            self.decompose(first);
            self.decompose(second & !IN_PARTS);
        } else if let Some(&[_, _, original, _]) = row(&TABLES.singles, code) {
            self.decompose(original);
        } else if let Some(index) = place(code, SYLLABLES) {
            self.push_code(LEADS.0 + index / TRAILS.1 / VOWELS.1);
            self.push_code(VOWELS.0 + index / TRAILS.1 % VOWELS.1);
            if index % TRAILS.1 != 0 {
                self.push_code(TRAILS.0 + index % TRAILS.1);
            }
        } else {
            self.push_code(code);
        }
    }

    /// Adds what a decomposed character is compared as.
    fn fold(&mut self, part: char) {
        if part.is_ascii() {
            return self.push(part.to_ascii_lowercase());
        }
        let code = u32::from(part);
        match row(&TABLES.folds, code) {
            Some(&[_, _, start, length]) if length & 3 == 0 => {
                let text = start as usize..(start + (length >> 2)) as usize;
                for part in TABLES.texts[text].chars() {
                    self.push(part);
                }
            }
            Some(&[first, _, to, step]) => {
                let distance = code - first;
                let is_one = distance.is_multiple_of(step);
                self.push_code(if is_one { to + distance } else { code });
            }
            None => self.push(part),
        }
    }

    /// Composes each starter with what follows it and is not blocked.
    fn compose(&mut self) {
        let mut composed: Vec<(char, u8)> = Vec::with_capacity(self.0.len());
        let mut starter: Option<usize> = None;
        for (character, class) in std::mem::take(&mut self.0) {
            if let Some(at) = starter {
                let (is_next, before) = (composed.len() == at + 1, composed[composed.len() - 1].1);
                if (is_next || before < class)
                    && let Some(whole) = join(composed[at].0, character)
                {
                    composed[at].0 = whole;
                    continue;
                }
            }
            if class == 0 {
                starter = Some(composed.len());
            }
            composed.push((character, class));
        }
        self.0 = composed;
    }
}

/// The place of a character in a range, given by its first one and its length.
fn place(code: u32, (start, count): (u32, u32)) -> Option<u32> {
    code.checked_sub(start).filter(|place| *place < count)
}

/// True if a character is the second of any pair. Nearly none is, and a look at all pairs costs
/// more.
fn is_second(code: u32) -> bool {
    TABLES.seconds.iter().any(|known| known[0] == code)
}

/// The character that two are composed to.
fn join(first: char, second: char) -> Option<char> {
    let (first, second) = (u32::from(first), u32::from(second));
    if let (Some(lead), Some(vowel)) = (place(first, LEADS), place(second, VOWELS)) {
        return char::from_u32(SYLLABLES.0 + (lead * VOWELS.1 + vowel) * TRAILS.1);
    }
    if let (Some(syllable), Some(trail)) = (place(first, SYLLABLES), place(second, TRAILS))
        && syllable.is_multiple_of(TRAILS.1)
        && trail != 0
    {
        return char::from_u32(first + trail);
    }
    if !is_second(second) {
        return None;
    }
    let pair = TABLES
        .pairs
        .iter()
        .find(|pair| pair[2..] == [first, second]);
    char::from_u32(pair?[0])
}
