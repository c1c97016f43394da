//! Texts that may be seen by anybody who reads a log.

use tracing::{debug, info, warn};

use crate::wire::{Notice, RegistrationState};

/// The longest text that is taken from elsewhere, in bytes.
const MAX_TEXT: usize = 160;

/// The first characters of a peer id: enough to tell peers apart, too few to reach one.
pub(crate) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or("…")
}

/// A text from elsewhere without what may be a session description: its lines begin with a letter
/// and `=`, and browsers put them into their errors.
pub(crate) fn cut(text: &str) -> &str {
    let bytes = text.as_bytes();
    let is_line = |at: usize| {
        bytes[at].is_ascii_lowercase()
            && bytes.get(at + 1) == Some(&b'=')
            && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric())
    };
    let end = (0..bytes.len()).find(|at| is_line(*at));
    let mut end = end.unwrap_or(bytes.len()).min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].trim_end()
}

/// The registration has changed. What the server may have said is not passed on.
pub(crate) fn registration(state: &RegistrationState) {
    match state {
        RegistrationState::Connecting => info!("connecting"),
        RegistrationState::Registered => info!("registered"),
        RegistrationState::AddressTaken { retry_at } => {
            info!(retry_at = retry_at.as_millis(), "address taken");
        }
        RegistrationState::Yielded { ask_at } => {
            warn!(ask_at = ask_at.as_millis(), "address in use elsewhere");
        }
        RegistrationState::Disconnected { retry_at, .. } => {
            info!(retry_at = retry_at.as_millis(), "disconnected");
        }
        RegistrationState::Failed(error) => warn!(%error, "not registered"),
    }
}

/// Something was ignored or refused.
pub(crate) fn notice(notice: &Notice) {
    match notice {
        Notice::Malformed(error) => {
            warn!(error = cut(&error.to_string()), "a fault of the server");
        }
        Notice::Refused { from, refusal } => {
            debug!(
                from = short(from),
                refusal = cut(&refusal.to_string()),
                "refused"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_before_a_description() {
        let plain = "no way to the other side works";
        assert_eq!(cut(plain), plain);
        let of_a_browser = "Failed to parse SessionDescription. a=fingerprint:sha-256 AB Invalid";
        assert_eq!(cut(of_a_browser), "Failed to parse SessionDescription.");
        assert_eq!(cut("invalid type: \"v=0\\r\\n\""), "invalid type: \"");
        assert_eq!(cut("v=0"), "");
        assert_eq!(cut("max=3, x=4"), "max=3,");
        assert_eq!(cut(&"é".repeat(200)).len(), MAX_TEXT);
    }

    #[test]
    fn ids_are_short() {
        assert_eq!(short("0123456789abcdef"), "01234567");
        assert_eq!(short("0123"), "…");
    }
}
