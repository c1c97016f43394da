//! The peers that are registered, and what waits for them. No I/O: a clock comes in, mail goes out.

mod reserved;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use hustings_protocol::Short;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, trace};

pub(crate) use self::reserved::Holder;
use self::reserved::{Reserved, Times};
use super::config::{BrokerConfig, BrokerLimits};
use super::metrics::{Amounts, Counts};
use super::pool::{Held, Pool, Source};
use crate::wire::is_peer_id;

/// A thing that a socket is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mail {
    Text(Letter),
    /// Close. Nothing follows.
    Close(Goodbye),
}

/// The reason why the server closes a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goodbye {
    /// It has said that it leaves.
    Asked,
    /// Another socket with its token has taken its place. A client that came back because of this
    /// would do the same to that one, in turn and without end.
    Replaced,
    /// It was silent for too long.
    Silent,
    /// It takes too long to read a message.
    Unread,
    /// The server is shutting down.
    Shutdown,
}

impl Goodbye {
    /// The word under which it is counted.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Replaced => "replaced",
            Self::Silent => "silent",
            Self::Unread => "unread",
            Self::Shutdown => "shutdown",
        }
    }

    /// The code and the reason to close with. The codes from 4000 on are for a protocol's own use;
    /// clients know 4001.
    pub(crate) const fn frame(self) -> Option<(u16, &'static str)> {
        match self {
            Self::Asked => None,
            Self::Replaced => Some((4001, "replaced")),
            Self::Silent => Some((4000, "silent")),
            Self::Unread => Some((1008, "messages were not read")),
            Self::Shutdown => Some((1001, "going away")),
        }
    }
}

/// A text that counts as unread until it is dropped.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) text: String,
    /// None for a word of the server's own, of which there are one or two for each socket.
    _held: Option<[Held; 2]>,
}

impl Letter {
    /// A word of the server's own, at the beginning.
    pub(crate) fn first(text: String) -> Self {
        Self { text, _held: None }
    }
}

impl PartialEq for Letter {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Letter {}

/// The way to one socket. Its channel has no bound of its own: what is in it is counted.
#[derive(Debug)]
struct Mailbox {
    sender: mpsc::UnboundedSender<Mail>,
    unread: Pool,
}

/// The number of a socket, of all that ever were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SocketNumber(u64);

/// The reason why a socket may not register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Parameters,
    Key,
    Id,
    Token,
    Taken,
    /// Its holder is away, and may come back.
    Kept,
    Full,
}

impl Refused {
    /// The word under which it is counted.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Key => "key",
            Self::Id => "id",
            Self::Token => "token",
            Self::Taken => "taken",
            Self::Kept => "kept",
            Self::Full => "full",
        }
    }

    /// The message to say so. Clients know PeerServer's sentences.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Parameters => {
                r#"{"type":"ERROR","payload":{"msg":"No id, token, or key supplied to websocket server"}}"#
            }
            Self::Key => r#"{"type":"ERROR","payload":{"msg":"Invalid key provided"}}"#,
            Self::Id => r#"{"type":"ERROR","payload":{"msg":"Invalid id provided"}}"#,
            Self::Token => r#"{"type":"ERROR","payload":{"msg":"Invalid token provided"}}"#,
            Self::Taken => r#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}"#,
            // Stock clients know it as the same.
            Self::Kept => r#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken","kept":true}}"#,
            Self::Full => {
                r#"{"type":"ERROR","payload":{"msg":"Server has reached its concurrent user limit"}}"#
            }
        }
    }
}

const OPEN: &str = r#"{"type":"OPEN"}"#;
const MAX_TOKEN: usize = 256;

#[derive(Debug)]
struct Peer {
    holder: Holder,
    socket: SocketNumber,
    mailbox: Mailbox,
    last_seen: Instant,
    /// The number of its messages that wait for absent peers.
    queued: usize,
}

