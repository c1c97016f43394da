//! Texts that may be seen by anybody who reads a log.

use hustings_protocol::{Excerpt, Short};
use tracing::{debug, info, warn};

use crate::wire::{Notice, RegistrationState};

/// A text from elsewhere without what may be a session description: its lines begin with a letter
/// and `=`, and browsers put them into their errors.
pub(crate) fn cut(text: &str) -> Excerpt<'_> {
    let bytes = text.as_bytes();
    let is_line = |at: usize| {
        bytes[at].is_ascii_lowercase()
            && bytes.get(at + 1) == Some(&b'=')
            && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric())
    };
    let end = (0..bytes.len()).find(|at| is_line(*at));
    // A line begins with a letter of ASCII, so no character is cut in two.
    Excerpt(text[..end.unwrap_or(bytes.len())].trim_end())
}

/// The registration has changed. What the server may have said is not passed on. Attempts, of which
/// there is any number while a server is away, are for those who look closer.
pub(crate) fn registration(before: &RegistrationState, state: &RegistrationState) {
    match state {
        RegistrationState::Connecting => debug!("connecting"),
        RegistrationState::Registered => info!("registered"),
        RegistrationState::AddressTaken { retry_at } => {
            info!(retry_at = retry_at.as_millis(), "address taken");
        }
        RegistrationState::Yielded { ask_at } => {
            warn!(ask_at = ask_at.as_millis(), "address in use elsewhere");
        }
        RegistrationState::Disconnected { retry_at, .. } => {
            let retry_at = retry_at.as_millis();
            if *before == RegistrationState::Registered {
                info!(retry_at, "disconnected");
            } else {
                debug!(retry_at, "not connected");
            }
        }
        RegistrationState::Failed(error) => warn!(%error, "not registered"),
    }
}

/// Something was ignored or refused.
pub(crate) fn notice(notice: &Notice) {
    match notice {
        Notice::Malformed(error) => {
            warn!(error = %cut(&error.to_string()), "a fault of the server");
        }
        Notice::Refused { from, refusal } => {
            debug!(
                from = %Short::of(from),
                refusal = %cut(&refusal.to_string()),
                "refused"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn texts_end_before_a_description() {
        let cut = |text| super::cut(text).to_string();
        let plain = "no way to the other side works";
        assert_eq!(cut(plain), plain);
        let of_a_browser = "Failed to parse SessionDescription. a=fingerprint:sha-256 AB Invalid";
        assert_eq!(cut(of_a_browser), "Failed to parse SessionDescription.");
        assert_eq!(cut("invalid type: \"v=0\\r\\n\""), "invalid type: \"");
        assert_eq!(cut("v=0"), "");
        assert_eq!(cut("max=3, x=4"), "max=3,");
        assert_eq!(cut("é a=1"), "é");
    }
}
