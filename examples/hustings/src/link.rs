//! The link that somebody has typed, pasted or piped in.

use std::io::Read;

use hustings_protocol::RoomLink;

use crate::failure::Failure;

/// Most bytes of the standard input that are looked through for a link.
const MAX_INPUT: u64 = 64 * 1024;

/// A link, and the address that it began with.
pub(crate) struct Given {
    pub(crate) link: RoomLink,
    /// The web address around it, whose server introduces people to each other where the app is
    /// deployed as it comes.
    pub(crate) address: Option<String>,
}

/// Finds the link in an argument; `-` is the standard input.
pub(crate) fn read(argument: &str) -> Result<Given, Failure> {
    let mut piped = String::new();
    let text = match argument {
        "-" => {
            let input = std::io::stdin().lock().take(MAX_INPUT);
            let read = std::io::BufReader::new(input).read_to_string(&mut piped);
            read.map_err(Failure::Input)?;
            &piped
        }
        text => text,
    };
    let link = RoomLink::find(text).map_err(Failure::Link)?;
    Ok(Given {
        link,
        address: address(text),
    })
}

/// The address of a text that is one, without its fragment.
fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let (address, fragment) = text.split_once('#')?;
    let is_address = address.starts_with("http://") || address.starts_with("https://");
    let is_plain = is_address && !text.contains(char::is_whitespace) && !fragment.is_empty();
    is_plain.then(|| address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_what_stands_before_the_fragment() {
        let room = format!("{}/01234567-89ab-4cde-8f01-23456789abcd", "a".repeat(52));
        let of = |text: &str| read(text).unwrap().address;
        assert_eq!(of(&room), None);
        let whole = format!("http://localhost:9000/polls/#/{room}");
        assert_eq!(of(&whole).as_deref(), Some("http://localhost:9000/polls/"));
        assert_eq!(of(&format!("Vote at {whole} please")), None);
    }
}
