//! Clients by TCP: for those whose network lets no datagrams out.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::pool::Held;
use super::allocation::{Client, Way};
use super::relay::MAX_DATAGRAM;
use super::server::Server;

/// The largest message, in bytes: a datagram and what is said about it. A larger one ends the
/// connection.
const MAX_MESSAGE: usize = MAX_DATAGRAM + 512;
/// Messages that wait for a client to read them. What is more is lost, as on a link that is full.
const QUEUE: usize = 64;
/// The time that a connection without an allocation is kept.
const PATIENCE: Duration = Duration::from_secs(15);
/// The time that a client may take to read one message.
const WRITE: Duration = Duration::from_secs(20);

/// Serves a connection until it ends, and with it what its client had.
pub(crate) async fn serve(server: Arc<Server>, client: Client, stream: TcpStream, _held: Held) {
    // Without it each datagram would wait for the one before it to be acknowledged.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (sender, queue) = mpsc::channel(QUEUE);
    let way = Way::Tcp(sender);
    let leaves = Leaves(&server, client);
    tokio::select! {
        () = read(&server, &client, reader, &way) => {}
        () = write(writer, queue) => {}
    }
    drop(leaves);
}

/// The end of a connection, by whatever, is that of its allocation, too.
struct Leaves<'a>(&'a Server, Client);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.leave(&self.1);
    }
}

async fn read(server: &Arc<Server>, client: &Client, mut reader: OwnedReadHalf, way: &Way) {
    let mut buffer = vec![0; MAX_MESSAGE];
    let mut filled = 0;
    loop {
        match timeout(PATIENCE, reader.read(&mut buffer[filled..])).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(count)) => filled += count,
            // Whoever has an allocation may be silent, until it is over.
            Err(_) if server.has(client) => continue,
            Err(_) => return,
        }
        let mut start = 0;
        loop {
            match length(&buffer[start..filled]) {
                Length::Whole(message, padded) if start + padded <= filled => {
                    server.receive(client, way, &buffer[start..start + message]);
                    start += padded;
                }
                Length::Whole(_, padded) if padded <= MAX_MESSAGE => break,
                Length::Unknown => break,
                Length::Whole(..) | Length::Malformed => return,
            }
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
}

/// The length of a message, by its beginning.
#[derive(Debug, PartialEq, Eq)]
enum Length {
    /// Of the message, and with what fills it up to a multiple of four.
    Whole(usize, usize),
    /// Its beginning has not come.
    Unknown,
    /// It is no message.
    Malformed,
}

fn length(bytes: &[u8]) -> Length {
    let [first, _, high, low, ..] = *bytes else {
        return Length::Unknown;
    };
    let body = usize::from(u16::from_be_bytes([high, low]));
    match first >> 6 {
        0 => Length::Whole(20 + body, 20 + body),
        1 => Length::Whole(4 + body, (4 + body).next_multiple_of(4)),
        _ => Length::Malformed,
    }
}

async fn write(mut writer: OwnedWriteHalf, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = queue.recv().await {
        match timeout(WRITE, writer.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_how_long_it_is() {
        assert_eq!(length(&[]), Length::Unknown);
        assert_eq!(length(&[0, 1, 0]), Length::Unknown);
        assert_eq!(length(&[0, 1, 0, 8]), Length::Whole(28, 28));
        assert_eq!(length(&[0x40, 0, 0, 5, 9]), Length::Whole(9, 12));
        assert_eq!(length(&[0x80, 0, 0, 0]), Length::Malformed);
    }
}
