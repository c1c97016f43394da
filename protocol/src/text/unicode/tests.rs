//! The tables against ICU4X, for every character.

use std::fs;
use std::path::Path;

use icu_casemap::CaseMapper;
use icu_normalizer::properties::{CanonicalCombiningClassMap, CanonicalDecomposition, Decomposed};
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;
use proptest::prelude::*;

use super::*;

/// Every character that somebody has given a meaning.
fn every_character() -> impl Iterator<Item = char> {
    let (unassigned, private) = (GeneralCategory::Unassigned, GeneralCategory::PrivateUse);
    let category = CodePointMapData::<GeneralCategory>::new();
    ('\0'..=char::MAX).filter(move |it| ![unassigned, private].contains(&category.get(*it)))
}

fn nfd(text: &str) -> String {
    DecomposingNormalizer::new_nfd()
        .normalize(text)
        .into_owned()
}

fn icu_nfc(text: &str) -> String {
    ComposingNormalizer::new_nfc().normalize(text).into_owned()
}

/// The text that is left when nothing more changes by folding the case or the style.
fn icu_folded(text: &str) -> String {
    let nfkd = |text: &str| {
        DecomposingNormalizer::new_nfkd()
            .normalize(text)
            .into_owned()
    };
    let mut folded = nfkd(text);
    loop {
        let again = nfkd(&CaseMapper::new().fold_string(&folded));
        if again == folded {
            return folded;
        }
        folded = again;
    }
}

/// The class of what is a mark in the tables.
fn icu_mark(character: char) -> Option<u8> {
    let class = CanonicalCombiningClassMap::new().get_u8(character);
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    let is_mark = matches!(
        category,
        GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark
    );
    (is_mark || class != 0).then_some(class)
}

// Writing.

#[derive(Default)]
struct Numbers(Vec<u8>);

