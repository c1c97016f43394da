//! The addresses at which others see this side's sockets, asked of STUN servers.
//!
//! A socket asks each server once, and whoever dials by it is told of the answer whenever that
//! comes: nothing waits for it. Everybody's port asks again and again, so that its way through a
//! NAT stays open for those who dial; a dial's own is kept open by what goes over it.
//!
//! An answer counts that has the number of a request, and comes from whom that was sent to. It is
//! for this alone that str0m does not get it: its connections know the numbers of their own.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use stun_types::attribute::XorMappedAddress;
use stun_types::message::{BINDING, Message, MessageClass, MessageWriteVec, TransactionId};
use stun_types::prelude::{MessageWrite, MessageWriteExt};

use super::routes::Transaction;
use crate::config::IceServer;
use crate::ice::IceUrl;
use crate::wire::RtcId;

/// Most servers that are asked: each costs every dial a datagram or two.
const MAX_SERVERS: usize = 4;

/// Delays after which a request is sent again; after the last one the server counts as away. RFC
/// 8489, section 6.2.1, has the first and the doubling. More than that a dial does not wait.
const RETRIES: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(4),
];

/// The interval at which everybody's port asks again. NATs forget a way after 30 s of silence at
/// the earliest that is common.
const REFRESH: Duration = Duration::from_secs(20);

/// The time after which a server's name is looked up anew.
const NAME_LASTS: Duration = Duration::from_secs(600);

/// The port of a STUN server that names none.
const PORT: u16 = 3478;

/// A socket that asks: everybody's, or that of a dial.
pub(super) type Asker = Option<RtcId>;

/// The servers, what they are asked, and what they have said of everybody's port.
#[derive(Debug, Default)]
pub(super) struct Reflexive {
    servers: Vec<Server>,
    asked: BTreeMap<Transaction, Request>,
    /// Everybody's port, by whom was asked: as many as there are servers and families.
    mapped: BTreeMap<SocketAddr, SocketAddr>,
    /// The moment at which everybody's port asks again.
    refresh: Option<Instant>,
}

#[derive(Debug)]
struct Server {
    host: String,
    port: u16,
    /// One for each family at most.
    addresses: Vec<SocketAddr>,
    looked_up: Option<Instant>,
}

#[derive(Debug)]
struct Request {
    asker: Asker,
    server: SocketAddr,
    bytes: Vec<u8>,
    retries: usize,
    due: Instant,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) asker: Asker,
    /// The address that the server sees; nothing if it is known already, or was not understood.
    pub(super) new: Option<SocketAddr>,
}

impl Reflexive {
    /// These are the servers from now on. What others have said holds no longer.
    pub(super) fn set_servers(&mut self, servers: &[IceServer]) {
        let urls = servers.iter().flat_map(|server| &server.urls);
        // A mapping is of UDP, so that one with TLS has nothing to tell.
        let urls = urls
            .filter_map(|url| IceUrl::read(url).ok())
            .filter(|url| !url.is_turn && !url.is_secure);
        let mut before = std::mem::take(&mut self.servers);
        for url in urls {
            let (host, port) = (url.host, url.port.unwrap_or(PORT));
            let is_it = |server: &Server| server.host == host && server.port == port;
            if self.servers.len() == MAX_SERVERS || self.servers.iter().any(is_it) {
                continue;
            }
            let known = before
                .iter()
                .position(is_it)
                .map(|at| before.swap_remove(at));
            self.servers.push(known.unwrap_or(Server {
                host,
                port,
                addresses: Vec::new(),
                looked_up: None,
            }));
        }
        for address in before.into_iter().flat_map(|server| server.addresses) {
            self.mapped.remove(&address);
            self.asked.retain(|_, request| request.server != address);
        }
    }

    /// The servers to look up now: names and ports.
    pub(super) fn names_due(&mut self, now: Instant) -> Vec<(String, u16)> {
        let is_due = |server: &Server| {
            let last = server.looked_up;
            last.is_none_or(|at| server.addresses.is_empty() || now >= at + NAME_LASTS)
        };
        let due = self.servers.iter_mut().filter(|server| is_due(server));
        due.map(|server| {
            server.looked_up = Some(now);
            (server.host.clone(), server.port)
        })
        .collect()
    }

    /// A server has these addresses, of which one for each family counts. Returns those that are
    /// new.
    pub(super) fn looked_up(
        &mut self,
        host: &str,
        port: u16,
        found: &[SocketAddr],
    ) -> Vec<SocketAddr> {
        let mut servers = self.servers.iter_mut();
        let Some(server) = servers.find(|server| server.host == host && server.port == port) else {
            return Vec::new();
        };
        if found.is_empty() {
            return Vec::new();
        }
        let first = |is_v4: bool| found.iter().find(|address| address.is_ipv4() == is_v4);
        let addresses: Vec<_> = [true, false].into_iter().filter_map(first).collect();
        let addresses: Vec<SocketAddr> = addresses.into_iter().copied().collect();
        let before = std::mem::replace(&mut server.addresses, addresses.clone());
        self.mapped
            .retain(|at, _| addresses.contains(at) || !before.contains(at));
        let is_new = |address: &SocketAddr| !before.contains(address);
        addresses.into_iter().filter(is_new).collect()
    }

