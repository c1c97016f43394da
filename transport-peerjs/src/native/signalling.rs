//! The socket to the signalling server.

use futures::{SinkExt, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::rtc::Opened;
use crate::shell::backend::Input;
use crate::wire::SocketId;

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
}

impl Socket {
    /// Opens one, on a task of the runtime, which reports what happens.
    pub(super) fn open(
        id: SocketId,
        url: &str,
        runtime: &Handle,
        report: impl Fn(Input<Opened>) + Send + Sync + 'static,
    ) -> Self {
        let (texts, waiting) = mpsc::channel(MAX_WAITING);
        let url = url.to_owned();
        let task = runtime.spawn(async move {
            let code = serve(id, &url, waiting, &report).await;
            report(Input::SocketClosed(id, code));
        });
        Self {
            texts,
            task: task.abort_handle(),
            is_open: false,
        }
    }

    /// The socket has opened: whoever closes it says goodbye.
    pub(super) fn opened(&mut self) {
        self.is_open = true;
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

/// Opens a socket and serves it to its end. Returns the server's code, if it gave one.
async fn serve(
    id: SocketId,
    url: &str,
    mut texts: mpsc::Receiver<String>,
    report: &impl Fn(Input<Opened>),
) -> Option<u16> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LONGEST))
        .max_frame_size(Some(LONGEST));
    // Small messages that answer each other must not wait for more.
    let (mut socket, _) = connect_async_with_config(url, Some(config), true)
        .await
        .ok()?;
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