impl Numbers {
    fn push(&mut self, mut number: u32) {
        while number > 0x7f {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn step(&mut self, before: &mut u32, to: u32) {
        let magnitude = to.abs_diff(*before);
        self.push(if to < *before {
            (magnitude - 1) << 1 | 1
        } else {
            magnitude << 1
        });
        *before = to;
    }
}

/// The content that `unicode.bin` has to have.
fn bytes() -> Vec<u8> {
    let mut columns = marks();
    columns.extend(decompositions());
    columns.extend(folds());
    let mut bytes = Numbers::default();
    for column in columns {
        bytes.push(column.len() as u32);
        bytes.0.extend(column);
    }
    bytes.0
}

fn marks() -> Vec<Vec<u8>> {
    let mut runs: Vec<(u32, u32, u8)> = Vec::new();
    for character in every_character() {
        let Some(class) = icu_mark(character) else {
            continue;
        };
        let code = u32::from(character);
        match runs.last_mut() {
            Some((_, last, of)) if *last + 1 == code && *of == class => *last = code,
            _ => runs.push((code, code, class)),
        }
    }
    let (mut column, mut at) = (Numbers::default(), 0);
    for (first, last, class) in runs {
        column.push(first - at);
        column.push(last - first);
        column.push(class.into());
        at = last;
    }
    vec![column.0]
}

fn decompositions() -> Vec<Vec<u8>> {
    let data = CanonicalDecomposition::new();
    let [
        mut wholes,
        mut firsts,
        mut seconds,
        mut duplicates,
        mut originals,
    ] = [(); 5].map(|()| Numbers::default());
    let (mut whole, mut first, mut duplicate, mut original) = (0, 0, 0, 0);
    for character in every_character().filter(|it| !('\u{ac00}'..='\u{d7a3}').contains(it)) {
        let code = u32::from(character);
        match data.decompose(character) {
            Decomposed::Default => {}
            Decomposed::Singleton(other) => {
                duplicates.push(code - duplicate);
                duplicate = code;
                originals.step(&mut original, other.into());
            }
            Decomposed::Expansion(one, two) => {
                let is_composed = icu_nfc(&character.to_string()) == character.to_string();
                wholes.push((code - whole) << 1 | u32::from(!is_composed));
                whole = code;
                firsts.step(&mut first, one.into());
                seconds.push(two.into());
            }
        }
    }
    [wholes, firsts, seconds, duplicates, originals]
        .map(|column| column.0)
        .into()
}

fn folds() -> Vec<Vec<u8>> {
    struct Run {
        first: u32,
        last: u32,
        step: u32,
        to: String,
    }
    let mut runs: Vec<Run> = Vec::new();
    for character in every_character() {
        let text = character.to_string();
        let to = icu_folded(&text);
        // What is decomposed first is folded part by part.
        if to == text || nfd(&text) != text {
            continue;
        }
        let code = u32::from(character);
        if let Some(run) = runs.last_mut()
            && let (Some(from), None) = (run.to.chars().next(), run.to.chars().nth(1))
        {
            let (length, step) = (code - run.first, code - run.last);
            let next = char::from_u32(u32::from(from) + length).map(String::from);
            if (run.first == run.last && step <= 2 || step == run.step)
                && Some(&to) == next.as_ref()
            {
                (run.last, run.step) = (code, step);
                continue;
            }
        }
        runs.push(Run {
            first: code,
            last: code,
            step: 1,
            to,
        });
    }
    let (mut heads, mut targets, mut texts) = (Numbers::default(), Numbers::default(), Vec::new());
    let (mut at, mut target) = (0, 0);
    for run in runs {
        let gap = run.first - at;
        let mut characters = run.to.chars();
        if let (Some(one), None) = (characters.next(), characters.next()) {
            heads.push(gap << 2 | run.step);
            heads.push((run.last - run.first) / run.step);
            targets.step(&mut target, one.into());
        } else {
            heads.push(gap << 2);
            heads.push(run.to.len() as u32);
            texts.extend(run.to.bytes());
        }
        at = run.last;
    }
    vec![heads.0, targets.0, texts]
}

// Reading.

/// `HUSTINGS_BLESS=1` writes the file anew.
#[test]
fn the_tables_are_those_of_icu() {
    let made = bytes();
    if std::env::var_os("HUSTINGS_BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/text/unicode.bin");
        fs::write(path, &made).unwrap();
    } else {
        assert!(made == BYTES, "unicode.bin is not what ICU4X's tables make");
    }
    assert!(Tables::read(BYTES).is_some());
}

#[test]
fn every_character_has_the_marks_and_forms_that_icu_gives_it() {
    for character in every_character() {
        let code = u32::from(character);
        assert_eq!(mark(character), icu_mark(character), "U+{code:04X}");
        let text = character.to_string();
        assert_eq!(nfc(&text), icu_nfc(&text), "U+{code:04X}");
        assert_eq!(nfc(&nfd(&text)), icu_nfc(&text), "U+{code:04X} in parts");
        let folded: String = folded(text.chars()).collect();
        assert_eq!(folded, icu_folded(&text), "U+{code:04X}");
    }
}

/// Texts of what composes, blocks and changes places.
fn any_tangle() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => any::<char>(),
        4 => proptest::char::range('\u{300}', '\u{345}'),
        2 => proptest::char::range('A', 'Z'),
        1 => proptest::char::range('\u{1100}', '\u{11ff}'),
        1 => proptest::char::range('\u{ac00}', '\u{d7a3}'),
        1 => proptest::char::range('\u{900}', '\u{e00}'),
        1 => proptest::char::range('\u{f00}', '\u{fff}'),
        1 => proptest::char::range('\u{1e00}', '\u{1fff}'),
    ];
    proptest::collection::vec(character, 0..12).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn texts_have_the_forms_that_icu_gives_them(text in any_tangle()) {
        prop_assert_eq!(nfc(&text), icu_nfc(&text));
        let parts = nfd(&text);
        prop_assert_eq!(nfc(&parts), icu_nfc(&text));
        let folded: String = folded(text.chars()).collect();
        prop_assert_eq!(folded, icu_folded(&text));
    }
}
