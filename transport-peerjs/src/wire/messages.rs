//! The messages on the socket to the signalling server.
//!
//! The server sees and can forge everything here, and it passes on what strangers send. Decoding is
//! total: a text is a [`FromServer`] or an error that says why not, and a type that is not known is
//! [`FromServer::Unknown`]. Nothing here ends a connection.

use std::borrow::Cow;
use std::fmt;

use hustings_protocol::ErrorCode;
use hustings_protocol::handshake::{Nonce, Signature};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ice_servers::{self, HandedServers, ICE};
use super::proof::{NONCE, PROOF};

/// Longest id, connection id or label, in bytes.
const MAX_NAME: usize = 128;
/// Longest candidate line, in bytes. They have about 120.
const MAX_CANDIDATE: usize = 1024;
/// Longest sentence of a server's error that is kept, in characters.
const MAX_REASON: usize = 200;

/// A message from the signalling server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromServer {
    /// This side is registered.
    Open,
    /// Somebody else is registered with this side's id.
    IdTaken {
        /// They are not there: the server keeps the id for them. PeerServer never says so.
        is_kept: bool,
    },
    /// The server refuses this side.
    Error(ServerFault),
    /// A message to this peer was not fetched in time.
    Expire {
        /// The peer that was not there.
        src: String,
    },
    /// This peer does not take an offer of this side.
    Refused {
        /// The peer, or one that claims to be.
        src: String,
        /// The refusal.
        refused: Refused,
    },
    /// This peer is gone, says the server, or the peer itself.
    Leave {
        /// The peer that left.
        src: String,
    },
    /// Somebody dials.
    Offer {
        /// The sender, or a peer that claims to be.
        src: String,
        /// The offer.
        offer: Offer,
    },
    /// Somebody answers an offer.
    Answer {
        /// The sender, or a peer that claims to be.
        src: String,
        /// Their answer.
        answer: Answer,
    },
    /// Somebody has an address to try.
    Candidate {
        /// The sender, or a peer that claims to be.
        src: String,
        /// The address.
        candidate: Candidate,
    },
    /// This side may show that its address is its own, by a signature over this. An extension of
    /// this crate's broker.
    Nonce(Nonce),
    /// These STUN and TURN servers may be used. An extension of this crate's broker.
    IceServers(HandedServers),
    /// A type of a later version, or a heartbeat that came back.
    Unknown,
}

/// The reason why the server refuses to register this side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerFault {
    /// The key is not the server's.
    #[error("the signalling server does not know the key")]
    InvalidKey,
    /// The id, the token or the key is missing or malformed.
    #[error("the signalling server does not accept the id")]
    InvalidId,
    /// There is no room for one more.
    #[error("the signalling server is full")]
    Full,
    /// Anything else, in the server's words, which are foreign text.
    #[error("the signalling server says: {0}")]
    Other(String),
}

impl ServerFault {
    /// True if to try again is of no use.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::InvalidKey | Self::InvalidId => true,
            Self::Full | Self::Other(_) => false,
        }
    }

    fn of(sentence: &str) -> Self {
        match sentence {
            "Invalid key provided" => Self::InvalidKey,
            "No id, token, or key supplied to websocket server"
            | "Invalid id provided"
            | "Invalid token provided" => Self::InvalidId,
            "Server has reached its concurrent user limit" => Self::Full,
            other => Self::Other(
                other
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(MAX_REASON)
                    .collect(),
            ),
        }
    }
}

/// An offer of a connection. It is checked where it is accepted, so that a refusal has a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The dialler's name for the connection.
    pub connection_id: String,
    /// The session description.
    pub sdp: String,
    /// `data` or `media`.
    pub kind: String,
    /// The name of the channel.
    pub label: String,
    /// The channel is ordered and reliable. False if it is not said, as in PeerJS.
    pub reliable: bool,
    /// The name of the way in which frames are written. Empty if it is not said.
    pub serialization: String,
}

