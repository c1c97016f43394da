//! Asking a client to show that an id is its own (see [`crate::wire`]).

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use hustings_protocol::handshake::{Nonce, Signature};
use hustings_protocol::{Address, Excerpt};
use serde::Deserialize;
use tokio::time::timeout;
use tracing::{debug, info};

use crate::wire::proof::{NONCE, PROOF, Statement};

/// The time that an answer may take. A page signs in a millisecond.
const ANSWER: Duration = Duration::from_secs(10);
/// The number of messages among which the answer has to be. A client may send a heartbeat before
/// it has heard anything.
const MESSAGES: usize = 8;

/// The names of this server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hosts<'a> {
    /// Its own, if somebody has said them.
    pub(crate) own: &'a [String],
    /// The one by which this client has called it. Somebody who passes on what others sign can
    /// write what it likes here, unless a proxy takes requests for its own names alone.
    pub(crate) called: Option<&'a str>,
}

impl Hosts<'_> {
    fn have(&self, host: &str) -> bool {
        if self.own.is_empty() {
            self.called
                .is_some_and(|own| own.eq_ignore_ascii_case(host))
        } else {
            self.own.iter().any(|own| own.eq_ignore_ascii_case(host))
        }
    }
}

/// A thing that a client has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It has the key of its id.
    Key,
    /// It has not, or nobody can tell. Then it is one like all others.
    Nothing,
    /// It has gone.
    Gone,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "type")]
    kind: String,
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    host: String,
    signature: Signature,
}

/// Lets a client sign for its address.
pub(crate) async fn ask(
    sink: &mut SplitSink<WebSocket, Message>,
    stream: &mut SplitStream<WebSocket>,
    address: Address,
    token: &str,
    hosts: Hosts<'_>,
) -> Shown {
    let mut bytes = [0; 32];
    if getrandom::fill(&mut bytes).is_err() {
        return Shown::Nothing;
    }
    let nonce = Nonce::from_bytes(bytes);
    let question = format!(r#"{{"type":"{NONCE}","payload":{{"nonce":"{nonce}"}}}}"#);
    let payload = match timeout(ANSWER, answer(sink, stream, question)).await {
        Ok(Ok(Some(payload))) => payload,
        Ok(Ok(None)) | Err(_) => {
            debug!("it does not answer the question for a proof");
            return Shown::Nothing;
        }
        Ok(Err(Gone)) => return Shown::Gone,
    };
    let Payload { host, signature } = payload;
    if !hosts.have(&host) {
        // A proxy may have written another Host header, which --public-host is for.
        info!(host = %Excerpt(&host), "a proof for another host");
        return Shown::Nothing;
    }
    let statement = Statement {
        address,
        token,
        nonce,
        host: &host,
    };
    if statement.is_signed(&signature) {
        Shown::Key
    } else {
        Shown::Nothing
    }
}

struct Gone;

/// The answer, or none if it says everything else.
async fn answer(
    sink: &mut SplitSink<WebSocket, Message>,
    stream: &mut SplitStream<WebSocket>,
    question: String,
) -> Result<Option<Payload>, Gone> {
    sink.send(Message::text(question)).await.map_err(|_| Gone)?;
    for _ in 0..MESSAGES {
        let text = match stream.next().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Gone),
        };
        if let Ok(Answer { kind, payload }) = serde_json::from_str(text.as_str())
            && kind == PROOF
        {
            return Ok(Some(payload));
        }
    }
    Ok(None)
}
