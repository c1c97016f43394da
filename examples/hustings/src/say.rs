//! The standard output.

use std::io::{self, Write};

use hustings_protocol::text;
use serde::Serialize;

use crate::failure::Failure;

/// A text of somebody else's, as a terminal may have it: on one line, without what could move the
/// cursor or turn the direction around.
pub(crate) fn plain(text: &str) -> String {
    let isolated = text::isolated(text);
    // The isolation itself is for a sentence; here it would end up in what people copy.
    isolated
        .trim_start_matches('\u{2068}')
        .trim_end_matches('\u{2069}')
        .to_owned()
}

/// Prints a line.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(Failure::Output)
}

/// Prints a value, on one line.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::Output(error.into()))?;
    line(&text)
}

/// Says something to people beside what is asked for.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_others_moves_the_cursor() {
        assert_eq!(plain("Te\u{1b}[2Ja\n\u{202e}x"), "Te [2Ja x");
        assert_eq!(plain("Ünïcode 🫖"), "Ünïcode 🫖");
    }
}
