//! Answering clients: who they are, and what they are granted.

mod grants;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::net::UdpSocket;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use turn_types::attribute::{Data, XorPeerAddress};
use turn_types::channel::ChannelData;
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND};
use turn_types::stun::attribute::{
    AttributeType, ErrorCode, MessageIntegrity, Nonce, Realm, Username, XorMappedAddress,
};
use turn_types::stun::message::{BINDING, Message, MessageClass};
use turn_types::stun::prelude::{Attribute, AttributeStaticType};

use super::super::metrics::TurnCounts;
use super::super::pool::Pool;
use super::allocation::{Client, Way};
use super::config::{Secret, TurnConfig, TurnError};
use super::credentials::{self, Claim, REALM, Unfit};
use super::networks::Networks;
use super::nonces::Nonces;
use super::ports::{Ports, own_addresses};
use super::relay::{MAX_DATAGRAM, Step, Target};
use super::replies::Reply;
use super::strangers::Strangers;
use super::table::{Table, TurnAmounts};

/// Datagrams that one socket reads before others have their turn.
const AT_ONCE: usize = 64;

/// Everything that clients share.
#[derive(Debug)]
pub(crate) struct Server {
    secret: Secret,
    nonces: Nonces,
    networks: Networks,
    ports: Ports,
    counts: TurnCounts,
    strangers: Mutex<Strangers>,
    table: Mutex<Table>,
    tasks: Mutex<JoinSet<()>>,
    pub(super) connections: Pool,
}

/// A request whose sender has shown who it is.
struct Shown<'a> {
    message: &'a Message<'a>,
    username: String,
    claim: Claim,
}

impl Shown<'_> {
    fn refuse(&self, code: u16) -> Vec<u8> {
        Reply::error(self.message, code).signed(&self.claim.key)
    }
}

