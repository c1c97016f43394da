//! Answering clients: who they are, and what they are granted.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::UdpSocket;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use turn_types::AddressFamily;
use turn_types::attribute::{
    ChannelNumber, Data, Lifetime, RequestedAddressFamily, RequestedTransport, XorPeerAddress,
    XorRelayedAddress,
};
use turn_types::channel::ChannelData;
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND};
use turn_types::stun::attribute::{
    AttributeType, ErrorCode, MessageIntegrity, Nonce, Realm, Username, XorMappedAddress,
};
use turn_types::stun::message::{BINDING, Message, MessageClass};
use turn_types::stun::prelude::{Attribute, AttributeFromRaw, AttributeStaticType};

use super::super::metrics::TurnCounts;
use super::super::pool::Pool;
use super::allocation::{Allocation, Client, Denied, Permissions, Task, Way};
use super::config::{Secret, TurnConfig, TurnError};
use super::credentials::{self, Claim, REALM, Unfit};
use super::networks::Networks;
use super::nonces::Nonces;
use super::ports::{Ports, own_addresses};
use super::relay::{MAX_DATAGRAM, Step, Target};
use super::replies::Reply;
use super::strangers::Strangers;
use super::table::{NoRoom, Table, TurnAmounts};

/// The time that an allocation has if its client asks for none, or for less, in seconds.
const LIFETIME: u32 = 10 * 60;
/// The longest time that it gets at once.
const MAX_LIFETIME: u32 = 60 * 60;
/// The channels' numbers, by RFC 8656, and those of RFC 5766, which clients still use.
const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x7fff;
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

    fn allocate(
        self: &Arc<Self>,
        shown: &Shown<'_>,
        client: &Client,
        way: &Way,
        now: Instant,
    ) -> Result<Vec<u8>, Refusal> {
        let message = shown.message;
        let known = [
            RequestedTransport::TYPE,
            RequestedAddressFamily::TYPE,
            Lifetime::TYPE,
        ];
        check_attributes(shown, &known)?;
        let mut table = locked(&self.table);
        if let Some(allocation) = table.get(client, now) {
            // A request that came twice has one answer.
            if allocation.request == message.transaction_id()
                && allocation.username == shown.username
            {
                return Ok(granted(shown, allocation, client, now));
            }
            return Err(("mismatch", shown.refuse(ErrorCode::ALLOCATION_MISMATCH)));
        }
        table.remove(client);
        let Ok(transport) = message.attribute::<RequestedTransport>() else {
            return Err(("malformed", shown.refuse(ErrorCode::BAD_REQUEST)));
        };
        if transport.protocol() != RequestedTransport::UDP {
            let code = ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL;
            return Err(("unsupported", shown.refuse(code)));
        }
        let is_v4 = match message.attribute::<RequestedAddressFamily>() {
            Ok(requested) => requested.family() == AddressFamily::IPV4,
            Err(_) => true,
        };
        let Some(outside) = self.ports.outside(is_v4) else {
            let code = ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED;
            return Err(("unsupported", shown.refuse(code)));
        };
        let peer = &shown.claim.peer;
        let (held, bounds) = table.make_room(client, peer, now).map_err(|no| match no {
            NoRoom::Quota => ("quota", shown.refuse(ErrorCode::ALLOCATION_QUOTA_REACHED)),
            NoRoom::Full => ("full", shown.refuse(ErrorCode::INSUFFICIENT_CAPACITY)),
        })?;
        let (socket, relayed) = match self.ports.open(outside) {
            Ok((socket, relayed)) => (Arc::new(socket), relayed),
            Err(error) => {
                table.give_up(peer);
                tracing::warn!(%error, "no socket to relay from");
                return Err(("full", shown.refuse(ErrorCode::INSUFFICIENT_CAPACITY)));
            }
        };
        let listening = Arc::clone(self).listen(*client, Arc::clone(&socket));
        let allocation = Allocation {
            username: shown.username.clone(),
            peer: peer.clone(),
            way: way.clone(),
            socket,
            relayed,
            request: message.transaction_id(),
            until: now + lifetime(message),
            bounds,
            permissions: Permissions::default(),
            _task: Task(self.spawn(listening)),
            _held: held,
        };
        let answer = granted(shown, &allocation, client, now);
        table.insert(*client, allocation);
        self.counts.made();
        Ok(answer)
    }

    fn refresh(
        &self,
        shown: &Shown<'_>,
        client: &Client,
        now: Instant,
    ) -> Result<Vec<u8>, Refusal> {
        check_attributes(shown, &[Lifetime::TYPE, RequestedAddressFamily::TYPE])?;
        let mut table = locked(&self.table);
        let allocation = own(&mut table, shown, client, now)?;
        if let Ok(requested) = shown.message.attribute::<RequestedAddressFamily>()
            && (requested.family() == AddressFamily::IPV4) != allocation.relayed.is_ipv4()
        {
            let code = ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH;
            return Err(("mismatch", shown.refuse(code)));
        }
        let asked = shown.message.attribute::<Lifetime>();
        let lifetime = if asked.is_ok_and(|asked| asked.seconds() == 0) {
            table.remove(client);
            Duration::ZERO
        } else {
            let lifetime = lifetime(shown.message);
            allocation.until = now + lifetime;
            lifetime
        };
        let answer = Reply::success(shown.message).with(&seconds(lifetime));
        Ok(answer.signed(&shown.claim.key))
    }

    fn permit(&self, shown: &Shown<'_>, client: &Client, now: Instant) -> Result<Vec<u8>, Refusal> {
        let message = shown.message;
        check_attributes(shown, &[XorPeerAddress::TYPE])?;
        let mut table = locked(&self.table);
        let allocation = own(&mut table, shown, client, now)?;
        let mut addresses = Vec::new();
        for (_, attribute) in message.iter_attributes() {
            if attribute.get_type() != XorPeerAddress::TYPE {
                continue;
            }
            let Ok(address) = XorPeerAddress::from_raw(attribute) else {
                return Err(("malformed", shown.refuse(ErrorCode::BAD_REQUEST)));
            };
            let address = address.addr(message.transaction_id());
            self.check_address(shown, address, allocation)?;
            addresses.push(address.ip());
        }
        if addresses.is_empty() {
            return Err(("malformed", shown.refuse(ErrorCode::BAD_REQUEST)));
        }
        let Allocation {
            permissions,
            bounds,
            ..
        } = allocation;
        let granted = permissions.permit(&addresses, bounds, now);
        granted.map_err(|denied| refuse(shown, denied))?;
        Ok(Reply::success(message).signed(&shown.claim.key))
    }

    fn bind(&self, shown: &Shown<'_>, client: &Client, now: Instant) -> Result<Vec<u8>, Refusal> {
        let message = shown.message;
        check_attributes(shown, &[XorPeerAddress::TYPE, ChannelNumber::TYPE])?;
        let mut table = locked(&self.table);
        let allocation = own(&mut table, shown, client, now)?;
        let number = message.attribute::<ChannelNumber>();
        let number = number.map(|number| number.channel());
        let number = number.ok().filter(|number| CHANNELS.contains(number));
        let (Some(number), Ok(address)) = (number, message.attribute::<XorPeerAddress>()) else {
            return Err(("malformed", shown.refuse(ErrorCode::BAD_REQUEST)));
        };
        let address = address.addr(message.transaction_id());
        self.check_address(shown, address, allocation)?;
        let Allocation {
            permissions,
            bounds,
            ..
        } = allocation;
        let granted = permissions.bind(number, address, bounds, now);
        granted.map_err(|denied| refuse(shown, denied))?;
        Ok(Reply::success(message).signed(&shown.claim.key))
    }

    /// Sees that datagrams may be exchanged with an address. Those that are relayed from are among
    /// them: other clients are there, and nothing else is reached at them.
    fn check_address(
        &self,
        shown: &Shown<'_>,
        address: SocketAddr,
        allocation: &Allocation,
    ) -> Result<(), Refusal> {
        if address.is_ipv4() != allocation.relayed.is_ipv4() {
            let code = ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH;
            return Err(("mismatch", shown.refuse(code)));
        }
        let is_relayed = self.ports.told().any(|told| told == address.ip());
        if !is_relayed && !self.networks.may_reach(address.ip()) {
            return Err(("network", shown.refuse(ErrorCode::FORBIDDEN)));
        }
        Ok(())
    }
}

