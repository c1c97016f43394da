//! A WebSocket client, an HTTP client, and the endpoint over both.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use hustings_protocol::Address;
use hustings_room::Moment;
use hustings_transport_peerjs::wire::SocketId;
use hustings_transport_peerjs::{Config, Token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::{Bench, SocketDo};

const PATIENCE: Duration = Duration::from_secs(10);

/// A WebSocket whose reads fail a test rather than hang it.
pub(crate) struct Client(WebSocketStream<TcpStream>);

impl Client {
    pub(crate) async fn connect(address: SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}{path}");
        let (socket, _) = client_async(url, stream).await.expect("the socket opens");
        Self(socket)
    }

    /// The next text.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            match timeout(PATIENCE, self.0.next())
                .await
                .expect("a message in time")
            {
                Some(Ok(Message::Text(text))) => return text.as_str().to_owned(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no text but {other:?}"),
            }
        }
    }

    /// The next text that is not this.
    pub(crate) async fn text_but(&mut self, skipped: &str) -> String {
        loop {
            let text = self.text().await;
            if text != skipped {
                return text;
            }
        }
    }

    /// Sees that nothing comes for a while.
    pub(crate) async fn silent(&mut self, time: Duration) {
        let came = timeout(time, self.0.next()).await;
        assert!(came.is_err(), "{came:?}");
    }

    pub(crate) async fn send(&mut self, text: &str) {
        // The server may have closed already.
        let _ = self.0.send(Message::text(text)).await;
    }

    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) {
        self.0.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    /// Waits until the server has closed.
    pub(crate) async fn closed(&mut self) {
        let end = async {
            while let Some(Ok(message)) = self.0.next().await {
                if message.is_close() {
                    return;
                }
            }
        };
        timeout(PATIENCE, end).await.expect("the socket closes");
    }

    /// The code and the reason with which the server closes.
    pub(crate) async fn goodbye(&mut self) -> Option<(u16, String)> {
        let end = async {
            while let Some(Ok(message)) = self.0.next().await {
                if let Message::Close(frame) = message {
                    return frame.map(|f| (f.code.into(), f.reason.as_str().to_owned()));
                }
            }
            None
        };
        timeout(PATIENCE, end).await.expect("the socket closes")
    }

    /// Closes, and waits until the server has done so, too.
    pub(crate) async fn close(mut self) {
        let _ = self.0.close(None).await;
        let end = async { while let Some(Ok(_)) = self.0.next().await {} };
        timeout(PATIENCE, end).await.expect("the socket closes");
    }
}

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
    head: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// A plain HTTP request.
pub(crate) async fn get(address: SocketAddr, path: &str, headers: &str) -> Response {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    read.unwrap().unwrap();
    // After an upgrade there are frames.
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    Response {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        body: body.to_owned(),
        head: head.to_owned(),
    }
}

enum Heard {
    Open,
    Text(String),
    Closed(Option<u16>),
}

/// Endpoints with real sockets.
pub(crate) struct Run {
    pub(crate) bench: Bench,
    start: Instant,
    pub(crate) config: Config,
    address: SocketAddr,
    heard: mpsc::UnboundedReceiver<(usize, SocketId, Heard)>,
    hears: mpsc::UnboundedSender<(usize, SocketId, Heard)>,
    /// The texts that each socket is to send. Dropped, the socket closes.
    sockets: BTreeMap<(usize, SocketId), mpsc::UnboundedSender<String>>,
}

impl Run {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let (hears, heard) = mpsc::unbounded_channel();
        Self {
            bench: Bench::new(),
            start: Instant::now(),
            config: Config {
                host: "127.0.0.1".into(),
                port: address.port(),
                path: "/p".into(),
                ..Config::default()
            },
            address,
            heard,
            hears,
            sockets: BTreeMap::new(),
        }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::START + self.start.elapsed()
    }

    pub(crate) fn join(&mut self, address: &Address, token: &str) {
        self.join_with(address, &Token::new(token).unwrap());
    }

    pub(crate) fn join_with(&mut self, address: &Address, token: &Token) {
        self.bench.now = self.now();
        self.bench.add_with(&self.config, address, token);
    }

    /// The last endpoint is never driven again, and its socket stays as it is.
    pub(crate) fn leave_half_open(&mut self) {
        let last = self.bench.sides.len() - 1;
        self.bench.sides[last].endpoint.close();
        while self.bench.sides[last].endpoint.poll_output().is_some() {}
    }

    /// Runs until something is so.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Bench) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            self.bench.now = self.now();
            self.bench.pump();
            self.serve();
            if is_so(&self.bench) {
                return;
            }
            assert!(Instant::now() < end, "never: {what}");
            tokio::select! {
                heard = self.heard.recv() => {
                    let (at, socket, heard) = heard.expect("a sender is kept");
                    let now = self.now();
                    let endpoint = &mut self.bench.sides[at].endpoint;
                    match heard {
                        Heard::Open => endpoint.handle_socket_open(socket, now),
                        Heard::Text(text) => endpoint.handle_socket_text(socket, &text, now),
                        Heard::Closed(code) => endpoint.handle_socket_closed(socket, code, now),
                    }
                }
                () = sleep(Duration::from_millis(20)) => {}
            }
        }
    }

    fn serve(&mut self) {
        for at in 0..self.bench.sides.len() {
            for wanted in std::mem::take(&mut self.bench.sides[at].sockets) {
                match wanted {
                    SocketDo::Open(socket, url) => {
                        let (send, sent) = mpsc::unbounded_channel();
                        self.sockets.insert((at, socket), send);
                        let hears = self.hears.clone();
                        let address = self.address;
                        tokio::spawn(async move {
                            let hear = |heard| hears.send((at, socket, heard)).is_ok();
                            let code = run_socket(address, &url, sent, &hear).await;
                            hear(Heard::Closed(code));
                        });
                    }
                    SocketDo::Send(socket, text) => {
                        if let Some(send) = self.sockets.get(&(at, socket)) {
                            let _ = send.send(text);
                        }
                    }
                    SocketDo::Close(socket) => {
                        self.sockets.remove(&(at, socket));
                    }
                }
            }
        }
    }
}

async fn run_socket(
    address: SocketAddr,
    url: &str,
    mut sent: mpsc::UnboundedReceiver<String>,
    hear: &impl Fn(Heard) -> bool,
) -> Option<u16> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut socket, _) = client_async(url, stream).await.ok()?;
    hear(Heard::Open);
    loop {
        tokio::select! {
            text = sent.recv() => match text {
                Some(text) => {
                    if socket.send(Message::text(text)).await.is_err() {
                        return None;
                    }
                }
                None => {
                    let _ = socket.close(None).await;
                    return None;
                }
            },
            came = socket.next() => match came {
                Some(Ok(Message::Text(text))) => {
                    hear(Heard::Text(text.as_str().to_owned()));
                }
                Some(Ok(Message::Close(close))) => return close.map(|close| close.code.into()),
                Some(Err(_)) | None => return None,
                Some(Ok(_)) => {}
            },
        }
    }
}
