//! One WebSocket.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use hustings_protocol::{Address, Short};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::pool::Source;
use super::proof::{self, Hosts, Shown};
use super::rate::Rate;
use super::realm::{Goodbye, Holder, Letter, Mail, Refused, SocketNumber};
use super::shared::{Share, Shared};
use super::turn::Issuer;
use crate::wire::proof::PARAMETER;
use crate::wire::signalling::PROBE;

/// The time that a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// The words by which a socket introduces itself.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Parameters {
    id: Option<String>,
    token: Option<String>,
    key: Option<String>,
    proof: Option<String>,
    probe: Option<String>,
    ice: Option<String>,
}

/// Serves a socket until either side is done with it. `host` is the one that the client has called.
pub(crate) async fn serve(
    socket: WebSocket,
    source: Source,
    host: Option<String>,
    parameters: Parameters,
    shared: Arc<Shared>,
) {
    let (mut sink, mut stream) = socket.split();
    let (sender, mailbox) = mpsc::unbounded_channel();
    // As much for one message as for the bytes below it.
    let patience = shared.config.write_timeout;
    debug!("connected");
    let mut why = None;
    let registered = match introduce(&parameters, &shared) {
        Ok(who) => {
            let shown = match parameters.address() {
                Some(address) => {
                    let own = &shared.config.public_hosts;
                    let called = host.as_deref();
                    let hosts = Hosts { own, called };
                    proof::ask(&mut sink, &mut stream, address, &who.token, hosts).await
                }
                None => Shown::Nothing,
            };
            if shown == Shown::Gone {
                return;
            }
            let now = Instant::now();
            let holder = Holder {
                token: who.token,
                is_proven: shown == Shown::Key,
                source,
                since: now,
            };
            if parameters.is_probe() {
                debug!(peer = %Short::of(&who.id), "asked for");
                Err(shared.realm().probe(&who.id, &holder, now))
            } else {
                if let Some(issuer) = &shared.issuer
                    && Issuer::is_wanted(parameters.ice.as_deref())
                {
                    // It is read by nobody unless the socket is registered, and then before OPEN:
                    // so the first dial has them.
                    let servers = Letter::first(issuer.message(&who.id, host.as_deref()));
                    let _ = sender.send(Mail::Text(servers));
                }
                let number = shared.realm().register(&who.id, holder, sender, now);
                let number = number.inspect_err(|refused| {
                    debug!(peer = %Short::of(&who.id), reason = refused.word(), "refused");
                });
                let number = number.map_err(Refused::message);
                number.map(|number| (who.id, number))
            }
        }
        Err(refused) => {
            debug!(reason = refused.word(), "refused");
            shared.realm().counts().refused(refused.word());
            Err(refused.message())
        }
    };
    match registered {
        Ok((id, number)) => {
            debug!(peer = %Short::of(&id), "registered");
            let share = shared.share(source, Instant::now());
            let who = Registered {
                id: &id,
                number,
                host: host.as_deref(),
            };
            tokio::select! {
                () = read(&mut stream, &who, &share, &shared) => {}
                goodbye = write(&mut sink, mailbox, patience) => why = goodbye,
            }
            shared.realm().unregister(&id, number, Instant::now());
            let reason = why.map_or("gone", Goodbye::word);
            debug!(peer = %Short::of(&id), reason, "closed");
        }
        Err(answer) => {
            let _ = timeout(patience, sink.send(Message::text(answer))).await;
        }
    }
    if let Some(why) = why {
        shared.realm().counts().closed(why.word());
    }
    let goodbye = async {
        if let Some((code, reason)) = why.and_then(Goodbye::frame) {
            let reason = reason.into();
            let _ = sink
                .send(Message::Close(Some(CloseFrame { code, reason })))
                .await;
        }
        let _ = sink.close().await;
        // Until the other side has closed, too: it may not have read everything yet.
        while let Some(Ok(_)) = stream.next().await {}
    };
    let _ = timeout(GOODBYE, goodbye).await;
}

impl Parameters {
    /// True if the socket only asks if the id is free.
    fn is_probe(&self) -> bool {
        let (_, value) = PROBE;
        self.probe.as_deref() == Some(value)
    }

    /// The id, if its key is to be shown.
    fn address(&self) -> Option<Address> {
        let (_, value) = PARAMETER;
        let is_offered = self.proof.as_deref() == Some(value);
        let id = self.id.as_deref().filter(|_| is_offered);
        id.and_then(|id| id.parse().ok())
    }
}

/// The one that a socket says it is.
struct Introduced {
    id: String,
    token: String,
}

fn introduce(parameters: &Parameters, shared: &Shared) -> Result<Introduced, Refused> {
    let given = |parameter: &Option<String>| {
        parameter
            .clone()
            .filter(|text| !text.is_empty())
            .ok_or(Refused::Parameters)
    };
    let (id, token) = (given(&parameters.id)?, given(&parameters.token)?);
    if given(&parameters.key)? != shared.config.key {
        return Err(Refused::Key);
    }
    Ok(Introduced { id, token })
}

/// The bytes that a message has cost.
fn length(message: &Message) -> f64 {
    let bytes = match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    };
    // No message is as large as what this cannot count.
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX))
}

/// A socket that is registered.
#[derive(Debug, Clone, Copy)]
struct Registered<'a> {
    id: &'a str,
    number: SocketNumber,
    /// The host that it has called.
    host: Option<&'a str>,
}

async fn read(
    stream: &mut SplitStream<WebSocket>,
    who: &Registered<'_>,
    share: &Share,
    shared: &Shared,
) {
    let Registered { id, number, host } = *who;
    let limits = &shared.config.limits;
    let (per_second, burst) = (limits.messages_per_second, limits.message_burst);
    let mut rate = Rate::new(per_second, burst, Instant::now());
    let (bytes_per_second, byte_burst) = (limits.bytes_per_second, limits.byte_burst);
    let mut bytes = Rate::new(bytes_per_second, byte_burst, Instant::now());
    let mut is_slowed = false;
    while let Some(Ok(message)) = stream.next().await {
        let now = Instant::now();
        // Not to read is what slows the sender down.
        let delay = rate
            .take(now, 1.0)
            .max(bytes.take(now, length(&message)))
            .max(share.take(now));
        let was_slowed = std::mem::replace(&mut is_slowed, !delay.is_zero());
        if is_slowed {
            // Once for each time that it is too fast, or the log would be what slows it down.
            if !was_slowed {
                warn!(peer = %Short::of(id), "rate-limited");
                shared.realm().counts().slowed();
            }
            sleep(delay).await;
        }
        match message {
            Message::Text(text) => {
                let now = Instant::now();
                match &shared.issuer {
                    Some(issuer) if Issuer::is_asked(text.as_str()) => {
                        let servers = issuer.message(id, host);
                        shared.realm().tell(id, number, servers, now);
                    }
                    Some(_) | None => shared.realm().receive(id, number, text.as_str(), now),
                }
            }
            // Pings are answered below; nothing says anything in binary.
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return,
        }
    }
}

/// Done when the socket is broken, or with the reason to close it.
async fn write(
    sink: &mut SplitSink<WebSocket, Message>,
    mut mailbox: mpsc::UnboundedReceiver<Mail>,
    patience: Duration,
) -> Option<Goodbye> {
    while let Some(mail) = mailbox.recv().await {
        match mail {
            Mail::Text(letter) => {
                let message = Message::text(letter.text.as_str());
                match timeout(patience, sink.send(message)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return None,
                    Err(_) => return Some(Goodbye::Unread),
                }
            }
            Mail::Close(goodbye) => return Some(goodbye),
        }
    }
    None
}
