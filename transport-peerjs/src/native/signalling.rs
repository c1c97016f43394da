//! The socket to the signalling server.

mod fault;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use futures::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::rtc::Opened;
use crate::shell::backend::Input;
use crate::wire::SocketId;

pub use fault::SignallingFault;

/// Something to be told of the socket.
pub(super) enum Told {
    Input(Input<Opened>),
    /// It goes by this address of this machine.
    Local(IpAddr),
    /// It did not open, for this reason. That it is closed is told, too.
    Fault(SignallingFault),
}

/// Most texts that wait for a server that does not read. Its next one ends the socket.
const MAX_WAITING: usize = 1_024;

/// Longest message in bytes that is read at all. What is longer than
/// [`max_signal_bytes`](crate::WireLimits::max_signal_bytes) is not understood, which costs the
/// socket nothing, as anybody may have sent it.
const LONGEST: usize = 4 * 1024 * 1024;

/// An open socket, or one that is being opened. Dropping it closes it.
pub(super) struct Socket {
    texts: mpsc::Sender<String>,
    task: AbortHandle,
    is_open: bool,
    local: Option<IpAddr>,
}

impl Socket {
    /// Opens one, on a task of the runtime, which reports what happens. With `tls` for a URL that
    /// asks for it.
    pub(super) fn open(
        id: SocketId,
        url: &str,
        tls: Option<Arc<ClientConfig>>,
        runtime: &Handle,
        report: impl Fn(Told) + Send + Sync + 'static,
    ) -> Self {
        let (texts, waiting) = mpsc::channel(MAX_WAITING);
        let url = url.to_owned();
        let task = runtime.spawn(async move {
            let code = match open(&url, tls, &report).await {
                Ok(Opening::Plain(socket)) => serve(id, *socket, waiting, &report).await,
                Ok(Opening::Tls(socket)) => serve(id, *socket, waiting, &report).await,
                Err(fault) => {
                    report(Told::Fault(fault));
                    None
                }
            };
            report(Told::Input(Input::SocketClosed(id, code)));
        });
        Self {
            texts,
            task: task.abort_handle(),
            is_open: false,
            local: None,
        }
    }

    /// The socket has opened: whoever closes it says goodbye.
    pub(super) fn opened(&mut self) {
        self.is_open = true;
    }

    /// The socket goes by this address.
    pub(super) fn goes_by(&mut self, local: IpAddr) {
        self.local = Some(local);
    }

    /// The address of this machine that it goes by, once that is known.
    pub(super) fn local(&self) -> Option<IpAddr> {
        self.local
    }

    /// Queues a text. Returns whether it was taken.
    pub(super) fn send(&self, text: &str) -> bool {
        self.texts.try_send(text.to_owned()).is_ok()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // One that is open ends by itself, as nothing more comes to be sent: the server is to hear
        // that the address is free.
        if !self.is_open {
            self.task.abort();
        }
    }
}

/// A socket that is open.
enum Opening {
    Plain(Box<WebSocketStream<TcpStream>>),
    Tls(Box<WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>>),
}

async fn open(
    url: &str,
    tls: Option<Arc<ClientConfig>>,
    report: &impl Fn(Told),
) -> Result<Opening, SignallingFault> {
    let request = url.into_client_request().map_err(fault::of_socket)?;
    let uri = request.uri();
    let (Some(host), Some(port)) = (uri.host(), uri.port_u16()) else {
        return Err(fault::of_socket(
            tungstenite::error::UrlError::NoHostName.into(),
        ));
    };
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let stream = TcpStream::connect((&*host, port)).await;
    let stream = stream.map_err(fault::of_connection)?;
    // Small messages that answer each other must not wait for more.
    stream.set_nodelay(true).map_err(fault::of_connection)?;
    let local = stream.local_addr().map_err(fault::of_connection)?;
    report(Told::Local(local.ip()));
    let Some(tls) = tls else {
        return Ok(Opening::Plain(Box::new(upgrade(request, stream).await?)));
    };
    let name = ServerName::try_from(host)
        .map_err(|error| fault::of_tls(&io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let stream = TlsConnector::from(tls).connect(name, stream).await;
    let stream = stream.map_err(|error| fault::of_tls(&error))?;
    Ok(Opening::Tls(Box::new(upgrade(request, stream).await?)))
}

async fn upgrade<S>(request: Request, stream: S) -> Result<WebSocketStream<S>, SignallingFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = WebSocketConfig::default()
        .max_message_size(Some(LONGEST))
        .max_frame_size(Some(LONGEST));
    let upgraded = client_async_with_config(request, stream, Some(config)).await;
    let (socket, _) = upgraded.map_err(fault::of_socket)?;
    Ok(socket)
}

/// Serves a socket to its end. Returns the server's code, if it gave one.
async fn serve<S>(
    id: SocketId,
    mut socket: WebSocketStream<S>,
    mut texts: mpsc::Receiver<String>,
    report: &impl Fn(Told),
) -> Option<u16>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let report = |input| report(Told::Input(input));
    report(Input::SocketOpen(id));
    loop {
        tokio::select! {
            text = texts.recv() => match text {
                Some(text) => socket.send(Message::text(text)).await.ok()?,
                None => {
                    let _ = socket.close(None).await;
                    return None;
                }
            },
            message = socket.next() => match message?.ok()? {
                Message::Text(text) => report(Input::SocketText(id, text.as_str().to_owned())),
                Message::Close(frame) => return frame.map(|frame| frame.code.into()),
                // None of PeerJS's; a ping is answered by itself.
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            },
        }
    }
}
