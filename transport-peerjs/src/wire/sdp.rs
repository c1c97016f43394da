//! The certificate fingerprint in a session description.
//!
//! A handshake signs the fingerprints of both sides, so what is read here has to be what the DTLS
//! stack holds the other side to. Descriptions can name several certificates, by several hashes,
//! for the session and for each medium, and stacks differ in which one they obey. So a description
//! has to name exactly one, by SHA-256, as often as it likes.

/// Longest description that is looked at, in bytes. Those of one data channel have 600 to 3,000.
const MAX_SDP: usize = 32 * 1024;

/// Most lines of an offer. Those of one data channel have 20, and a few for each candidate.
const MAX_LINES: usize = 512;

/// Checks that an offer is one for a data channel, as far as that can be told without a browser.
///
/// Browsers count every connection that was made until they have collected it, so that one is made
/// only for what a browser would take.
pub(crate) fn check_offer(sdp: &str) -> Result<(), SdpError> {
    if sdp.len() > MAX_SDP {
        return Err(SdpError::TooLong(sdp.len()));
    }
    let (mut media, mut ufrag, mut pwd, mut setup) = (0, false, false, false);
    for (at, line) in sdp.lines().enumerate() {
        let Some((kind, value)) = line.split_once('=') else {
            return Err(SdpError::Line(at + 1));
        };
        let is_kind = matches!(kind.as_bytes(), [b'a'..=b'z']) && (at == 0) == (kind == "v");
        if !is_kind || at >= MAX_LINES {
            return Err(SdpError::Line(at + 1));
        }
        if kind == "m" {
            media += 1;
            if !is_data_channel(value) {
                return Err(SdpError::Media);
            }
        }
        // The lengths are those of RFC 8839, section 5.4.
        match value.split_once(':') {
            Some(("ice-ufrag", text)) if kind == "a" => ufrag = (4..=256).contains(&text.len()),
            Some(("ice-pwd", text)) if kind == "a" => pwd = (22..=256).contains(&text.len()),
            Some(("setup", text)) if kind == "a" => setup = matches!(text, "actpass" | "active"),
            Some(_) | None => {}
        }
    }
    if media != 1 {
        return Err(SdpError::Media);
    }
    for (there, name) in [(ufrag, "ice-ufrag"), (pwd, "ice-pwd"), (setup, "setup")] {
        if !there {
            return Err(SdpError::Attribute(name));
        }
    }
    Ok(())
}

/// True for the medium of data channels, RFC 8841, with its older spelling.
fn is_data_channel(medium: &str) -> bool {
    let mut words = medium.split(' ');
    words.next() == Some("application")
        && words.next().is_some_and(|port| port.parse::<u16>().is_ok())
        && words
            .next()
            .is_some_and(|protocol| protocol.ends_with("DTLS/SCTP"))
        && words.next().is_some()
}

/// The SHA-256 fingerprint of a DTLS certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the one fingerprint of a description.
    ///
    /// # Errors
    ///
    /// [`SdpError`] if there is none, if there are different ones, or if one is not SHA-256.
    pub fn of(sdp: &str) -> Result<Self, SdpError> {
        if sdp.len() > MAX_SDP {
            return Err(SdpError::TooLong(sdp.len()));
        }
        let mut found = None;
        for line in sdp.split(['\r', '\n']) {
            let Some(value) = fingerprint_value(line) else {
                continue;
            };
            let fingerprint = parse(value)?;
            match found {
                None => found = Some(fingerprint),
                Some(first) if first == fingerprint => {}
                Some(_) => return Err(SdpError::Several),
            }
        }
        found.ok_or(SdpError::Missing)
    }
}

/// The text after `a=fingerprint:` in a line, however a lenient parser might read it.
fn fingerprint_value(line: &str) -> Option<&str> {
    let line = line.trim();
    let (attribute, rest) = line.split_once('=')?;
    let (name, value) = rest.split_once(':')?;
    (attribute.trim().eq_ignore_ascii_case("a") && name.trim().eq_ignore_ascii_case("fingerprint"))
        .then_some(value)
}

fn parse(value: &str) -> Result<Fingerprint, SdpError> {
    let mut words = value.split_ascii_whitespace();
    let (Some(hash), Some(hex), None) = (words.next(), words.next(), words.next()) else {
        return Err(SdpError::Malformed);
    };
    if !hash.eq_ignore_ascii_case("sha-256") {
        return Err(SdpError::OtherHash(hash.chars().take(16).collect()));
    }
    let mut bytes = [0; 32];
    let mut pairs = hex.split(':');
    for byte in &mut bytes {
        let pair = pairs.next().ok_or(SdpError::Malformed)?;
        let mut one = [0; 1];
        base16ct::mixed::decode(pair, &mut one).map_err(|_| SdpError::Malformed)?;
        [*byte] = one;
    }
    match pairs.next() {
        None => Ok(Fingerprint(bytes)),
        Some(_) => Err(SdpError::Malformed),
    }
}

