//! Titles, labels and names: what people see, refused where that is nothing, or the same twice.

#![allow(
    clippy::unwrap_used,
    reason = "the lint lets tests unwrap, but does not know their helpers"
)]

mod common;

use std::borrow::Cow;
use std::collections::BTreeSet;

use hustings_protocol::text::{MAX_MARKS, isolated, normalised};
use hustings_protocol::{
    Command, Epoch, ErrorCode, Limits, Message, OptionAdd, OptionId, Poll, PollDraft, Position,
    Rejection, Revision, UserProfile,
};
use proptest::prelude::*;

use common::messages::any_text;
use common::{config, option_id, peer, poll_id};

const ALICE: u8 = 0;
const BOB: u8 = 1;

fn limits() -> Limits {
    Limits::default()
}

fn new_poll(draft: PollDraft) -> Result<Poll, Rejection> {
    let mut ids = (0..).map(option_id);
    let next = || ids.next().unwrap();
    Poll::new(poll_id(1), peer(ALICE), draft, next, &limits())
}

fn poll_of(labels: &[&str]) -> Result<Poll, Rejection> {
    new_poll(
        PollDraft::new("Which?")
            .options(labels.iter().copied())
            .voters_may_add_options(true),
    )
}

fn add(option: u8, label: &str) -> Command {
    Command::AddOption(OptionAdd {
        poll_id: poll_id(1),
        option_id: option_id(option),
        label: label.to_owned(),
    })
}

fn name(name: &str) -> Command {
    Command::SetProfile(UserProfile {
        name: name.to_owned(),
    })
}

/// The owner's answer to a text, which is the same wherever the text stands.
fn said(text: &str) -> Result<(), ErrorCode> {
    let code = |result: Result<(), Rejection>| result.map_err(|rejection| rejection.code);
    let decide = |command: &Command| {
        let mut poll = poll_of(&[]).unwrap();
        let (before, checked) = (poll.clone(), code(command.check_text()));
        let decided = code(poll.decide(peer(BOB), command, &limits()));
        assert_eq!(decided.is_err(), poll == before, "{text:?}");
        // Its sender knows before it is sent.
        assert_eq!(checked, decided, "{text:?}");
        decided
    };
    let label = decide(&add(1, text));
    assert_eq!(decide(&name(text)), label, "{text:?} as a name");
    label
}

/// The answer to somebody who types this as a title, a label or a name.
fn typed(text: &str) -> Result<(), ErrorCode> {
    let code = |result: Result<_, Rejection>| result.map(drop).map_err(|rejection| rejection.code);
    let title = code(new_poll(PollDraft::new(text)));
    assert_eq!(code(poll_of(&[text])), title, "{text:?} as a label");
    assert_eq!(said(&normalised(text)), title, "{text:?} sent");
    title
}

/// True if the second label is told from the first.
fn same(one: &str, other: &str) -> bool {
    let drafted = poll_of(&[one, other]);
    let mut poll = poll_of(&[one]).unwrap();
    let added = poll.decide(peer(BOB), &add(9, other).normalised(), &limits());
    assert_eq!(drafted.is_err(), added.is_err(), "{one:?}, {other:?}");
    match added {
        Ok(()) => false,
        Err(rejection) => {
            assert_eq!(rejection.code, ErrorCode::LabelExists, "{one:?}, {other:?}");
            assert_eq!(drafted.unwrap_err(), rejection);
            true
        }
    }
}

// Texts that nobody can see.

#[test]
fn a_text_of_nothing_that_can_be_seen_is_refused() {
    for text in [
        "",
        " ",
        "\n\t",
        "\u{7}",
        "\u{ad}",
        "\u{34f}",
        "\u{61c}",
        "\u{115f}",
        "\u{1160}",
        "\u{17b4}",
        "\u{180e}",
        "\u{200b}",
        "\u{200d}",
        "\u{200e}",
        "\u{2028}",
        "\u{202e}",
        "\u{2060}",
        "\u{2062}",
        "\u{2066}",
        "\u{2800}",
        "\u{3000}",
        "\u{3164}",
        "\u{fe0f}",
        "\u{feff}",
        "\u{ffa0}",
        "\u{fff4}",
        "\u{fffb}",
        "\u{fffc}",
        "\u{13441}",
        "\u{1d159}",
        "\u{1d173}",
        "\u{e0001}",
        "\u{e0067}",
        "\u{e0101}",
        "\u{200f} \u{2800}\u{200b}\u{200d}",
    ] {
        assert_eq!(typed(text), Err(ErrorCode::BadText), "{text:?}");
        assert_eq!(said(text), Err(ErrorCode::BadText), "{text:?}");
    }
}