/// A message for somebody who is not there.
#[derive(Debug)]
struct Waiting {
    at: Instant,
    src: String,
    source: Source,
    text: String,
    _held: [Held; 2],
}

#[derive(Debug)]
pub(crate) struct Realm {
    limits: BrokerLimits,
    alive_timeout: Duration,
    expire_after: Duration,
    peers: BTreeMap<String, Peer>,
    /// The ids of those who are gone for a while.
    reserved: Reserved,
    /// By whom they are for.
    waiting: BTreeMap<String, VecDeque<Waiting>>,
    /// The messages in `waiting`, and their bytes.
    queued: Pool,
    queued_bytes: Pool,
    /// The bytes in all mailboxes.
    unread: Pool,
    last_socket: u64,
    closed: bool,
    counts: Counts,
}

#[derive(Deserialize)]
struct Received<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    dst: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Relayed<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    src: &'a str,
    dst: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
}

impl Relayed<'_> {
    fn text(&self) -> String {
        serde_json::to_string(self).expect("texts and JSON make JSON")
    }

    /// A message of the server's own about `src`.
    fn notice(kind: &str, src: &str, dst: &str) -> String {
        Relayed {
            kind,
            src,
            dst,
            payload: None,
        }
        .text()
    }
}

impl Realm {
    pub(crate) fn new(config: &BrokerConfig) -> Self {
        Self {
            limits: config.limits,
            alive_timeout: config.alive_timeout,
            expire_after: config.expire_after,
            peers: BTreeMap::new(),
            reserved: Reserved::new(
                Times {
                    plain: config.reserve_for,
                    proven: config.reserve_proven_for,
                },
                config.limits.max_reserved,
            ),
            waiting: BTreeMap::new(),
            queued: Pool::new(config.limits.max_queued),
            queued_bytes: Pool::new(config.limits.max_queued_bytes),
            unread: Pool::new(config.limits.max_unread),
            last_socket: 0,
            closed: false,
            counts: Counts::default(),
        }
    }

    /// The counts so far.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The present amounts.
    pub(crate) fn amounts(&self) -> Amounts {
        Amounts {
            peers: self.peers.len(),
            reserved: self.reserved.len(),
            queued: self.queued.used(),
            queued_bytes: self.queued_bytes.used(),
            unread_bytes: self.unread.used(),
        }
    }