/// The reason why a session description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// It is longer than any for one data channel.
    #[error("session description too long: {0} bytes")]
    TooLong(usize),
    /// It names no certificate.
    #[error("no certificate fingerprint in the session description")]
    Missing,
    /// It names more than one certificate.
    #[error("several certificate fingerprints in the session description")]
    Several,
    /// It names a certificate by another hash than SHA-256.
    #[error(
        "unsupported certificate fingerprint {0} in the session description: only sha-256 is accepted"
    )]
    OtherHash(String),
    /// A fingerprint is not 32 bytes in hexadecimal.
    #[error("malformed certificate fingerprint in the session description")]
    Malformed,
    /// A line of an offer is none of a session description, or one too many.
    #[error("line {0} of the session description is not one")]
    Line(usize),
    /// An offer is for something else than one data channel.
    #[error("the session description is not for one data channel")]
    Media,
    /// An offer lacks what no connection can do without.
    #[error("no usable {0} in the session description")]
    Attribute(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{chromium_sdp, firefox_sdp, hex};
    use proptest::prelude::*;

    #[test]
    fn it_is_found_where_browsers_put_it() {
        for sdp in [chromium_sdp([7; 32]), firefox_sdp([7; 32])] {
            assert_eq!(Fingerprint::of(&sdp).unwrap().as_bytes(), &[7; 32], "{sdp}");
        }
    }

    #[test]
    fn an_offer_of_a_browser_is_taken_and_one_with_a_part_missing_is_not() {
        for sdp in [chromium_sdp([7; 32]), firefox_sdp([7; 32])] {
            assert_eq!(check_offer(&sdp), Ok(()));
            for name in ["ice-ufrag", "ice-pwd", "setup"] {
                let other = sdp.replace(&format!("a={name}:"), "a=other:");
                assert_eq!(check_offer(&other), Err(SdpError::Attribute(name)));
            }
            let short = sdp.replace("a=ice-pwd:", "a=ice-pwd:x\r\na=other:");
            assert_eq!(check_offer(&short), Err(SdpError::Attribute("ice-pwd")));
            for medium in ["video", "application x", "application 9 RTP/AVP 0"] {
                let other = sdp.replace("m=application", &format!("m={medium}"));
                assert_eq!(check_offer(&other), Err(SdpError::Media));
            }
            let again = format!("{sdp}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n");
            assert_eq!(check_offer(&again), Err(SdpError::Media));
            for garbage in ["garbage", "", "ab=c", "=x", "A=x", "v=0"] {
                let number = sdp.lines().count() + 1;
                let other = format!("{sdp}{garbage}\r\n");
                assert_eq!(
                    check_offer(&other),
                    Err(SdpError::Line(number)),
                    "{garbage}"
                );
            }
            let many = format!("{sdp}{}", "a=x\r\n".repeat(MAX_LINES));
            assert_eq!(check_offer(&many), Err(SdpError::Line(MAX_LINES + 1)));
        }
        let fingerprint = format!("a=fingerprint:sha-256 {}\r\n", hex([7; 32]));
        assert_eq!(check_offer(&fingerprint), Err(SdpError::Line(1)));
        assert_eq!(check_offer(""), Err(SdpError::Media));
        let long = "x".repeat(MAX_SDP + 1);
        assert_eq!(check_offer(&long), Err(SdpError::TooLong(long.len())));
    }

    #[test]
    fn letters_may_be_small_and_lines_end_anyhow() {
        let sdp = chromium_sdp([0xAB; 32]);
        let small = sdp.replace("AB", "ab").replace("sha-256", "SHA-256");
        assert_eq!(Fingerprint::of(&small), Fingerprint::of(&sdp));
        assert_eq!(
            Fingerprint::of(&sdp.replace("\r\n", "\n")),
            Fingerprint::of(&sdp)
        );
    }

    #[test]
    fn two_that_agree_are_one() {
        let line = format!("a=fingerprint:sha-256 {}\r\n", hex([7; 32]));
        let sdp = format!("{}{line}", firefox_sdp([7; 32]));
        assert_eq!(Fingerprint::of(&sdp).unwrap().as_bytes(), &[7; 32]);
    }

    #[test]
    fn a_second_certificate_is_refused_wherever_it_hides() {
        let sdp = chromium_sdp([7; 32]);
        for (line, error) in [
            (
                format!("a=fingerprint:sha-256 {}", hex([8; 32])),
                SdpError::Several,
            ),
            (
                format!("A=Fingerprint: sha-256  {}", hex([8; 32])),
                SdpError::Several,
            ),
            (
                format!(" a = fingerprint :sha-256 {}", hex([8; 32])),
                SdpError::Several,
            ),
            (
                "a=fingerprint:sha-1 00".into(),
                SdpError::OtherHash("sha-1".into()),
            ),
            (
                "a=fingerprint:sha-512 00".into(),
                SdpError::OtherHash("sha-512".into()),
            ),
        ] {
            assert_eq!(
                Fingerprint::of(&format!("{line}\r\n{sdp}")),
                Err(error.clone())
            );
            assert_eq!(Fingerprint::of(&format!("{sdp}{line}\r\n")), Err(error));
        }
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        let value = hex([7; 32]);
        for bad in [
            String::new(),
            "sha-256".into(),
            format!("sha-256 {}", &value[3..]),
            format!("sha-256 {value}:07"),
            format!("sha-256 {value} x"),
            format!("sha-256 {}", value.replace("07", "7")),
            format!("sha-256 {}", value.replace("07", "0g")),
            format!("sha-256 {}", value.replace(':', "")),
        ] {
            let sdp = format!("v=0\r\na=fingerprint:{bad}\r\n");
            assert_eq!(Fingerprint::of(&sdp), Err(SdpError::Malformed), "{bad}");
        }
        assert_eq!(Fingerprint::of("v=0\r\n"), Err(SdpError::Missing));
        let long = "x".repeat(MAX_SDP + 1);
        assert_eq!(Fingerprint::of(&long), Err(SdpError::TooLong(long.len())));
    }

    proptest! {
        #[test]
        fn no_description_makes_a_panic(text in r"(?s)((a=fingerprint:)?(sha-256 )?.{0,40}\n?){0,8}") {
            let _ = Fingerprint::of(&text);
            let _ = check_offer(&text);
        }
    }
}
