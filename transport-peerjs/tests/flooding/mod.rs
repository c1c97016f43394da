//! Peers and strangers at several addresses of this machine.

#![allow(dead_code, reason = "each of the tests uses a part of it")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const HONEST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
pub(crate) const FLOOD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

pub(crate) struct Client(WebSocketStream<TcpStream>);

impl Client {
    /// Joins from an address, and sees that it is registered.
    pub(crate) async fn join(at: SocketAddr, from: Ipv4Addr, id: &str) -> Self {
        Self::join_by(at, from, id, None).await
    }

    /// The same, with the addresses that a proxy says.
    pub(crate) async fn join_by(
        at: SocketAddr,
        from: Ipv4Addr,
        id: &str,
        forwarded: Option<&str>,
    ) -> Self {
        let mut client = Self::try_join(at, from, id, forwarded).await.unwrap();
        assert_eq!(client.text().await, r#"{"type":"OPEN"}"#);
        client
    }

    /// A socket, if the server has a place for it; else the status of its answer.
    pub(crate) async fn try_join(
        at: SocketAddr,
        from: Ipv4Addr,
        id: &str,
        forwarded: Option<&str>,
    ) -> Result<Self, u16> {
        let stream = connect(at, from).await;
        let url = format!("ws://{at}/peerjs?key=peerjs&id={id}&token=t");
        let mut request = url.into_client_request().unwrap();
        if let Some(forwarded) = forwarded {
            let value = forwarded.parse().unwrap();
            request.headers_mut().insert("x-forwarded-for", value);
        }
        let opened = timeout(PATIENCE, client_async(request, stream)).await;
        match opened.expect("it is answered in time") {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    pub(crate) async fn text(&mut self) -> String {
        let next = timeout(PATIENCE, self.0.next()).await;
        match next.expect("a message in time") {
            Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
            other => panic!("no text but {other:?}"),
        }
    }

    pub(crate) async fn offer(&mut self, dst: &str, payload: &str) {
        let text = format!(r#"{{"type":"OFFER","dst":"{dst}","payload":"{payload}"}}"#);
        let sent = timeout(PATIENCE, self.0.send(Message::text(text))).await;
        sent.expect("it is read in time").unwrap();
    }

    /// Says that it is there. False if the server has cut the socket.
    pub(crate) async fn heartbeat(&mut self) -> bool {
        let message = Message::text(r#"{"type":"HEARTBEAT"}"#);
        let sent = timeout(PATIENCE, self.0.send(message)).await;
        sent.expect("it is read in time").is_ok()
    }

    /// Reads until an offer of somebody's.
    pub(crate) async fn offered_by(&mut self, src: &str) {
        let start = format!(r#"{{"type":"OFFER","src":"{src}","#);
        while !self.text().await.starts_with(&start) {}
    }

    /// Reads until the server has closed or cut the socket.
    pub(crate) async fn ended(&mut self) {
        let end = async { while let Some(Ok(_)) = self.0.next().await {} };
        timeout(PATIENCE, end).await.expect("it is closed in time");
    }

    /// The code with which the server closes the socket.
    pub(crate) async fn goodbye(&mut self) -> Option<u16> {
        let end = async {
            while let Some(Ok(message)) = self.0.next().await {
                if let Message::Close(frame) = message {
                    return frame.map(|frame| frame.code.into());
                }
            }
            None
        };
        timeout(PATIENCE, end).await.expect("it is closed in time")
    }

    /// Leaves, and waits until the server has seen it.
    pub(crate) async fn leave(mut self) {
        let _ = self.0.close(None).await;
        self.ended().await;
    }

    /// Reads on, so that a server which tells it something is not held up.
    pub(crate) fn read_on(mut self) {
        tokio::spawn(async move { while let Some(Ok(_)) = self.0.next().await {} });
    }
}

/// A connection from an address.
pub(crate) async fn connect(at: SocketAddr, from: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let connected = timeout(PATIENCE, socket.connect(at)).await;
    connected.expect("it is accepted in time").unwrap()
}

/// The answer to a request from an address: its head and its body.
pub(crate) async fn get(at: SocketAddr, from: Ipv4Addr, path: &str) -> String {
    let mut stream = connect(at, from).await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    String::from_utf8_lossy(&rest(&mut stream).await).into_owned()
}

/// All that comes until the server has closed or cut the connection.
pub(crate) async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Cut off is the end, too.
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("it is closed in time");
    bytes
}