#[test]
fn a_text_is_one_line_without_controls_and_turns_nothing_around_it() {
    for inside in [
        '\0',
        '\u{7}',
        '\t',
        '\n',
        '\r',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{9b}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202b}',
        '\u{202c}',
        '\u{202d}',
        '\u{202e}',
        '\u{2066}',
        '\u{2067}',
        '\u{2068}',
        '\u{2069}',
        '\u{206a}',
        '\u{206f}',
        '\u{115f}',
        '\u{3164}',
        '\u{feff}',
        '\u{fff9}',
        '\u{fffc}',
        '\u{e000}',
        '\u{f8ff}',
        '\u{fdd0}',
        '\u{ffff}',
        '\u{1fffe}',
        '\u{e0001}',
        '\u{e0067}',
        '\u{100000}',
    ] {
        let text = format!("Te{inside}a");
        assert_eq!(typed(&text), Err(ErrorCode::BadText), "{text:?}");
    }
}

#[test]
fn the_sentence_names_the_character() {
    let why = |text: &str| name(text).check_text().unwrap_err().message.to_string();
    let turns =
        "the name has the character U+202E, which turns the direction of the text around it";
    assert_eq!(why("a\u{202e}b"), turns);
    assert_eq!(
        why("a\nb"),
        "the name has the character U+000A, which ends a line"
    );
    assert_eq!(
        why("\u{3164}"),
        "the name has the character U+3164, which cannot be seen"
    );
    assert_eq!(
        why("\u{200d}"),
        "the name is empty: nothing in it can be seen"
    );
    assert_eq!(why("A "), "the name begins or ends with a blank");
    assert_eq!(
        why("e\u{301}"),
        "the name is not in Unicode's normal form C"
    );
}

// Texts that are left alone.

#[test]
fn scripts_and_emoji_are_as_they_were_typed() {
    for text in [
        "Smørrebrød, naïve — “quoted” 50 %",
        // Arabic, Hebrew, and both with marks that order what stands beside them.
        "فاطمة الزهراء",
        "דָּוִד בֶּן־גּוּרִיּוֹן",
        "\u{200f}C++\u{200f} או Rust\u{200e}!",
        "\u{61c}١٢٣ - ٤٥٦",
        // Joiners: Persian, a letter's beginning form, Sinhala, Malayalam, Bengali, Marathi.
        "می\u{200c}خواهم",
        "ه\u{200d}",
        "ශ්\u{200d}රී ලංකා",
        "അവന്\u{200d}",
        "র\u{200d}্যাব",
        "र\u{94d}\u{200d}\u{92f}",
        // A line may end here in Khmer; Mongolian's separator and variation; a name's variant.
        "ភាសា\u{200b}ខ្មែរ",
        "ᠬᠠᠷ\u{180e}ᠠ ᠨ\u{180b}",
        "葛\u{e0100}城",
        // Emoji: a family, a keycap, a heart of text and of colour, flags, skin, a rainbow.
        "👨\u{200d}👩\u{200d}👧\u{200d}👦",
        "1\u{fe0f}\u{20e3}",
        "❤\u{fe0e} ❤\u{fe0f}\u{200d}🔥",
        "🇪🇺",
        "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f} won",
        "👍🏽",
        "🏳\u{fe0f}\u{200d}🌈",
        // The longest stack of Tibetan, Hebrew with accents, Vietnamese, a sound of phonetics.
        "ཧྐྵྨླྺྼྻྂ",
        "בְּרֵאשִׁ֖ית",
        "Nguyễn Thị Tuyết",
        "t\u{361}s\u{32a}\u{30b}",
        // What this version of Unicode does not know.
        "\u{1fbff}",
    ] {
        let text = &*normalised(text);
        assert_eq!(typed(text), Ok(()), "{text:?}");
        let poll = poll_of(&[text]).unwrap();
        assert_eq!(poll.options()[0].label, text);
    }
}