/// The client's own allocation.
fn own<'a>(
    table: &'a mut Table,
    shown: &Shown<'_>,
    client: &Client,
    now: Instant,
) -> Result<&'a mut Allocation, Refusal> {
    let Some(allocation) = table.get(client, now) else {
        return Err(("mismatch", shown.refuse(ErrorCode::ALLOCATION_MISMATCH)));
    };
    if allocation.username != shown.username {
        return Err(("mismatch", shown.refuse(ErrorCode::WRONG_CREDENTIALS)));
    }
    Ok(allocation)
}

fn refuse(shown: &Shown<'_>, denied: Denied) -> Refusal {
    match denied {
        Denied::Full => ("full", shown.refuse(ErrorCode::INSUFFICIENT_CAPACITY)),
        Denied::Taken => ("mismatch", shown.refuse(ErrorCode::BAD_REQUEST)),
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

fn check_attributes(shown: &Shown<'_>, known: &[AttributeType]) -> Result<(), Refusal> {
    let unknown = unknown(shown.message, known);
    if unknown.is_empty() {
        return Ok(());
    }
    let answer = Reply::unknown(shown.message, &unknown);
    Err(("unsupported", answer.signed(&shown.claim.key)))
}

/// The time that a request asks for, within bounds.
fn lifetime(message: &Message<'_>) -> Duration {
    let asked = message.attribute::<Lifetime>();
    let asked = asked.map_or(LIFETIME, |asked| asked.seconds());
    Duration::from_secs(asked.clamp(LIFETIME, MAX_LIFETIME).into())
}

fn seconds(lifetime: Duration) -> Lifetime {
    Lifetime::new(u32::try_from(lifetime.as_secs()).expect("it is an hour at most"))
}

/// The answer to a request for an allocation.
fn granted(shown: &Shown<'_>, allocation: &Allocation, client: &Client, now: Instant) -> Vec<u8> {
    let id = shown.message.transaction_id();
    Reply::success(shown.message)
        .with(&XorRelayedAddress::new(allocation.relayed, id))
        .with(&seconds(allocation.until.saturating_duration_since(now)))
        .with(&XorMappedAddress::new(client.remote(), id))
        .signed(&shown.claim.key)
}