    /// All addresses of servers.
    pub(super) fn servers(&self) -> Vec<SocketAddr> {
        let all = self.servers.iter().flat_map(|server| &server.addresses);
        all.copied().collect()
    }

    /// A socket asks these servers: [`poll`](Self::poll) has what it sends.
    pub(super) fn ask(&mut self, asker: Asker, servers: &[SocketAddr], now: Instant) {
        for server in servers {
            let is_asked = |request: &Request| request.asker == asker && request.server == *server;
            if self.asked.values().any(is_asked) {
                continue;
            }
            let message = Message::builder_request(BINDING, MessageWriteVec::new());
            let number = number(message.transaction_id());
            let request = Request {
                asker,
                server: *server,
                bytes: message.finish(),
                retries: 0,
                due: now,
            };
            self.asked.insert(number, request);
        }
        if asker.is_none() && !self.servers.is_empty() {
            self.refresh = Some(now + REFRESH);
        }
    }

    /// A moment at which there is something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = self.asked.values().map(|request| request.due);
        due.chain(self.refresh).min()
    }

    /// True once everybody's port is to ask again.
    pub(super) fn is_to_refresh(&self, now: Instant) -> bool {
        self.refresh.is_some_and(|at| at <= now)
    }

    /// The datagrams that are due: from whose socket, to whom.
    pub(super) fn poll(&mut self, now: Instant) -> Vec<(Asker, SocketAddr, Vec<u8>)> {
        let mut due = Vec::new();
        let mut away = Vec::new();
        self.asked.retain(|_, request| {
            if request.due > now {
                return true;
            }
            let Some(delay) = RETRIES.get(request.retries) else {
                away.push((request.asker, request.server));
                return false;
            };
            request.retries += 1;
            request.due = now + *delay;
            due.push((request.asker, request.server, request.bytes.clone()));
            true
        });
        for (asker, server) in away {
            if asker.is_none() {
                // What it said before holds no longer, and it may have moved.
                self.mapped.remove(&server);
                for known in &mut self.servers {
                    if known.addresses.contains(&server) {
                        known.looked_up = None;
                    }
                }
            }
        }
        due
    }

    /// Reads a datagram that came at a socket. Returns nothing if it is no answer to a request of
    /// that socket.
    pub(super) fn receive(
        &mut self,
        asker: Asker,
        source: SocketAddr,
        datagram: &[u8],
        transaction: &Transaction,
    ) -> Option<Answer> {
        let request = self.asked.get(transaction)?;
        if request.server != source || request.asker != asker {
            return None;
        }
        self.asked.remove(transaction);
        let seen = seen(datagram);
        let new = match (asker, seen) {
            (None, Some(seen)) => {
                let is_known = self.mapped.values().any(|mapped| *mapped == seen);
                self.mapped.insert(source, seen);
                (!is_known).then_some(seen)
            }
            (_, seen) => seen,
        };
        Some(Answer { asker, new })
    }

    /// The addresses at which others see everybody's port, each once.
    pub(super) fn mapped(&self) -> Vec<SocketAddr> {
        let mut all: Vec<_> = self.mapped.values().copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Nothing holds any longer that was said of everybody's port, or is going to be.
    pub(super) fn forget_mapped(&mut self) {
        self.mapped.clear();
        self.asked.retain(|_, request| request.asker.is_some());
    }

    /// A dial asks no more.
    pub(super) fn forget(&mut self, dial: RtcId) {
        self.asked.retain(|_, request| request.asker != Some(dial));
    }
}

/// The number of a request, as it stands in its datagram.
fn number(id: TransactionId) -> Transaction {
    let bytes = u128::from(id).to_be_bytes();
    let (_, number) = bytes
        .split_last_chunk()
        .expect("sixteen bytes have twelve at their end");
    *number
}

/// The address that an answer tells, if it is one that somebody can be at.
fn seen(datagram: &[u8]) -> Option<SocketAddr> {
    let message = Message::from_bytes(datagram).ok()?;
    if !message.has_class(MessageClass::Success) || !message.has_method(BINDING) {
        return None;
    }
    let told = message.attribute::<XorMappedAddress>().ok()?;
    let seen = told.addr(message.transaction_id());
    let is_somewhere = seen.port() != 0 && !seen.ip().is_unspecified() && !is_many(seen.ip());
    is_somewhere.then_some(seen)
}

