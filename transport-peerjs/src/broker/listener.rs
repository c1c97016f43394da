//! Connections: how many there are, what they may cost, and the time that each has.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep, sleep};
use tower::ServiceExt;
use tracing::debug;

use super::config::BrokerConfig;
use super::metrics::{TurnCounts, Watched};
use super::places::{Eviction, GivesUp, Place, Places};
use super::pool::Source;
use super::shared::Shared;
use super::turn::TurnWatched;

/// A time that no connection lasts, and that clocks can still count.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// The time after a silent peer's end at which its connection is cut.
const IDLE: Duration = Duration::from_secs(30);
/// The bytes in a second that a reader has to read in the long run. The slowest lines that people
/// have carry four times as many.
const SLOWEST: u32 = 1024;
/// The bytes that the head of a request may have. An id and a token are a tenth of it; the rest is
/// for the cookies of whatever else is at the same name.
const MAX_HEAD: usize = 32 * 1024;

/// The places that connections take. What is no socket, or none yet, has places of its own:
/// whoever reads pages slowly takes none of those that peers need.
#[derive(Debug, Clone)]
struct AllPlaces {
    connections: Places,
    sockets: Places,
}

/// The time that a connection has.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// For the head of a request, from when the connection is there or the last answer was read.
    head: Duration,
    /// For a reader who does not read.
    write: Duration,
    /// For a socket on which nothing comes.
    idle: Duration,
}

/// A listener that accepts no more connections than it should.
#[derive(Debug)]
pub(crate) struct BoundedListener {
    listener: TcpListener,
    places: AllPlaces,
    times: Times,
}

impl BoundedListener {
    pub(crate) fn new(listener: TcpListener, config: &BrokerConfig) -> Self {
        let limits = &config.limits;
        let (connections, each) = (limits.max_connections, limits.max_connections_each);
        Self {
            listener,
            places: AllPlaces {
                connections: Places::new(connections, each, GivesUp::Oldest),
                // Those who have been there for longest are most likely to be waited for.
                sockets: Places::new(limits.sockets(), limits.max_sockets_each, GivesUp::Newest),
            },
            times: Times {
                head: config.request_timeout.min(FOREVER),
                write: config.write_timeout.min(FOREVER),
                // Whoever is silent for longer than this has been dropped as a peer long ago.
                idle: config.alive_timeout.saturating_add(IDLE).min(FOREVER),
            },
        }
    }

    /// Its places, as they are watched.
    pub(crate) fn watched(
        &self,
        shared: Arc<Shared>,
        turn: Option<(TurnWatched, TurnCounts)>,
    ) -> Watched {
        let AllPlaces {
            connections,
            sockets,
        } = self.places.clone();
        Watched {
            shared,
            connections,
            sockets,
            turn,
        }
    }

    /// Serves until `stop` changes, then until all connections are closed.
    pub(crate) async fn serve(mut self, router: Router, mut stop: watch::Receiver<()>) {
        let (open, mut all_closed) = mpsc::channel(1);
        let stopped = stop.clone();
        loop {
            let (stream, address) = tokio::select! {
                // axum's own listener knows which failures to wait out.
                accepted = Listener::accept(&mut self.listener) => accepted,
                _ = stop.changed() => break,
            };
            if let Some(connection) = Connection::new(address, &self.places) {
                let socket = BoundedSocket::new(stream, connection, self.times, open.clone());
                let router = router.clone();
                tokio::spawn(serve(socket, router, self.times, stopped.clone()));
            }
        }
        drop((self.listener, open));
        // It is closed when the last connection is.
        let _ = all_closed.recv().await;
    }
}

/// Serves requests on a connection. An upgrade takes it away.
async fn serve(
    socket: BoundedSocket,
    router: Router,
    times: Times,
    mut stopped: watch::Receiver<()>,
) {
    let connection = socket.connection.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        connection.is_used();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(connection.clone());
        router.clone().oneshot(request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(times.head)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    tokio::pin!(serving);
    let served = tokio::select! {
        served = serving.as_mut() => served,
        _ = stopped.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        debug!(%error, "a connection ended");
    }
}

/// A connection, as whoever answers its requests knows it.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// The address at its other end.
    pub(crate) remote: IpAddr,
    sockets: Places,
    place: Arc<Mutex<Place>>,
    eviction: Arc<Eviction>,
}