#[test]
fn a_flag_of_tags_is_one_of_three() {
    let flag = |letters: &str| {
        let tags = letters
            .bytes()
            .map(|letter| char::from_u32(0xe0000 + u32::from(letter)).unwrap());
        format!("🏴{}", tags.collect::<String>())
    };
    for letters in ["gbeng\u{7f}", "gbsct\u{7f}", "gbwls\u{7f}"] {
        assert_eq!(typed(&flag(letters)), Ok(()), "{letters}");
    }
    for letters in ["gbeng", "gbxyz\u{7f}", "\u{7f}", "gbeng\u{7f}gbsct\u{7f}"] {
        assert_eq!(
            typed(&flag(letters)),
            Err(ErrorCode::BadText),
            "{letters:?}"
        );
    }
    assert!(!same(&flag("gbeng\u{7f}"), &flag("gbwls\u{7f}")));
    assert!(!same(&flag("gbeng\u{7f}"), "🏴"));
}

#[test]
fn marks_stand_on_something_and_do_not_pile_up() {
    let marked = |marks: usize| format!("q{}", "\u{323}\u{e47}".repeat(marks / 2));
    assert_eq!(typed(&marked(MAX_MARKS)), Ok(()));
    assert_eq!(typed(&marked(MAX_MARKS + 2)), Err(ErrorCode::BadText));
    let joined = marked(MAX_MARKS) + "\u{34f}\u{200d}\u{301}";
    assert_eq!(
        typed(&joined),
        Err(ErrorCode::BadText),
        "joiners are no way around it"
    );
    for alone in [
        "\u{301}",
        "\u{301}a",
        "\u{20e3}",
        "\u{200f}\u{301}a",
        " \u{301}a",
    ] {
        assert_eq!(typed(alone), Err(ErrorCode::BadText), "{alone:?}");
    }
}

// Lengths.

#[test]
fn lengths_are_counted_in_characters_and_nothing_is_cut() {
    let cups = "☕".repeat(300);
    assert_eq!(new_poll(PollDraft::new(&cups)).unwrap().title(), cups);
    let too_long = new_poll(PollDraft::new("☕".repeat(301))).unwrap_err();
    assert_eq!(too_long.code, ErrorCode::TooLong);

    let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
    let nine = family.repeat(9);
    let mut poll = poll_of(&[]).unwrap();
    assert_eq!(poll.decide(peer(BOB), &name(&nine), &limits()), Ok(()));
    assert_eq!(
        poll.member(peer(BOB))
            .unwrap()
            .profile
            .as_ref()
            .unwrap()
            .name,
        nine
    );
    let ten = poll.decide(peer(BOB), &name(&family.repeat(10)), &limits());
    assert_eq!(ten.unwrap_err().code, ErrorCode::TooLong);
}

// The normal form.

#[test]
fn senders_bring_texts_into_their_normal_form_and_owners_insist_on_it() {
    for (raw, expected) in [
        (" Tea\u{3000}\n", "Tea"),
        ("\u{feff}Tea\u{200b}\u{2800}", "Tea"),
        ("Cafe\u{301}", "Café"),
        ("\u{1112}\u{1161}\u{11ab}", "한"),
        ("\u{212b}", "Å"),
        ("a\u{301}\u{323}", "ạ\u{301}"),
        ("C++\u{200f}", "C++\u{200f}"),
    ] {
        assert_eq!(normalised(raw), expected);
        assert_eq!(add(9, raw).normalised(), add(9, expected));
        assert_eq!(name(raw).normalised(), name(expected));
        let poll = new_poll(PollDraft::new(raw).options([raw])).unwrap();
        assert_eq!(
            (poll.title(), &*poll.options()[0].label),
            (expected, expected)
        );
        let as_it_is = if raw == expected {
            Ok(())
        } else {
            Err(ErrorCode::BadText)
        };
        assert_eq!(said(raw), as_it_is, "{raw:?}");
    }
}

// The same label twice.

