//! A listener that accepts no more connections than it should, and drops those that fall silent.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

#[derive(Debug)]
pub(crate) struct BoundedListener {
    listener: TcpListener,
    sockets: Sockets,
    idle: Duration,
}

/// The sockets that are open.
#[derive(Debug, Clone)]
pub(crate) struct Sockets {
    free: Arc<Semaphore>,
    max: u32,
}

impl Sockets {
    /// Waits until there are none.
    pub(crate) async fn all_closed(&self) {
        // Only a closed semaphore is an error, and nobody closes it.
        let _all = self.free.acquire_many(self.max).await;
    }
}

impl BoundedListener {
    pub(crate) fn new(listener: TcpListener, max: usize, idle: Duration) -> Self {
        let max = u32::try_from(max.clamp(1, 1_000_000)).unwrap_or(u32::MAX);
        let sockets = Sockets {
            free: Arc::new(Semaphore::new(max as usize)),
            max,
        };
        Self {
            listener,
            sockets,
            idle,
        }
    }

    pub(crate) fn sockets(&self) -> Sockets {
        self.sockets.clone()
    }
}

impl Listener for BoundedListener {
    type Io = BoundedSocket;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (BoundedSocket, SocketAddr) {
        let permit = Arc::clone(&self.sockets.free)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        // axum's own listener knows which failures to wait out.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Signalling is small messages of which each waits for the one before: held back to be
        // sent together, they would cost a round trip each. A socket that cannot is slow, no more.
        let _ = stream.set_nodelay(true);
        let socket = BoundedSocket {
            stream,
            idle: self.idle,
            silence: Box::pin(sleep(self.idle)),
            _permit: permit,
        };
        (socket, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A socket that fails once it has been silent for too long.
#[derive(Debug)]
pub(crate) struct BoundedSocket {
    stream: TcpStream,
    idle: Duration,
    silence: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for BoundedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
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
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_messages_are_not_held_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut listener = BoundedListener::new(listener, 1, Duration::from_secs(60));
        let address = listener.local_addr().expect("it listens");
        let (client, (socket, _)) = tokio::join!(TcpStream::connect(address), listener.accept());
        client.expect("it is accepted");
        assert!(socket.stream.nodelay().expect("the socket is open"));
    }
}