impl Connection {
    /// None if there is no place for it.
    fn new(address: SocketAddr, places: &AllPlaces) -> Option<Self> {
        let remote = address.ip().to_canonical();
        let eviction = Arc::new(Eviction::default());
        let place = places
            .connections
            .take(remote.into(), Arc::clone(&eviction))?;
        Some(Self {
            remote,
            sockets: places.sockets.clone(),
            place: Arc::new(Mutex::new(place)),
            eviction,
        })
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_used(&self) {
        self.place().renew();
    }

    /// Takes a place among the sockets, for a client, in place of its own. False if there is none.
    pub(crate) fn becomes_socket(&self, client: Source) -> bool {
        let place = self.sockets.take(client, Arc::clone(&self.eviction));
        place.is_some_and(|place| {
            *self.place() = place;
            true
        })
    }
}

/// A socket that fails when it has been silent or unread for too long, or has to make room.
#[derive(Debug)]
struct BoundedSocket {
    /// Before the stream: whoever sees that it is closed can have its place.
    connection: Connection,
    stream: TcpStream,
    idle: Duration,
    silence: Pin<Box<Sleep>>,
    patience: Patience,
    unread: Pin<Box<Sleep>>,
    _open: mpsc::Sender<()>,
}

impl BoundedSocket {
    fn new(
        stream: TcpStream,
        connection: Connection,
        times: Times,
        open: mpsc::Sender<()>,
    ) -> Self {
        // Signalling is small messages of which each waits for the one before: held back to be
        // sent together, they would cost a round trip each. A socket that cannot is slow, no more.
        let _ = stream.set_nodelay(true);
        Self {
            connection,
            stream,
            idle: times.idle,
            silence: Box::pin(sleep(times.idle)),
            patience: Patience::new(times.write),
            unread: Box::pin(sleep(times.write)),
            _open: open,
        }
    }

    fn may_stay(&self, cx: &Context<'_>) -> io::Result<()> {
        match self.connection.eviction.poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for BoundedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.may_stay(cx)?;
        if let Poll::Ready(done) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            let until = Instant::now() + self.idle;
            self.silence.as_mut().reset(until);
            return Poll::Ready(done);
        }
        ready!(self.silence.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for BoundedSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.may_stay(cx)?;
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(wrote) = wrote {
            let bytes = wrote.as_ref().map_or(0, |bytes| *bytes);
            self.patience.was_read(bytes, Instant::now());
            return Poll::Ready(wrote);
        }
        if let Some(end) = self.patience.waits(Instant::now()) {
            self.unread.as_mut().reset(end);
        }
        ready!(self.unread.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The time that is left to a reader. Waiting uses it up, and what is read adds to it: neither
/// nothing at all nor a byte now and then keeps a connection.
#[derive(Debug)]
struct Patience {
    limit: Duration,
    left: Duration,
    waits_since: Option<Instant>,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self {
            limit,
            left: limit,
            waits_since: None,
        }
    }

    /// Nothing more can be written. The time at which there has to be room again, if this is new.
    fn waits(&mut self, now: Instant) -> Option<Instant> {
        if self.waits_since.is_some() {
            return None;
        }
        self.waits_since = Some(now);
        Some(now + self.left)
    }

    fn was_read(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.waits_since.take() {
            let waited = now.saturating_duration_since(since);
            self.left = self.left.saturating_sub(waited);
        }
        // Nobody writes as much at once as this cannot count.
        let earned = Duration::from_secs(1) * u32::try_from(bytes).unwrap_or(u32::MAX) / SLOWEST;
        self.left = self.left.saturating_add(earned).min(self.limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_messages_are_not_held_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let listener = BoundedListener::new(listener, &BrokerConfig::default());
        let address = listener.listener.local_addr().expect("it listens");
        let connects = TcpStream::connect(address);
        let (client, accepted) = tokio::join!(connects, listener.listener.accept());
        client.expect("it is accepted");
        let (stream, address) = accepted.expect("somebody has come");
        let connection = Connection::new(address, &listener.places).expect("there is room");
        let (open, _) = mpsc::channel(1);
        let socket = BoundedSocket::new(stream, connection, listener.times, open);
        assert!(socket.stream.nodelay().expect("the socket is open"));
    }

    #[test]
    fn a_reader_has_to_read_enough_in_the_long_run() {
        let is_cut = |bytes, every: Duration| {
            let mut now = Instant::now();
            let mut patience = Patience::new(Duration::from_secs(20));
            (0..100).any(|_| {
                let end = patience.waits(now).expect("it waits anew");
                now += every;
                patience.was_read(bytes, now);
                now > end
            })
        };
        assert!(is_cut(1, Duration::from_secs(19)), "a byte now and then");
        assert!(is_cut(1, Duration::from_secs(1)));
        assert!(!is_cut(16 * 1024, Duration::from_secs(15)), "slow");
        assert!(is_cut(0, Duration::from_secs(21)), "never");
    }
}