/// An answer to an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The dialler's name for the connection.
    pub connection_id: String,
    /// The session description.
    pub sdp: String,
}

/// An address of one side of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The dialler's name for the connection.
    pub connection_id: String,
    /// The address.
    pub ice: IceCandidate,
}

/// A refusal of an offer.
///
/// It has the type of a message by which a server says that a peer is not there, so that stock
/// PeerJS, which does not look into it, has an error of its own at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The dialler's name for the connection.
    pub connection_id: String,
    /// The reason, for programs.
    pub code: ErrorCode,
    /// The reason, for whoever reads what goes over the socket. Not looked at here.
    pub message: String,
}

/// An ICE candidate, as WebRTC writes and takes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// The candidate line.
    pub candidate: String,
    /// The part of the description that it belongs to, by name.
    #[serde(default)]
    pub sdp_mid: Option<String>,
    /// The part of the description that it belongs to, by number.
    #[serde(default, rename = "sdpMLineIndex")]
    pub sdp_m_line_index: Option<u16>,
    /// The ICE generation that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_fragment: Option<String>,
}

impl IceCandidate {
    /// The bytes of its texts.
    pub(crate) fn bytes(&self) -> usize {
        let others = [&self.sdp_mid, &self.username_fragment];
        let others = others.map(|text| text.as_ref().map_or(0, String::len));
        self.candidate.len() + others.iter().sum::<usize>()
    }
}

