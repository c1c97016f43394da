//! The state of everything, as JSON for a supervisor: a file that is replaced, or an answer by
//! HTTP.
//!
//! Fields may be added, and none is renamed or gets another meaning.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use hustings_protocol::PeerId;
use serde::Serialize;
use tokio::net::TcpListener;
use tracing::warn;

use crate::cli;
use crate::failure::Failure;
use crate::folder::replace;

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview {
    pub(super) program: &'static str,
    pub(super) version: &'static str,
    /// `hosting` or `ending`.
    pub(super) state: &'static str,
    pub(super) owner: PeerId,
    /// The start, in milliseconds since 1970.
    pub(super) since: u64,
    pub(super) server: Server,
    /// The devices that are in the polls.
    pub(super) links: usize,
    /// Connections of others: in the handshake, or not yet up.
    pub(super) pending: usize,
    /// True if somebody was turned away for want of room, and there is none.
    pub(super) full: bool,
    pub(super) polls: Vec<PollStatus>,
}

/// The signalling server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Server {
    pub(super) address: String,
    /// `connecting`, `registered`, `address-taken`, `yielded`, `disconnected`, `failed` or `gone`.
    pub(super) registration: &'static str,
    pub(super) reason: Option<String>,
}

/// A poll, or a file or journal of which there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PollStatus {
    pub(super) link: Option<String>,
    pub(super) file: Option<String>,
    /// `hosted`, `closed` or `failed`.
    pub(super) state: &'static str,
    pub(super) title: Option<String>,
    pub(super) revision: Option<u64>,
    pub(super) voters: Option<u64>,
    pub(super) closed: Option<bool>,
    pub(super) closes_at: Option<u64>,
    pub(super) links: usize,
    /// The fault that it has.
    pub(super) fault: Option<String>,
}

/// The place where it is shown.
pub(super) struct Board {
    place: Place,
    last: Option<Overview>,
}

enum Place {
    Nowhere,
    File(PathBuf),
    Http(Arc<Mutex<String>>),
}

impl Board {
    pub(super) async fn open(to: Option<&cli::Status>) -> Result<Self, Failure> {
        let place = match to {
            None => Place::Nowhere,
            Some(cli::Status::File(path)) => Place::File(path.clone()),
            Some(cli::Status::Address(at)) => {
                let failed = |error| Failure::Status {
                    at: at.to_string(),
                    error,
                };
                let listener = TcpListener::bind(at).await.map_err(failed)?;
                let at = listener.local_addr().map_err(failed)?;
                // For whoever has let the system choose the port.
                crate::say::note(&format!("status at http://{at}/"));
                let text = Arc::new(Mutex::new(String::from("{}")));
                tokio::spawn(serve(listener, Arc::clone(&text)));
                Place::Http(text)
            }
        };
        Ok(Self { place, last: None })
    }

    /// Shows it, if it has changed.
    pub(super) fn show(&mut self, now: Overview) -> Result<(), Failure> {
        if self.last.as_ref() == Some(&now) {
            return Ok(());
        }
        let text = serde_json::to_string(&now).unwrap_or_default();
        match &self.place {
            Place::Nowhere => {}
            // A disk that is full ends the polls by itself; a status alone does not.
            Place::File(path) => {
                if let Err(failure) = replace(path, &format!("{text}\n")) {
                    if self.last.is_none() {
                        return Err(failure);
                    }
                    warn!(code = failure.word(), "the status is not written");
                }
            }
            Place::Http(shown) => {
                *shown.lock().unwrap_or_else(PoisonError::into_inner) = text;
            }
        }
        self.last = Some(now);
        Ok(())
    }

    /// Shows nothing any more: whoever finds no file knows that nothing runs.
    pub(super) fn clear(&self) {
        if let Place::File(path) = &self.place {
            // Somebody may have been faster.
            let _ = fs::remove_file(path);
        }
    }
}

/// Answers whoever asks, on loopback.
async fn serve(listener: TcpListener, text: Arc<Mutex<String>>) {
    let answer = move || {
        let text = text.lock().unwrap_or_else(PoisonError::into_inner).clone();
        async move { ([(CONTENT_TYPE, "application/json")], text) }
    };
    let router = Router::new().route("/", get(answer));
    // It ends with the program.
    let _ = axum::serve(listener, router).await;
}