    /// Says what somebody who registers would hear. So a copy of an identity can ask if the other one
    /// is still there: to register for that, with a token of nobody's, would have the id kept for
    /// nobody.
    pub(crate) fn probe(&self, id: &str, holder: &Holder, now: Instant) -> &'static str {
        match self.admits(id, holder, now) {
            Ok(()) => OPEN,
            Err(refused) => refused.message(),
        }
    }

    fn admits(&self, id: &str, holder: &Holder, now: Instant) -> Result<(), Refused> {
        if !is_peer_id(id) {
            return Err(Refused::Id);
        }
        if holder.token.len() > MAX_TOKEN {
            return Err(Refused::Token);
        }
        match self.peers.get(id) {
            Some(peer) if !peer.holder.yields_to(holder) => Err(Refused::Taken),
            Some(_) => Ok(()),
            None if self.reserved.is_for_another(id, holder, now) => Err(Refused::Kept),
            None if self.closed || self.peers.len() >= self.limits.max_peers => Err(Refused::Full),
            None => Ok(()),
        }
    }

    /// Registers a socket, whose mail comes by `sender`.
    pub(crate) fn register(
        &mut self,
        id: &str,
        mut holder: Holder,
        sender: mpsc::UnboundedSender<Mail>,
        now: Instant,
    ) -> Result<SocketNumber, Refused> {
        self.admits(id, &holder, now)
            .inspect_err(|refused| self.counts.refused(refused.word()))?;
        let queued = match self.peers.get(id) {
            Some(peer) => {
                let _ = peer.mailbox.sender.send(Mail::Close(Goodbye::Replaced));
                holder.since = peer.holder.since;
                peer.queued
            }
            // Messages of an earlier registration may still wait for others.
            None => self
                .waiting
                .values()
                .flatten()
                .filter(|w| w.src == id)
                .count(),
        };
        if let Some(last) = self.reserved.remove(id) {
            holder.since = last.since;
        }
        self.last_socket += 1;
        let socket = SocketNumber(self.last_socket);
        let peer = Peer {
            holder,
            socket,
            mailbox: Mailbox {
                sender,
                unread: Pool::new(self.limits.max_unread_each),
            },
            last_seen: now,
            queued,
        };
        self.peers.insert(id.to_owned(), peer);
        if let Some(peer) = self.peers.get(id) {
            let open = Letter::first(OPEN.to_owned());
            let _ = peer.mailbox.sender.send(Mail::Text(open));
        }
        for waiting in self.waiting.remove(id).unwrap_or_default() {
            self.forget(&waiting);
            if !self.deliver(id, waiting.source, waiting.text) {
                self.notify(&waiting.src, "EXPIRE", id);
            }
        }
        Ok(socket)
    }

    /// The socket is gone. The registration goes with it unless another socket has taken it over;
    /// the id is kept for a while.
    pub(crate) fn unregister(&mut self, id: &str, socket: SocketNumber, now: Instant) {
        if self.peers.get(id).is_some_and(|peer| peer.socket == socket)
            && let Some(peer) = self.peers.remove(id)
        {
            self.reserved.keep(id, peer.holder, now);
        }
    }

    /// Takes a message of a registered socket. What is none, or of a socket that was taken over, is
    /// ignored.
    pub(crate) fn receive(&mut self, id: &str, socket: SocketNumber, text: &str, now: Instant) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.socket != socket || !text.trim_start().starts_with('{') {
            return;
        }
        let Ok(message) = serde_json::from_str::<Received<'_>>(text) else {
            return;
        };
        let (kind, is_for_now) = match &*message.kind {
            "OFFER" => ("offer", false),
            "ANSWER" => ("answer", false),
            "CANDIDATE" => ("candidate", false),
            "LEAVE" => ("leave", true),
            // Of a peer it is its refusal of an offer: of no use later either.
            "EXPIRE" => ("expire", true),
            "HEARTBEAT" => {
                peer.last_seen = now;
                self.counts.message("heartbeat");
                return;
            }
            _ => return,
        };
        self.counts.message(kind);
        peer.last_seen = now;
        match message.dst.as_deref() {
            None | Some("") if message.kind == "LEAVE" => {
                let _ = peer.mailbox.sender.send(Mail::Close(Goodbye::Asked));
                // Nothing is reserved: it gives its id up.
                self.peers.remove(id);
            }
            Some(dst) if is_peer_id(dst) => {
                trace!(kind, from = %Short::of(id), to = %Short::of(dst), "message");
                let relayed = Relayed {
                    kind: &message.kind,
                    src: id,
                    dst,
                    payload: message.payload,
                };
                self.relay(&relayed, is_for_now, now);
            }
            Some(_) | None => {}
        }
    }

    /// Answers a registered socket, at its own expense, with what it has asked the server itself.
    pub(crate) fn tell(&mut self, id: &str, socket: SocketNumber, text: String, now: Instant) {
        let Some(peer) = self.peers.get_mut(id).filter(|peer| peer.socket == socket) else {
            return;
        };
        peer.last_seen = now;
        let source = peer.holder.source;
        self.counts.message("servers");
        self.deliver(id, source, text);
    }

    fn relay(&mut self, message: &Relayed<'_>, is_for_now: bool, now: Instant) {
        let Relayed { src, dst, .. } = *message;
        let Some(source) = self.peers.get(src).map(|peer| peer.holder.source) else {
            return;
        };
        if self.peers.contains_key(dst) {
            if !self.deliver(dst, source, message.text()) {
                self.notify(src, "EXPIRE", dst);
            }
            return;
        }
        if is_for_now {
            return;
        }
        let text = message.text();
        let Some(sender) = self.peers.get_mut(src) else {
            return;
        };
        let room = (sender.queued < self.limits.max_queued_each)
            .then(|| {
                let one = self.queued.take(source, 1)?;
                Some([one, self.queued_bytes.take(source, text.len())?])
            })
            .flatten();
        let Some(_held) = room else {
            self.notify(src, "EXPIRE", dst);
            return;
        };
        sender.queued += 1;
        let waiting = Waiting {
            at: now,
            src: src.to_owned(),
            source,
            text,
            _held,
        };
        self.waiting
            .entry(dst.to_owned())
            .or_default()
            .push_back(waiting);
    }

    /// Puts a message into somebody's mailbox. False if there is no room for more of its sender's:
    /// the reader keeps its place, for it is not the reader who has sent so much. One that reads
    /// nothing at all is found out by its socket.
    fn deliver(&self, dst: &str, source: Source, text: String) -> bool {
        let Some(peer) = self.peers.get(dst) else {
            return false;
        };
        let pools = [&peer.mailbox.unread, &self.unread];
        let [Some(each), Some(all)] = pools.map(|pool| pool.take(source, text.len())) else {
            return false;
        };
        let _held = Some([each, all]);
        let letter = Mail::Text(Letter { text, _held });
        peer.mailbox.sender.send(letter).is_ok()
    }

    /// Tells a peer something about another, at its own expense: who does not read is told no more.
    fn notify(&self, dst: &str, kind: &str, about: &str) {
        self.counts.expired();
        debug!(from = %Short::of(dst), to = %Short::of(about), "expired");
        if let Some(peer) = self.peers.get(dst) {
            self.deliver(dst, peer.holder.source, Relayed::notice(kind, about, dst));
        }
    }

    /// A message waits no longer.
    fn forget(&mut self, waiting: &Waiting) {
        if let Some(sender) = self.peers.get_mut(&waiting.src) {
            sender.queued = sender.queued.saturating_sub(1);
        }
    }

    /// Lets messages expire and drops who has fallen silent.
    pub(crate) fn tick(&mut self, now: Instant) {
        let mut expired = Vec::new();
        let after = self.expire_after;
        self.waiting.retain(|dst, queue| {
            // The newest is the last. With the first message of a sender go all that followed it:
            // an offer and its candidates are one attempt, and its end is told once.
            let late: BTreeSet<String> = queue
                .iter()
                .take_while(|waiting| now - waiting.at >= after)
                .map(|waiting| waiting.src.clone())
                .collect();
            if !late.is_empty() {
                let (gone, kept) = std::mem::take(queue)
                    .into_iter()
                    .partition(|waiting| late.contains(&waiting.src));
                *queue = kept;
                expired.push((dst.clone(), late, gone));
            }
            !queue.is_empty()
        });
        for (dst, late, gone) in expired {
            let gone: VecDeque<Waiting> = gone;
            for waiting in gone {
                self.forget(&waiting);
            }
            for src in late {
                self.notify(&src, "EXPIRE", &dst);
            }
        }
        self.reserved.tick(now);
        let (alive, reserved) = (self.alive_timeout, &mut self.reserved);
        self.peers.retain(|id, peer| {
            let is_alive = now - peer.last_seen < alive;
            if !is_alive {
                debug!(peer = %Short::of(id), "silent");
                let _ = peer.mailbox.sender.send(Mail::Close(Goodbye::Silent));
                reserved.keep(id, peer.holder.clone(), now);
            }
            is_alive
        });
    }

    /// The ids of all peers.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.peers.keys().cloned().collect()
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.peers.contains_key(id)
    }

    /// Says goodbye to everybody and takes nobody any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        for peer in self.peers.values() {
            let _ = peer.mailbox.sender.send(Mail::Close(Goodbye::Shutdown));
        }
        self.peers.clear();
    }
}

#[cfg(test)]
mod tests;
