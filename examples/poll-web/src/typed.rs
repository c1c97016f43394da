//! Typed and pasted text: a list of options, and texts that are too long.
//!
//! Nothing is cut: what cannot be taken is told, and stays in its field to be changed.

use hustings_protocol::text::normalised;
use unicode_segmentation::UnicodeSegmentation;

/// The lines of a pasted text that has several, without those with nothing in them.
pub(crate) fn lines(pasted: &str) -> Vec<String> {
    let ends = |it| {
        matches!(
            it,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let lines = pasted.split(ends).map(normalised);
    let lines = lines.filter(|line| !line.is_empty());
    lines.map(std::borrow::Cow::into_owned).collect()
}

/// The options of a form after these lines were pasted into the one at this place, where `typed` is
/// what the first of them makes there. Each is an option, and takes the place of an empty one behind
/// it, as far as there are any.
pub(crate) fn with_lines(options: &[String], place: usize, lines: Vec<String>) -> Vec<String> {
    let (before, rest) = options.split_at(place.min(options.len()));
    let after = rest.get(1..).unwrap_or_default();
    let is_empty = |option: &&String| normalised(option).is_empty();
    let empty = after.iter().take_while(is_empty).count();
    let replaced = empty.min(lines.len().saturating_sub(1));
    let after = after.iter().skip(replaced).cloned();
    before.iter().cloned().chain(lines).chain(after).collect()
}

/// The reason why a text is too long, counted as the library counts: in the characters of its normal
/// form.
pub(crate) fn too_long(text: &str, most: usize) -> Option<String> {
    let text = normalised(text);
    let length = text.chars().count();
    (length > most).then(|| {
        let counted = if text.graphemes(true).count() < length {
            " Some signs, such as emoji, count as several."
        } else {
            ""
        };
        format!("Too long: {length} characters, and {most} is the most.{counted}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn each_line_that_is_pasted_is_an_option() {
        assert_eq!(
            lines("Tea\r\n\r\n  Coffee \nCafe\u{301}"),
            texts(&["Tea", "Coffee", "Café"])
        );
        assert_eq!(
            lines("Tea\u{2028}Coffee\u{85}Mate"),
            texts(&["Tea", "Coffee", "Mate"])
        );
        assert_eq!(lines("Tea, or coffee\n"), texts(&["Tea, or coffee"]));
        assert_eq!(lines("\n \u{200b}\n"), texts(&[]));
    }

    #[test]
    fn pasted_lines_take_the_empty_places_behind_the_first() {
        let pasted = || texts(&["Tea", "Coffee", "Mate"]);
        let after = with_lines(&texts(&["", "", ""]), 0, pasted());
        assert_eq!(after, pasted());
        let after = with_lines(&texts(&["Water", "", "", "Milk"]), 1, pasted());
        assert_eq!(after, texts(&["Water", "Tea", "Coffee", "Mate", "Milk"]));
        // What was typed is never lost.
        let after = with_lines(&texts(&["", "Milk", ""]), 0, pasted());
        assert_eq!(after, texts(&["Tea", "Coffee", "Mate", "Milk", ""]));
        // An empty place that is not needed stays.
        let after = with_lines(&texts(&["", "", "", "", ""]), 1, pasted());
        assert_eq!(after, texts(&["", "Tea", "Coffee", "Mate", ""]));
    }

    #[test]
    fn a_text_is_as_long_as_the_library_counts_it() {
        assert_eq!(too_long(&"a".repeat(200), 200), None);
        assert_eq!(too_long(&format!(" {} ", "a".repeat(200)), 200), None);
        assert_eq!(too_long(&"e\u{301}".repeat(200), 200), None, "é is one");
        let told = "Too long: 250 characters, and 200 is the most.";
        assert_eq!(too_long(&"a".repeat(250), 200).as_deref(), Some(told));
        // 200 emoji are 200 characters; a family is seven, nine of them 63, and ten too many.
        assert_eq!(too_long(&"😀".repeat(200), 300), None);
        let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
        assert_eq!(too_long(&family.repeat(9), 64), None);
        let told = "Too long: 70 characters, and 64 is the most. Some signs, such as emoji, count as several.";
        assert_eq!(too_long(&family.repeat(10), 64).as_deref(), Some(told));
    }
}
