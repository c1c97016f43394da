//! Counts for those who watch over a broker, in the text form of Prometheus.
//!
//! There is nobody's id, address or message in them. They are served at an address of their own,
//! so that it can be one that the public does not reach.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::places::Places;
use super::shared::Shared;
use super::turn::{TurnAmounts, TurnWatched};

/// The media type of the text form.
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The label of a count: one of a few words of this program's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    kind: &'static str,
}

/// The counts of a broker since it began. A copy counts the same.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    messages: Family<Of, Counter>,
    expired: Counter,
    refused: Family<Of, Counter>,
    closed: Family<Of, Counter>,
    slowed: Counter,
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counts")
    }
}

impl Counts {
    /// A peer has sent a message of this kind.
    pub(crate) fn message(&self, kind: &'static str) {
        self.messages.get_or_create(&Of { kind }).inc();
    }

    /// A message has found nobody, or no room.
    pub(crate) fn expired(&self) {
        self.expired.inc();
    }

    /// A socket was not registered, or not taken, for this reason.
    pub(crate) fn refused(&self, kind: &'static str) {
        self.refused.get_or_create(&Of { kind }).inc();
    }

    /// A socket was closed for this reason.
    pub(crate) fn closed(&self, kind: &'static str) {
        self.closed.get_or_create(&Of { kind }).inc();
    }

    /// A peer has begun to send more than it may.
    pub(crate) fn slowed(&self) {
        self.slowed.inc();
    }
}

/// The counts of TURN since it began. A copy counts the same.
#[derive(Clone, Default)]
pub(crate) struct TurnCounts {
    made: Counter,
    refused: Family<Of, Counter>,
    datagrams: Counter,
    bytes: Counter,
    lost: Family<Of, Counter>,
}

impl fmt::Debug for TurnCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TurnCounts")
    }
}

impl TurnCounts {
    /// An allocation was made.
    pub(crate) fn made(&self) {
        self.made.inc();
    }

    /// A request was refused for this reason.
    pub(crate) fn refused(&self, kind: &'static str) {
        self.refused.get_or_create(&Of { kind }).inc();
    }

    /// A datagram of so many bytes was passed on.
    pub(crate) fn relayed(&self, bytes: usize) {
        self.datagrams.inc();
        self.bytes.inc_by(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// A datagram was not passed on, for this reason.
    pub(crate) fn lost(&self, kind: &'static str) {
        self.lost.get_or_create(&Of { kind }).inc();
    }

    fn register(&self, amounts: TurnAmounts, all: &mut Registry) {
        let all = all.sub_registry_with_prefix("turn");
        for (name, help, amount) in [
            ("allocations", "Relayed addresses", amounts.allocations),
            (
                "permissions",
                "Addresses that these may exchange datagrams with",
                amounts.permissions,
            ),
            (
                "connections",
                "Clients' connections by TCP",
                amounts.connections,
            ),
        ] {
            all.register(name, help, gauge(amount));
        }
        let Self {
            made,
            refused,
            datagrams,
            bytes,
            lost,
        } = self.clone();
        all.register("made", "Relayed addresses that were given", made);
        all.register(
            "refused",
            "Requests that were refused, by the reason",
            refused,
        );
        all.register(
            "relayed_datagrams",
            "Datagrams that were passed on",
            datagrams,
        );
        all.register("relayed_bytes", "Bytes of these", bytes);
        all.register("lost", "Datagrams that were not, by the reason", lost);
    }
}

fn gauge(amount: usize) -> Gauge<i64> {
    let gauge = Gauge::default();
    // Far fewer than this can count.
    gauge.set(i64::try_from(amount).unwrap_or(i64::MAX));
    gauge
}

/// The amounts at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Amounts {
    pub(crate) peers: usize,
    pub(crate) reserved: usize,
    pub(crate) queued: usize,
    pub(crate) queued_bytes: usize,
    pub(crate) unread_bytes: usize,
}

/// The things that are watched.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) shared: Arc<Shared>,
    pub(crate) connections: Places,
    pub(crate) sockets: Places,
    pub(crate) turn: Option<(TurnWatched, TurnCounts)>,
}

/// Serves the counts at `/metrics`, and nothing else, until `stop` changes.
pub(crate) async fn serve(listener: TcpListener, watched: Watched, mut stop: watch::Receiver<()>) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .with_state(watched);
    let stopped = async move {
        let _ = stop.changed().await;
    };
    // It fails for nothing but what its future does.
    let _ = axum::serve(listener, router)
        .with_graceful_shutdown(stopped)
        .await;
}

async fn metrics(State(watched): State<Watched>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &watched.registry()) {
        Ok(()) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        // A text takes whatever is written to it.
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Watched {
    /// Everything as it is now.
    fn registry(&self) -> Registry {
        let mut all = Registry::with_prefix("hustings_broker");
        let (counts, amounts) = {
            let realm = self.shared.realm();
            (realm.counts().clone(), realm.amounts())
        };
        for (name, help, amount) in [
            ("peers", "Registered peers", amounts.peers),
            ("sockets", "Open sockets", self.sockets.count()),
            ("connections", "Other connections", self.connections.count()),
            (
                "reserved_ids",
                "Ids kept for holders who are gone",
                amounts.reserved,
            ),
            (
                "queued_messages",
                "Messages that wait for absent peers",
                amounts.queued,
            ),
            ("queued_bytes", "Bytes of these", amounts.queued_bytes),
            (
                "unread_bytes",
                "Bytes that present peers have not read",
                amounts.unread_bytes,
            ),
        ] {
            all.register(name, help, gauge(amount));
        }
        let Counts {
            messages,
            expired,
            refused,
            closed,
            slowed,
        } = counts;
        all.register("messages", "Messages of peers, by their kind", messages);
        all.register("expired", "Messages that found nobody, or no room", expired);
        all.register(
            "refused",
            "Sockets that were refused, by the reason",
            refused,
        );
        all.register("closed", "Sockets that were closed, by the reason", closed);
        let gave_way = Family::<Of, Counter>::default();
        for (kind, places) in [("connection", &self.connections), ("socket", &self.sockets)] {
            gave_way
                .get_or_create(&Of { kind })
                .inc_by(places.given_up());
        }
        all.register(
            "gave_way",
            "Connections that ended, or were not had, for want of places",
            gave_way,
        );
        all.register("slowed", "Times that a peer was slowed down", slowed);
        if let Some((watched, counts)) = &self.turn {
            counts.register(watched.amounts(), &mut all);
        }
        all
    }
}
