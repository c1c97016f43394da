//! A signalling server that attacks those who use it, for the tests in a browser.
//!
//! It stands before an honest one (`hustings-attacker --broker 9000`) and sees and changes
//! everything that goes by, as whoever runs a signalling server can. The path by which somebody
//! comes to it says what is done to them:
//!
//! - `/impostor/<seen>/<real>/`: whoever they take for the peer `seen` is the peer `real`. What
//!   they send to `seen` goes to `real`, and what comes from `real` comes in the name of `seen`.
//! - `/certificate/<seen>/<real>/`: the descriptions that they send and get name other certificates
//!   than those that are used. Here the names only tell one attack from another.
//!
//! `POST <path>end` ends it: from then on everything that goes this way is passed on as it is.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::ws::{self, WebSocket};
use axum::extract::{Path, RawQuery, State, WebSocketUpgrade};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use clap::Parser;
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_tungstenite::{connect_async, tungstenite};

/// Introduces peers to the wrong people.
#[derive(Parser)]
struct Args {
    /// The port of the honest server, on this machine
    #[arg(long)]
    broker: u16,
}

struct Attacker {
    broker: u16,
    /// The attacks that are over.
    ended: Mutex<BTreeSet<Attack>>,
}

/// The things done to those who come by one path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Attack {
    kind: Kind,
    seen: String,
    real: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Impostor,
    Certificate,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let attacker = Arc::new(Attacker {
        broker: Args::parse().broker,
        ended: Mutex::default(),
    });
    let router = Router::new()
        .route("/{kind}/{seen}/{real}/peerjs", any(serve))
        .route("/{kind}/{seen}/{real}/end", post(end))
        .with_state(attacker);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening at {}", listener.local_addr()?);
    axum::serve(listener, router).await
}

async fn end(
    State(attacker): State<Arc<Attacker>>,
    Path(attack): Path<Attack>,
) -> impl IntoResponse {
    attacker.ended().insert(attack);
    // The page that asks is from elsewhere.
    [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")]
}

async fn serve(
    State(attacker): State<Arc<Attacker>>,
    Path(attack): Path<Attack>,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response {
    let query = query.unwrap_or_default();
    let url = format!("ws://127.0.0.1:{}/peerjs?{query}", attacker.broker);
    upgrade.on_upgrade(|socket| relay(socket, url, attack, attacker))
}

/// Passes messages on between a page and the honest server until one of them is done.
async fn relay(page: WebSocket, url: String, attack: Attack, attacker: Arc<Attacker>) {
    let Ok((server, _)) = connect_async(url).await else {
        return;
    };
    let (mut to_server, mut from_server) = server.split();
    let (mut to_page, mut from_page) = page.split();
    let out = async {
        while let Some(Ok(message)) = from_page.next().await {
            if let ws::Message::Text(text) = message {
                let text = attacker.tampered(&attack, "dst", text.as_str());
                if to_server
                    .send(tungstenite::Message::text(text))
                    .await
                    .is_err()
                {
                    return;
                }
            }
        }
    };
    let back = async {
        while let Some(Ok(message)) = from_server.next().await {
            if let tungstenite::Message::Text(text) = message {
                let text = attacker.tampered(&attack, "src", text.as_str());
                if to_page.send(ws::Message::text(text)).await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = out => {}
        () = back => {}
    }
}

impl Attacker {
    fn ended(&self) -> MutexGuard<'_, BTreeSet<Attack>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The message as it is passed on. `other` is its field with the other peer: `dst` in what a
    /// page sends, `src` in what it gets.
    fn tampered(&self, attack: &Attack, other: &str, text: &str) -> String {
        match serde_json::from_str(text) {
            Ok(mut message) if !self.ended().contains(attack) => {
                attack.tamper(other, &mut message);
                message.to_string()
            }
            Ok(_) | Err(_) => text.to_owned(),
        }
    }
}

impl Attack {
    fn tamper(&self, other: &str, message: &mut Value) {
        match self.kind {
            Kind::Impostor => {
                let (from, to) = match other {
                    "dst" => (&self.seen, &self.real),
                    _ => (&self.real, &self.seen),
                };
                if message[other] == **from {
                    message[other] = to.as_str().into();
                }
            }
            Kind::Certificate => {
                if let Some(Value::String(sdp)) = message.pointer_mut("/payload/sdp/sdp") {
                    *sdp = with_other_certificate(sdp);
                }
            }
        }
    }
}

/// The description with the bytes of each fingerprint in the opposite order: that of no
/// certificate.
fn with_other_certificate(sdp: &str) -> String {
    const BEFORE: &str = "a=fingerprint:sha-256 ";
    sdp.split_inclusive("\r\n")
        .map(|line| match line.trim_end().strip_prefix(BEFORE) {
            Some(hex) => {
                let bytes: Vec<&str> = hex.rsplit(':').collect();
                format!("{BEFORE}{}\r\n", bytes.join(":"))
            }
            None => line.to_owned(),
        })
        .collect()
}
