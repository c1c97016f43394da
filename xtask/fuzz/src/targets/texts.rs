//! Texts have one normal form, which is ICU4X's, and what is taken stays as it is.

use hustings_protocol::text::{isolated, normalised};
use hustings_protocol::{Command, UserProfile};
use icu_normalizer::ComposingNormalizerBorrowed;

pub(super) fn run(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let nfc = ComposingNormalizerBorrowed::new_nfc();

    let normal = normalised(text);
    assert_eq!(
        normalised(&normal),
        normal,
        "{text:?}: the normal form has another"
    );
    assert!(
        nfc.is_normalized(&normal),
        "{text:?}: {normal:?} is not in form C"
    );
    // Between letters no blank is at an end.
    let between = format!("a{text}a");
    assert_eq!(normalised(&between), nfc.normalize(&between), "{text:?}");

    let shown = isolated(text);
    let inside = &shown[3..shown.len() - 3];
    for character in inside.chars() {
        let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let breaks = matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
        assert!(!turns && !breaks, "{text:?} is shown as {shown:?}");
    }

    let command = |name: &str| {
        let name = name.to_owned();
        Command::SetProfile(UserProfile { name })
    };
    if command(text).check_text().is_ok() {
        assert_eq!(
            normalised(text),
            text,
            "what is taken is in the normal form"
        );
        assert!(!text.trim().is_empty());
    }
    assert_eq!(command(text).normalised(), command(&normal));
}