#[test]
fn labels_that_look_alike_are_the_same() {
    for (one, other) in [
        ("Tea", "Tea"),
        ("Tea", "tea"),
        ("Tea", " TEA "),
        ("Café", "CAFE\u{301}"),
        ("Tea time", "Tea \u{a0} time"),
        ("Tea time", "tea\u{2800}time"),
        ("Tea", "Ｔｅａ"),
        ("=1", "＝１"),
        ("Tea", "𝐓𝓮𝒶"),
        ("Tea", "T\u{200b}e\u{ad}a\u{fe0f}"),
        ("Tea", "\u{200e}T\u{200d}ea\u{200f}"),
        ("Straße", "STRASSE"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("ﬁve", "FIVE"),
        ("ᾳ\u{300}", "ὰ\u{345}"),
        ("한글", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"),
        ("ｶﾞ", "ガ"),
        ("می\u{200c}خواهم", "میخواهم"),
        ("❤", "❤\u{fe0f}"),
    ] {
        assert!(same(one, other), "{one:?}, {other:?}");
        assert!(same(other, one), "{other:?}, {one:?}");
    }
}

#[test]
fn labels_that_look_different_are_not() {
    for (one, other) in [
        ("Tea", "Teas"),
        ("Tea time", "Teatime"),
        ("Cafe", "Café"),
        ("schon", "schön"),
        ("が", "か"),
        ("👍", "👍🏽"),
        ("🇫🇷", "🇩🇪"),
        ("👨\u{200d}👩\u{200d}👧", "👨\u{200d}👩\u{200d}👦"),
        ("O", "0"),
        ("ilik", "ılık"),
    ] {
        assert!(!same(one, other), "{one:?}, {other:?}");
    }
}

#[test]
fn the_second_of_two_is_told_which_one_there_is() {
    let mut poll = poll_of(&["Pizza"]).unwrap();
    assert_eq!(
        poll.decide(peer(ALICE), &add(8, "Sushi"), &limits()),
        Ok(())
    );
    let second = poll
        .decide(peer(BOB), &add(9, "SUSHI"), &limits())
        .unwrap_err();
    assert_eq!(second.code, ErrorCode::LabelExists);
    let expected = "this poll already has the option “\u{2068}Sushi\u{2069}”";
    assert_eq!(*second.message, *expected);
    assert_eq!(poll.options().len(), 2);
}

#[test]
fn a_label_that_fits_no_sentence_is_not_cut_in_one() {
    let wide = Limits {
        max_label_chars: 500,
        ..limits()
    };
    let label = "é".repeat(400);
    let mut poll = poll_of(&[]).unwrap();
    assert_eq!(poll.decide(peer(BOB), &add(8, &label), &wide), Ok(()));
    let second = poll.decide(peer(BOB), &add(9, &label), &wide).unwrap_err();
    assert_eq!(*second.message, *"this poll already has such an option");
}

/// Each label is brought into the form in which it is compared once, and not for each new one.
#[test]
fn a_new_label_costs_the_same_whatever_the_others() {
    let cost = |labels: usize| {
        let labels = (0..labels).map(|number| format!("Été {number}"));
        let draft = PollDraft::new("Which?").options(labels);
        let mut ids = (1..).map(|id: u128| OptionId::from_uuid(uuid::Uuid::from_u128(id)));
        let next = || ids.next().unwrap();
        let mut poll = Poll::new(poll_id(1), peer(ALICE), draft, next, &limits()).unwrap();
        let first = poll.decide(peer(ALICE), &add(8, "Hiver"), &limits());
        assert_eq!(first, Ok(()));
        let next = add(9, "Printemps");
        let measured = allocation_counter::measure(|| {
            assert_eq!(poll.decide(peer(ALICE), &next, &limits()), Ok(()));
        });
        measured.count_total
    };
    let (few, many) = (cost(1), cost(900));
    assert!(many <= few + 2, "{few} and {many}");
}

// What is older than the rules.

#[test]
fn a_poll_from_before_the_rules_goes_on_and_is_told_from_what_is_new() {
    let mut old = poll_of(&["Tea"]).unwrap();
    for (option, label) in [(7, "TEA"), (8, "\u{202e}\u{3164}"), (9, " Cafe\u{301} ")] {
        assert_eq!(old.apply(peer(BOB), &add(option, label), &limits()), Ok(()));
    }
    assert_eq!(old.apply(peer(BOB), &name("a\nb"), &limits()), Ok(()));
    let frame = old.encode_state(Position {
        epoch: Epoch::new(1),
        revision: Revision::ZERO,
        history: None,
    });
    let Ok(Message::PollState(mut state)) = Message::decode(&frame, &limits()) else {
        panic!("a snapshot with the texts of earlier rules is still one");
    };
    assert_eq!(state.poll, old);
    let again = state.poll.decide(peer(BOB), &add(10, "café"), &limits());
    assert_eq!(again.unwrap_err().code, ErrorCode::LabelExists);
    assert_eq!(
        state.poll.decide(peer(BOB), &add(10, "Milk"), &limits()),
        Ok(())
    );
}

// In sentences.

#[test]
fn a_text_in_a_sentence_ends_where_it_ends() {
    assert_eq!(isolated("Tea"), "\u{2068}Tea\u{2069}");
    assert_eq!(isolated("a\u{2069}\u{202e}b\u{2067}"), "\u{2068}ab\u{2069}");
    assert_eq!(isolated("a\n\u{1b}[31mb"), "\u{2068}a  [31mb\u{2069}");
    assert_eq!(isolated("דוד\u{200f}"), "\u{2068}דוד\u{200f}\u{2069}");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_typed_is_refused_or_taken_as_it_is_shown(text in any_text(40)) {
        let form = normalised(&text).into_owned();
        prop_assert_eq!(&normalised(&form), &form);
        if typed(&text).is_ok() {
            prop_assert_eq!(said(&form), Ok(()));
            prop_assert!(same(&form, &form));
        }
        prop_assert_eq!(isolated(&text).matches(['\u{2068}', '\u{2069}', '\n', '\u{202e}']).count(), 2);
    }

    #[test]
    fn no_two_labels_of_a_poll_are_the_same(labels in proptest::collection::vec(any_text(3), 0..40)) {
        let mut poll = poll_of(&[]).unwrap();
        for (number, label) in labels.iter().enumerate() {
            let number = u8::try_from(number).unwrap();
            let _ = poll.decide(peer(ALICE), &add(number, label).normalised(), &limits());
        }
        let labels = poll.options().iter().map(|option| option.label.to_lowercase());
        prop_assert_eq!(labels.collect::<BTreeSet<_>>().len(), poll.options().len());
    }
}

#[cfg(feature = "planted")]
mod planted {
    use hustings_protocol::planted::{Fault, with};

    use super::*;

    #[test]
    fn the_faults_can_be_put_back() {
        with(Some(Fault::InvisibleText), || {
            assert_eq!(typed("\u{3164}"), Ok(()));
            assert_eq!(said("e\u{301}"), Ok(()));
        });
        with(Some(Fault::SameLabels), || assert!(!same("Tea", "tea")));
    }
}

#[test]
fn korean_syllables_are_made_of_their_letters_and_of_nothing_beside_them() {
    for (parts, whole) in [
        ("\u{1100}\u{1161}", "\u{ac00}"),
        ("\u{1100}\u{1161}\u{11a8}", "\u{ac01}"),
        ("\u{ac00}\u{11a8}", "\u{ac01}"),
        ("\u{1112}\u{1175}\u{11c2}", "\u{d7a3}"),
    ] {
        assert_eq!(normalised(parts), whole);
    }
    // The letters that stand just outside of the modern alphabet, and a syllable that is whole.
    for apart in [
        "\u{1113}\u{1161}",
        "\u{1100}\u{1160}",
        "\u{1100}\u{1176}",
        "\u{ac00}\u{11a7}",
        "\u{ac00}\u{11c3}",
        "\u{ac01}\u{11a8}",
    ] {
        assert_eq!(normalised(apart), apart);
    }
}

#[test]
fn a_text_in_its_normal_form_is_not_copied() {
    for text in ["Tea", "Café", ""] {
        assert!(matches!(normalised(text), Cow::Borrowed(_)), "{text}");
    }
}
