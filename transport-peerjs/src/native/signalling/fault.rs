//! The reason why the signalling server was not reached, for people.

use std::io;

use tokio_tungstenite::tungstenite;

use crate::native::tls;

/// The reason why the signalling server was not reached. It is tried again whatever that is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignallingFault {
    /// There is no connection: the name is not known, or nobody listens there.
    #[error("the signalling server cannot be reached: {0}")]
    Unreachable(String),
    /// There is somebody who does not show to be the server.
    #[error("the certificate of the signalling server is not accepted: {0}")]
    Certificate(String),
    /// TLS does not come about.
    #[error("there is no secure connection to the signalling server: {0}")]
    Tls(String),
    /// The answer is no PeerServer's, or a refusal.
    #[error("the signalling server opens no socket: {0}")]
    Refused(String),
}

pub(super) fn of_connection(error: io::Error) -> SignallingFault {
    SignallingFault::Unreachable(error.to_string())
}

pub(super) fn of_tls(error: &io::Error) -> SignallingFault {
    let inner = error.get_ref();
    let fault = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match fault.and_then(tls::told) {
        Some(told) => SignallingFault::Certificate(told),
        None => SignallingFault::Tls(error.to_string()),
    }
}

pub(super) fn of_socket(error: tungstenite::Error) -> SignallingFault {
    SignallingFault::Refused(error.to_string())
}