/// The reason why a text is not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is too long.
    #[error("signalling message too long: {actual} bytes, of which {max} are accepted")]
    TooLong {
        /// Its length in bytes.
        actual: usize,
        /// The length that it may have.
        max: usize,
    },
    /// It is not JSON, or a field is missing or of another type.
    #[error("malformed signalling message: {0}")]
    Malformed(String),
    /// A name is empty, too long or made of other characters than ids have.
    #[error("invalid {0} in a signalling message")]
    Name(&'static str),
    /// The description of an offer is not an offer, or that of an answer not an answer.
    #[error("wrong kind of session description in a signalling message")]
    Description,
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    src: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ErrorPayload {
    #[serde(default)]
    msg: String,
}

#[derive(Deserialize)]
struct TakenPayload {
    #[serde(default)]
    kept: bool,
}

#[derive(Deserialize)]
struct NoncePayload {
    nonce: Nonce,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfferPayload<'a> {
    #[serde(borrow)]
    sdp: &'a RawValue,
    #[serde(rename = "type")]
    kind: String,
    connection_id: String,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    reliable: Option<bool>,
    #[serde(default)]
    serialization: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerPayload<'a> {
    #[serde(borrow)]
    sdp: &'a RawValue,
    connection_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CandidatePayload<'a> {
    #[serde(borrow)]
    candidate: &'a RawValue,
    connection_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefusedPayload {
    connection_id: String,
    reason: ErrorCode,
}

#[derive(Serialize, Deserialize)]
struct Description<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    sdp: Cow<'a, str>,
}

impl FromServer {
    /// Reads a text frame of at most `max` bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] for whatever is not a message. It is to be ignored: a stranger can cause it.
    pub fn decode(text: &str, max: usize) -> Result<Self, DecodeError> {
        if text.len() > max {
            return Err(DecodeError::TooLong {
                actual: text.len(),
                max,
            });
        }
        let envelope: Envelope<'_> = object(text)?;
        let payload = envelope.payload;
        let src = || match envelope.src.as_deref() {
            Some(src) if is_peer_id(src) => Ok(src.to_owned()),
            Some(_) | None => Err(DecodeError::Name("src")),
        };
        Ok(match &*envelope.kind {
            "OPEN" => Self::Open,
            "ID-TAKEN" => Self::IdTaken {
                // A word that is no sign of it is as good as none.
                is_kept: payload
                    .and_then(|payload| object::<TakenPayload>(payload.get()).ok())
                    .is_some_and(|payload| payload.kept),
            },
            "INVALID-KEY" => Self::Error(ServerFault::InvalidKey),
            "ERROR" => Self::Error(match payload {
                Some(payload) => ServerFault::of(&object::<ErrorPayload>(payload.get())?.msg),
                None => ServerFault::Other(String::new()),
            }),
            // What others send has a sender. They do not say what this side is to sign.
            NONCE if envelope.src.is_some() => return Err(DecodeError::Name("src")),
            ICE if envelope.src.is_some() => return Err(DecodeError::Name("src")),
            ICE => {
                let payload = object::<ice_servers::Payload>(required(payload)?)?;
                Self::IceServers(payload.read()?)
            }
            NONCE => Self::Nonce(object::<NoncePayload>(required(payload)?)?.nonce),
            "EXPIRE" => decode_expire(src()?, payload),
            "LEAVE" => Self::Leave { src: src()? },
            "OFFER" => Self::Offer {
                src: src()?,
                offer: decode_offer(required(payload)?)?,
            },
            "ANSWER" => Self::Answer {
                src: src()?,
                answer: decode_answer(required(payload)?)?,
            },
            "CANDIDATE" => Self::Candidate {
                src: src()?,
                candidate: decode_candidate(required(payload)?)?,
            },
            _ => Self::Unknown,
        })
    }
}

fn required(payload: Option<&RawValue>) -> Result<&str, DecodeError> {
    payload
        .map(RawValue::get)
        .ok_or_else(|| DecodeError::Malformed("the payload is missing".into()))
}

/// Reads an object. Derived code would take a struct from a list of its fields, too.
fn object<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, DecodeError> {
    if json.trim_start().starts_with('{') {
        Ok(serde_json::from_str(json)?)
    } else {
        Err(DecodeError::Malformed("not an object".into()))
    }
}

fn description(raw: &RawValue, kind: &str) -> Result<String, DecodeError> {
    let description: Description<'_> = object(raw.get())?;
    if description.kind == kind {
        Ok(description.sdp.into_owned())
    } else {
        Err(DecodeError::Description)
    }
}

fn name(text: String, field: &'static str) -> Result<String, DecodeError> {
    let is_plain = |c: char| !c.is_control();
    if (1..=MAX_NAME).contains(&text.len()) && text.chars().all(is_plain) {
        Ok(text)
    } else {
        Err(DecodeError::Name(field))
    }
}

fn decode_offer(json: &str) -> Result<Offer, DecodeError> {
    let payload: OfferPayload<'_> = object(json)?;
    let sdp = description(payload.sdp, "offer")?;
    let connection_id = name(payload.connection_id, "connectionId")?;
    let label = match payload.label {
        Some(label) => name(label, "label")?,
        None => connection_id.clone(),
    };
    let serialization = match payload.serialization {
        Some(text) => name(text, "serialization")?,
        None => String::new(),
    };
    Ok(Offer {
        connection_id,
        sdp,
        kind: name(payload.kind, "type")?,
        label,
        reliable: payload.reliable.unwrap_or(false),
        serialization,
    })
}

fn decode_answer(json: &str) -> Result<Answer, DecodeError> {
    let payload: AnswerPayload<'_> = object(json)?;
    Ok(Answer {
        connection_id: name(payload.connection_id, "connectionId")?,
        sdp: description(payload.sdp, "answer")?,
    })
}

/// A server says no more than who is not there, and a peer for which of its offers and why.
fn decode_expire(src: String, payload: Option<&RawValue>) -> FromServer {
    let payload = payload.map(|payload| object::<RefusedPayload>(payload.get()));
    let Some(Ok(RefusedPayload {
        connection_id,
        reason: code,
    })) = payload
    else {
        return FromServer::Expire { src };
    };
    let refused = Refused {
        connection_id,
        code,
        message: String::new(),
    };
    FromServer::Refused { src, refused }
}

fn decode_candidate(json: &str) -> Result<Candidate, DecodeError> {
    let payload: CandidatePayload<'_> = object(json)?;
    let ice: IceCandidate = object(payload.candidate.get())?;
    let short = |text: &Option<String>| text.as_ref().is_none_or(|text| text.len() <= MAX_NAME * 2);
    if ice.candidate.len() > MAX_CANDIDATE || !short(&ice.sdp_mid) || !short(&ice.username_fragment)
    {
        return Err(DecodeError::Name("candidate"));
    }
    Ok(Candidate {
        connection_id: name(payload.connection_id, "connectionId")?,
        ice,
    })
}

/// True if a text is an id by PeerJS's rule, `^[A-Za-z0-9]+(?:[ _-][A-Za-z0-9]+)*$`, of at most 128
/// characters.
#[must_use]
pub fn is_peer_id(text: &str) -> bool {
    text.len() <= MAX_NAME
        && text
            .split([' ', '_', '-'])
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// A message to the signalling server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToServer {
    /// This side is alive. Never answered.
    Heartbeat,
    /// This side dials.
    Offer {
        /// The peer to dial.
        dst: String,
        /// With what.
        offer: Offer,
    },
    /// This side answers an offer.
    Answer {
        /// The peer whose offer it is.
        dst: String,
        /// With what.
        answer: Answer,
    },
    /// This side shows that its address is its own.
    Proof {
        /// The server's host, as this side calls it.
        host: String,
        /// The signature over the server's nonce.
        signature: Signature,
    },
    /// This side asks for new STUN and TURN servers.
    AskIceServers,
    /// This side has an address to try.
    Candidate {
        /// The peer that should try it.
        dst: String,
        /// The address.
        candidate: Candidate,
    },
    /// This side does not take an offer.
    Refuse {
        /// The peer whose offer it is.
        dst: String,
        /// The refusal.
        refused: Refused,
    },
}

#[derive(Serialize)]
struct Sent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    payload: SentPayload<'a>,
    dst: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SentPayload<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sdp: Option<Description<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<&'a IceCandidate>,
    #[serde(rename = "type")]
    kind: &'static str,
    connection_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reliable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serialization: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl<'a> SentPayload<'a> {
    const fn of(connection_id: &'a str) -> Self {
        Self {
            sdp: None,
            candidate: None,
            kind: "data",
            connection_id,
            label: None,
            reliable: None,
            serialization: None,
            reason: None,
            message: None,
        }
    }

    fn sdp(mut self, kind: &'static str, sdp: &'a str) -> Self {
        self.sdp = Some(Description {
            kind: kind.into(),
            sdp: sdp.into(),
        });
        self
    }
}

impl fmt::Display for ToServer {
    /// The text frame to send.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = match self {
            Self::Heartbeat => return f.write_str(r#"{"type":"HEARTBEAT"}"#),
            Self::AskIceServers => return write!(f, r#"{{"type":"{ICE}"}}"#),
            Self::Proof { host, signature } => {
                // A host needs no escaping.
                return write!(
                    f,
                    r#"{{"type":"{PROOF}","payload":{{"host":"{host}","signature":"{signature}"}}}}"#
                );
            }
            Self::Offer { dst, offer } => Sent {
                kind: "OFFER",
                payload: SentPayload {
                    label: Some(&offer.label),
                    reliable: Some(offer.reliable),
                    serialization: Some(&offer.serialization),
                    ..SentPayload::of(&offer.connection_id).sdp("offer", &offer.sdp)
                },
                dst,
            },
            Self::Answer { dst, answer } => Sent {
                kind: "ANSWER",
                payload: SentPayload::of(&answer.connection_id).sdp("answer", &answer.sdp),
                dst,
            },
            Self::Candidate { dst, candidate } => Sent {
                kind: "CANDIDATE",
                payload: SentPayload {
                    candidate: Some(&candidate.ice),
                    ..SentPayload::of(&candidate.connection_id)
                },
                dst,
            },
            Self::Refuse { dst, refused } => Sent {
                kind: "EXPIRE",
                payload: SentPayload {
                    reason: Some(refused.code.as_str()),
                    message: Some(&refused.message),
                    ..SentPayload::of(&refused.connection_id)
                },
                dst,
            },
        };
        let json = serde_json::to_string(&sent).map_err(|_| fmt::Error)?;
        f.write_str(&json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: usize = 64 * 1024;

    fn decode(text: &str) -> Result<FromServer, DecodeError> {
        FromServer::decode(text, MAX)
    }

    #[test]
    fn what_stock_peerjs_sends_is_read() {
        let offer = r#"{"type":"OFFER","src":"ab-1","dst":"cd","payload":{"sdp":{"type":"offer","sdp":"v=0"},"type":"data","connectionId":"dc_x","metadata":{"any":[1]},"label":"dc_x","reliable":true,"serialization":"raw"}}"#;
        let Ok(FromServer::Offer { src, offer }) = decode(offer) else {
            panic!("{:?}", decode(offer));
        };
        assert_eq!((src.as_str(), offer.sdp.as_str()), ("ab-1", "v=0"));
        assert!(offer.reliable);
        assert_eq!(offer.serialization, "raw");

        let candidate = r#"{"type":"CANDIDATE","src":"ab","dst":"cd","payload":{"candidate":{"candidate":"candidate:1 1 udp 1 10.0.0.1 5 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"u"},"type":"data","connectionId":"dc_x"}}"#;
        let Ok(FromServer::Candidate { candidate, .. }) = decode(candidate) else {
            panic!("{:?}", decode(candidate));
        };
        assert_eq!(candidate.ice.sdp_m_line_index, Some(0));
        assert_eq!(decode(r#"{"type":"OPEN"}"#), Ok(FromServer::Open));
    }

    #[test]
    fn a_media_call_is_read_so_that_it_can_be_refused() {
        let call = r#"{"type":"OFFER","src":"a","payload":{"sdp":{"type":"offer","sdp":"v=0"},"type":"media","connectionId":"mc_x","metadata":null}}"#;
        let Ok(FromServer::Offer { offer, .. }) = decode(call) else {
            panic!("{:?}", decode(call));
        };
        assert_eq!((offer.kind.as_str(), offer.reliable), ("media", false));
    }

    #[test]
    fn the_servers_errors_have_types() {
        let error = |msg: &str| {
            decode(&format!(
                r#"{{"type":"ERROR","payload":{{"msg":"{msg}"}}}}"#
            ))
        };
        let is = |fault| Ok(FromServer::Error(fault));
        assert_eq!(error("Invalid key provided"), is(ServerFault::InvalidKey));
        assert_eq!(
            error("Server has reached its concurrent user limit"),
            is(ServerFault::Full)
        );
        assert_eq!(error("hm"), is(ServerFault::Other("hm".into())));
        assert_eq!(
            decode(r#"{"type":"ERROR"}"#),
            is(ServerFault::Other(String::new()))
        );
    }

    #[test]
    fn later_types_are_unknown_and_not_errors() {
        assert_eq!(
            decode(r#"{"type":"NEW","src":7e0,"payload":[]}"#.replace("7e0", "\"a\"").as_str()),
            Ok(FromServer::Unknown)
        );
        assert_eq!(decode(r#"{"type":"HEARTBEAT"}"#), Ok(FromServer::Unknown));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for text in [
            "",
            "null",
            "[]",
            r#"["OPEN"]"#,
            r#"{"type":7}"#,
            r#"{"type":"OFFER","src":"a"}"#,
            r#"{"type":"EXPIRE"}"#,
            r#"{"type":"EXPIRE","src":"-"}"#,
            r#"{"type":"EXPIRE","src":7}"#,
            r#"{"type":"ANSWER","src":"a","payload":{"sdp":{"type":"offer","sdp":""},"connectionId":"x"}}"#,
            r#"{"type":"ANSWER","src":"a","payload":{"sdp":["answer","v=0"],"connectionId":"x"}}"#,
            r#"{"type":"ANSWER","src":"a","payload":{"sdp":{"type":"answer","sdp":""},"connectionId":""}}"#,
            r#"{"type":"CANDIDATE","src":"a","payload":{"candidate":null,"connectionId":"x"}}"#,
        ] {
            assert!(decode(text).is_err(), "{text} was accepted");
        }
        let long = format!(r#"{{"type":"OPEN","x":"{}"}}"#, "x".repeat(MAX));
        assert!(matches!(decode(&long), Err(DecodeError::TooLong { .. })));
    }

    #[test]
    fn ids_follow_the_rule_of_peerjs() {
        for id in ["a", "a-b", "A9_b c"] {
            assert!(is_peer_id(id), "{id}");
        }
        for id in ["", "-a", "a-", "a--b", "é", "a.b", &"a".repeat(129)] {
            assert!(!is_peer_id(id), "{id}");
        }
    }

    #[test]
    fn a_message_is_written_as_peerjs_writes_it() {
        let offer = Offer {
            connection_id: "dc_x".into(),
            sdp: "v=0\r\n".into(),
            kind: "data".into(),
            label: "l".into(),
            reliable: true,
            serialization: "raw".into(),
        };
        let message = ToServer::Offer {
            dst: "a".into(),
            offer,
        };
        assert_eq!(
            message.to_string(),
            r#"{"type":"OFFER","payload":{"sdp":{"type":"offer","sdp":"v=0\r\n"},"type":"data","connectionId":"dc_x","label":"l","reliable":true,"serialization":"raw"},"dst":"a"}"#
        );
        let message = ToServer::Candidate {
            dst: "a".into(),
            candidate: Candidate {
                connection_id: "dc_x".into(),
                ice: IceCandidate {
                    candidate: "c".into(),
                    sdp_mid: Some("0".into()),
                    sdp_m_line_index: Some(0),
                    username_fragment: None,
                },
            },
        };
        assert_eq!(
            message.to_string(),
            r#"{"type":"CANDIDATE","payload":{"candidate":{"candidate":"c","sdpMid":"0","sdpMLineIndex":0},"type":"data","connectionId":"dc_x"},"dst":"a"}"#
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_a_panic(text in ".{0,400}") {
            let _ = decode(&text);
        }

        #[test]
        fn no_json_of_the_right_shape_makes_a_panic(
            kind in "OFFER|ANSWER|CANDIDATE|EXPIRE|LEAVE|ERROR|OPEN|X",
            src in "[a-z\"\\\\-]{0,4}",
            payload in r#"(\{|\[|"|\}|\]|:|,|sdp|"sdp"|"type"|"connectionId"|"x"|1|null){0,12}"#,
        ) {
            let _ = decode(&format!(r#"{{"type":"{kind}","src":"{src}","payload":{payload}}}"#));
        }

        #[test]
        fn what_is_written_can_be_read(
            connection_id in "[a-z0-9_]{1,20}", sdp in "(?s).{0,200}", candidate in ".{0,100}",
        ) {
            let read = |message: ToServer| {
                let text = message.to_string();
                decode(&format!(r#"{},"src":"me"}}"#, &text[..text.len() - 1]))
            };
            let answer = Answer { connection_id: connection_id.clone(), sdp };
            prop_assert_eq!(
                read(ToServer::Answer { dst: "you".into(), answer: answer.clone() }),
                Ok(FromServer::Answer { src: "me".into(), answer })
            );
            let ice = IceCandidate { candidate, ..IceCandidate::default() };
            let candidate = Candidate { connection_id, ice };
            prop_assert_eq!(
                read(ToServer::Candidate { dst: "you".into(), candidate: candidate.clone() }),
                Ok(FromServer::Candidate { src: "me".into(), candidate })
            );
        }
    }
}