fn is_many(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "192.0.2.1:3478";
    const SEEN: &str = "203.0.113.7:4242";

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// One server, which is looked up.
    fn one(now: Instant) -> Reflexive {
        let servers = [
            IceServer::new("stun:example.org"),
            IceServer::new("stuns:a"),
        ];
        let mut made = Reflexive::default();
        made.set_servers(&servers);
        let names_due = made.names_due(now);
        assert_eq!(names_due, [("example.org".into(), PORT)]);
        made.ask(None, &[], now);
        assert_eq!(
            made.looked_up("example.org", PORT, &[at(SERVER)]),
            [at(SERVER)]
        );
        made.ask(None, &[at(SERVER)], now);
        made
    }

    /// The requests that are due until then, each at its moment.
    fn requests(made: &mut Reflexive, until: Instant) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(now) = made.asked.values().map(|it| it.due).min()
            && now <= until
        {
            all.extend(made.poll(now).into_iter().map(|(_, _, bytes)| bytes));
        }
        all
    }

    fn answer(made: &mut Reflexive, request: &[u8], source: &str, seen: &str) -> Option<Answer> {
        let request = Message::from_bytes(request).unwrap();
        let id = request.transaction_id();
        let mut answer = Message::builder_success(&request, MessageWriteVec::new());
        let seen = XorMappedAddress::new(at(seen), id);
        answer.add_attribute(&seen).unwrap();
        made.receive(None, at(source), &answer.finish(), &number(id))
    }

    #[test]
    fn a_request_is_sent_again_a_few_times_and_then_the_server_counts_as_away() {
        let start = Instant::now();
        let mut made = one(start);
        let sent = requests(&mut made, start + Duration::from_secs(3_600));
        assert_eq!(sent.len(), RETRIES.len());
        assert!(sent.iter().all(|one| *one == sent[0]));
        assert!(made.asked.is_empty());
        // Its name is looked up at the next chance. And it is asked again then.
        assert_eq!(made.names_due(start + REFRESH).len(), 1);
        assert!(made.is_to_refresh(start + REFRESH));
        assert!(!made.is_to_refresh(start + REFRESH - Duration::from_millis(1)));
    }

    #[test]
    fn an_answer_counts_once_and_from_the_server_alone() {
        let start = Instant::now();
        let mut made = one(start);
        let sent = requests(&mut made, start);
        assert_eq!(answer(&mut made, &sent[0], "192.0.2.1:3479", SEEN), None);
        let new = Some(at(SEEN));
        let expected = Answer { asker: None, new };
        assert_eq!(answer(&mut made, &sent[0], SERVER, SEEN), Some(expected));
        assert_eq!(answer(&mut made, &sent[0], SERVER, SEEN), None);
        assert_eq!(made.mapped(), [at(SEEN)]);
    }

    #[test]
    fn asking_again_tells_what_is_new_and_forgets_what_is_old() {
        let start = Instant::now();
        let mut made = one(start);
        let sent = requests(&mut made, start);
        answer(&mut made, &sent[0], SERVER, SEEN);
        let mut again = |seen: &str, round: u32| {
            let now = start + REFRESH * round;
            made.ask(None, &[at(SERVER)], now);
            let sent = requests(&mut made, now);
            let answer = answer(&mut made, &sent[0], SERVER, seen).unwrap();
            (answer.new, made.mapped())
        };
        assert_eq!(again(SEEN, 1), (None, vec![at(SEEN)]));
        let other = at("203.0.113.8:1");
        assert_eq!(again("203.0.113.8:1", 2), (Some(other), vec![other]));
        // What nobody can be at is no address.
        assert_eq!(again("0.0.0.0:7", 3).0, None);
        assert_eq!(again("203.0.113.8:0", 4).0, None);
    }

    #[test]
    fn a_server_that_stays_in_the_list_is_not_asked_anew_and_one_that_goes_is_forgotten() {
        let start = Instant::now();
        let mut made = one(start);
        let sent = requests(&mut made, start);
        answer(&mut made, &sent[0], SERVER, SEEN);
        let stays = IceServer::new("stun:example.org");
        made.set_servers(&[IceServer::new("stun:other"), stays.clone(), stays]);
        assert_eq!(made.mapped(), [at(SEEN)]);
        assert_eq!(made.names_due(start), [("other".into(), PORT)]);
        made.ask(None, &[at(SERVER)], start);
        made.set_servers(&[IceServer::new("stun:other")]);
        assert!(made.mapped().is_empty() && made.asked.is_empty());
        let many: Vec<_> = (0..9)
            .map(|n| IceServer::new(format!("stun:s{n}")))
            .collect();
        made.set_servers(&many);
        assert_eq!(made.names_due(start).len(), MAX_SERVERS);
    }

    #[test]
    fn nothing_is_left_of_a_dial_that_is_gone() {
        let start = Instant::now();
        let mut made = one(start);
        for dial in 1..=9 {
            made.ask(Some(RtcId(dial)), &[at(SERVER)], start);
            made.ask(Some(RtcId(dial)), &[at(SERVER)], start);
        }
        assert_eq!(made.asked.len(), 10);
        for dial in 1..=9 {
            made.forget(RtcId(dial));
        }
        assert_eq!(made.asked.len(), 1);
    }
}