/// A refusal: the word under which it is counted, and the answer.
type Refusal = (&'static str, Vec<u8>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics between two of their changes.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seconds since 1970.
pub(crate) fn unix_time() -> u64 {
    // A clock before that makes credentials that are over.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

impl Server {
    pub(crate) fn new(
        config: &TurnConfig,
        secret: Secret,
        counts: TurnCounts,
        now: Instant,
    ) -> Result<Self, TurnError> {
        let mut own = own_addresses();
        let ports = Ports::new(config, &own);
        if ports.told().next().is_none() {
            return Err(TurnError::NoAddress);
        }
        own.extend(ports.told());
        let per_second = config.limits.stranger_answers_per_second;
        Ok(Self {
            secret,
            nonces: Nonces::new(now)?,
            networks: Networks::new(config.allow.clone(), own),
            ports,
            counts,
            strangers: Mutex::new(Strangers::new(per_second, now)),
            table: Mutex::new(Table::new(config.limits)),
            tasks: Mutex::new(JoinSet::new()),
            connections: Pool::new(config.limits.max_tcp),
        })
    }

    pub(crate) fn amounts(&self) -> TurnAmounts {
        TurnAmounts {
            connections: self.connections.used(),
            ..locked(&self.table).amounts()
        }
    }

    /// Runs something until it ends, or until everything does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        locked(&self.tasks).spawn(task)
    }

    /// Forgets what is over.
    pub(crate) fn tick(&self, now: Instant) {
        locked(&self.table).expire(now);
        let mut tasks = locked(&self.tasks);
        while tasks.try_join_next().is_some() {}
    }

    /// Ends everything, and returns when all of it has ended.
    pub(crate) async fn close(&self) {
        loop {
            let mut tasks = std::mem::take(&mut *locked(&self.tasks));
            if tasks.is_empty() {
                break;
            }
            // One of them may begin another until it has ended.
            tasks.shutdown().await;
        }
        locked(&self.table).clear();
    }

    /// Has everything end soon.
    pub(crate) fn abort(&self) {
        locked(&self.tasks).abort_all();
        locked(&self.table).clear();
    }

    /// There is no room for a connection.
    pub(crate) fn crowded(&self) {
        self.counts.refused("crowded");
    }

    /// A client is gone, and so is what it had.
    pub(crate) fn leave(&self, client: &Client) {
        locked(&self.table).remove(client);
    }

    /// True if a client has an allocation.
    pub(crate) fn has(&self, client: &Client) -> bool {
        locked(&self.table).get(client, Instant::now()).is_some()
    }

    /// The address that others reach its clients at.
    pub(crate) fn relays_from(&self) -> Option<IpAddr> {
        self.ports.told().next()
    }

    /// Takes a message of a client's. What is none is ignored.
    pub(crate) fn receive(self: &Arc<Self>, client: &Client, way: &Way, bytes: &[u8]) {
        let now = Instant::now();
        // The first two bits tell the two kinds apart.
        match bytes.first().map(|first| first >> 6) {
            Some(0) => {
                let Ok(message) = Message::from_bytes(bytes) else {
                    return;
                };
                if message.has_class(MessageClass::Request) {
                    if let Some(answer) = self.answer(&message, client, way, now) {
                        way.send(answer);
                    }
                } else if message.has_class(MessageClass::Indication) && message.has_method(SEND) {
                    self.send(&message, client, now);
                }
            }
            Some(1) => {
                if let Ok(channel) = ChannelData::parse(bytes) {
                    let target = Target::Channel(channel.id());
                    self.pass_on(client, target, channel.data(), now);
                }
            }
            Some(_) | None => {}
        }
    }

    fn send(&self, message: &Message<'_>, client: &Client, now: Instant) {
        let Ok(address) = message.attribute::<XorPeerAddress>() else {
            return;
        };
        let Ok(data) = message.attribute::<Data<'_>>() else {
            return;
        };
        let known = [XorPeerAddress::TYPE, Data::TYPE];
        if unknown(message, &known).is_empty() {
            let target = Target::Address(address.addr(message.transaction_id()));
            self.pass_on(client, target, data.data(), now);
        }
    }

    fn pass_on(&self, client: &Client, target: Target, data: &[u8], now: Instant) {
        let step = locked(&self.table).outgoing(client, target, data, &self.networks, now);
        match step {
            Ok(Step::Out(socket, to)) => {
                let _ = socket.try_send_to(data, to);
                self.counts.relayed(data.len());
            }
            Ok(Step::Back(way, bytes)) => {
                way.send(bytes);
                self.counts.relayed(data.len());
            }
            Err(lost) => self.counts.lost(lost.word()),
        }
    }

    /// Takes what comes to a relayed address, until the allocation ends.
    async fn listen(self: Arc<Self>, client: Client, socket: Arc<UdpSocket>) {
        while socket.readable().await.is_ok() {
            // One byte more than is relayed tells what is too large.
            let mut buffer = [0; MAX_DATAGRAM + 1];
            for _ in 0..AT_ONCE {
                match socket.try_recv_from(&mut buffer) {
                    Ok((length, from)) => self.arrived(&client, from, &buffer[..length]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // Of what was sent before: it says that somebody is not there.
                    Err(_) => {}
                }
            }
            tokio::task::yield_now().await;
        }
    }

    fn arrived(&self, client: &Client, from: SocketAddr, data: &[u8]) {
        let now = Instant::now();
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let step = locked(&self.table).incoming(client, from, data, &self.networks, now);
        match step {
            Ok((way, bytes)) => {
                way.send(bytes);
                self.counts.relayed(data.len());
            }
            Err(lost) => self.counts.lost(lost.word()),
        }
    }

    fn answer(
        self: &Arc<Self>,
        message: &Message<'_>,
        client: &Client,
        way: &Way,
        now: Instant,
    ) -> Option<Vec<u8>> {
        if message.has_method(BINDING) {
            let may = locked(&self.strangers).may_be_answered(client.source(), now);
            let mapped = XorMappedAddress::new(client.remote(), message.transaction_id());
            return may.then(|| Reply::success(message).with(&mapped).plain());
        }
        let shown = match self.show(message, client, now) {
            Ok(shown) => shown,
            Err((word, answer)) => {
                self.counts.refused(word);
                let may = locked(&self.strangers).may_be_answered(client.source(), now);
                return may.then_some(answer);
            }
        };
        let answer = match message.method() {
            ALLOCATE => self.allocate(&shown, client, way, now),
            REFRESH => self.refresh(&shown, client, now),
            CREATE_PERMISSION => self.permit(&shown, client, now),
            CHANNEL_BIND => self.bind(&shown, client, now),
            _ => Err(("malformed", shown.refuse(ErrorCode::BAD_REQUEST))),
        };
        Some(answer.unwrap_or_else(|(word, answer)| {
            self.counts.refused(word);
            answer
        }))
    }

    /// Sees who has sent a request. Nothing is kept of those who do not say it.
    fn show<'a>(
        &self,
        message: &'a Message<'a>,
        client: &Client,
        now: Instant,
    ) -> Result<Shown<'a>, Refusal> {
        let challenge = |code| {
            let realm = Realm::new(REALM).expect("a word is a realm");
            let nonce = self.nonces.make(client.remote(), now);
            let nonce = Nonce::new(&nonce).expect("a few digits are a nonce");
            Reply::error(message, code)
                .with(&realm)
                .with(&nonce)
                .plain()
        };
        if !message.has_attribute(MessageIntegrity::TYPE) {
            return Err(("no credentials", challenge(ErrorCode::UNAUTHORIZED)));
        }
        let (Ok(username), Ok(_), Ok(nonce)) = (
            message.attribute::<Username>(),
            message.attribute::<Realm>(),
            message.attribute::<Nonce>(),
        ) else {
            let answer = Reply::error(message, ErrorCode::BAD_REQUEST).plain();
            return Err(("malformed", answer));
        };
        if !self.nonces.is_good(nonce.nonce(), client.remote(), now) {
            return Err(("stale nonce", challenge(ErrorCode::STALE_NONCE)));
        }
        let username = username.username().to_owned();
        let claim = credentials::read(&self.secret, &username, unix_time()).map_err(|unfit| {
            let word = match unfit {
                Unfit::Malformed => "wrong credentials",
                Unfit::Expired => "expired credentials",
            };
            (word, challenge(ErrorCode::UNAUTHORIZED))
        })?;
        if message.validate_integrity_with_key(&claim.key).is_err() {
            return Err(("wrong credentials", challenge(ErrorCode::UNAUTHORIZED)));
        }
        Ok(Shown {
            message,
            username,
            claim,
        })
    }
}

/// The attributes that have to be understood and are not.
fn unknown(message: &Message<'_>, known: &[AttributeType]) -> Vec<AttributeType> {
    const OF_ALL: [AttributeType; 4] = [
        Username::TYPE,
        Realm::TYPE,
        Nonce::TYPE,
        MessageIntegrity::TYPE,
    ];
    let types = message.iter_attributes().map(|(_, of)| of.get_type());
    types
        .filter(|of| of.comprehension_required() && !OF_ALL.contains(of) && !known.contains(of))
        .collect()
}
