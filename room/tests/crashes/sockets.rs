//! A transport between processes, over Unix-domain sockets in one folder.
//!
//! Every address has a socket there, named for it. A link is one connection: sixteen random bytes
//! each way, which bind the channel, and then frames, each behind its length. It has threads where
//! an earnest transport would have an event loop: one that accepts, and for each link one that reads
//! and one that writes.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use bytes::Bytes;
use hustings_protocol::Address;
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_room::{ChannelBinding, DownReason, LinkId};

/// While more bytes than this wait on a link, it is blocked.
pub(crate) const QUEUE_BYTES: usize = 256 * 1024;

/// The bytes of a link that are read before anybody has asked for them.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// The longest frame.
const MAX_FRAME_BYTES: usize = 64 << 20;

const NONCE_BYTES: usize = 16;

/// One process's access to the sockets of a folder.
pub(crate) struct SocketTransport {
    inner: Arc<Inner>,
    /// This address's own.
    path: PathBuf,
}

struct Inner {
    directory: PathBuf,
    state: Mutex<State>,
    /// A link has ended, or something of it was read.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    links: BTreeMap<LinkId, Link>,
    accepted: u64,
    events: VecDeque<TransportEvent>,
    waker: Option<Waker>,
    is_closed: bool,
}

#[derive(Default)]
struct Link {
    /// To the thread that writes, which ends the stream when it has written all and this is gone;
    /// `None` until the link is up.
    frames: Option<Sender<Bytes>>,
    /// The bytes that wait to be written.
    queued: usize,
    /// The bytes that were read and wait to be asked for.
    unread: usize,
    block: Block,
}

/// A link is blocked until it has said that it is writable, not only until it is.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Block {
    #[default]
    Free,
    Blocked,
    /// It has room, and the event waits.
    Telling,
}

impl SocketTransport {
    /// Opens an address. A socket that a killed process has left there is replaced.
    pub(crate) fn open(directory: &Path, address: &Address) -> io::Result<Self> {
        let path = socket(directory, address);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&path)?;
        let inner = Arc::new(Inner {
            directory: directory.to_owned(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let of_thread = Arc::clone(&inner);
        thread::spawn(move || accept(&of_thread, &listener));
        Ok(Self { inner, path })
    }
}

impl Drop for SocketTransport {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        state.is_closed = true;
        state.links.clear();
        drop(state);
        self.inner.changed.notify_all();
        // The thread that accepts wakes, and sees that it is over.
        let _ = UnixStream::connect(&self.path);
        let _ = fs::remove_file(&self.path);
    }
}

impl Transport for SocketTransport {
    fn dial(&mut self, link: LinkId, to: &Address) {
        self.inner.lock().links.insert(link, Link::default());
        let inner = Arc::clone(&self.inner);
        let path = socket(&inner.directory, to);
        thread::spawn(move || match UnixStream::connect(path) {
            Ok(stream) => serve(&inner, Some(link), stream),
            Err(_) => inner.down(link, DownReason::Unreachable),
        });
    }

    fn send(&mut self, link: LinkId, frame: Bytes) -> SendOutcome {
        let mut state = self.inner.lock();
        let Some(of_link) = state.links.get_mut(&link) else {
            return SendOutcome::Gone;
        };
        let Some(frames) = &of_link.frames else {
            return SendOutcome::Gone;
        };
        if of_link.block != Block::Free {
            return SendOutcome::Blocked;
        }
        if of_link.queued > QUEUE_BYTES {
            of_link.block = Block::Blocked;
            return SendOutcome::Blocked;
        }
        of_link.queued += frame.len();
        // If it writes no more, the thread that reads will say so.
        let _ = frames.send(frame);
        SendOutcome::Queued
    }

    fn hangup(&mut self, link: LinkId) {
        let mut state = self.inner.lock();
        state.links.remove(&link);
        state.events.retain(|event| event.link() != Some(link));
        drop(state);
        self.inner.changed.notify_all();
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        let mut state = self.inner.lock();
        let Some(event) = state.events.pop_front() else {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let link = event.link().and_then(|link| state.links.get_mut(&link));
        match (&event, link) {
            (TransportEvent::Frame { frame, .. }, Some(link)) => {
                link.unread -= frame.len();
                self.inner.changed.notify_all();
            }
            (TransportEvent::Writable { .. }, Some(link)) => link.block = Block::Free,
            _ => {}
        }
        Poll::Ready(event)
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, mut state: MutexGuard<'_, State>, event: TransportEvent) {
        state.events.push_back(event);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// A connection stands. `None` if nobody wants it any more.
    fn up(
        &self,
        dialled: Option<LinkId>,
        binding: ChannelBinding,
    ) -> Option<(LinkId, Receiver<Bytes>)> {
        let mut state = self.lock();
        if state.is_closed {
            return None;
        }
        let link = dialled.unwrap_or_else(|| {
            state.accepted += 1;
            let link = LinkId::accepted(state.accepted);
            state.links.insert(link, Link::default());
            link
        });
        let (frames, to_write) = channel();
        state.links.get_mut(&link)?.frames = Some(frames);
        self.tell(state, TransportEvent::LinkUp { link, binding });
        Some((link, to_write))
    }

    /// A frame is read. Waits while there are enough of them.
    fn arrived(&self, link: LinkId, frame: Bytes) {
        let mut state = self.lock();
        loop {
            // Nobody is told what comes on a link that was hung up.
            let Some(of_link) = state.links.get_mut(&link) else {
                return;
            };
            if of_link.unread <= READ_AHEAD_BYTES {
                of_link.unread += frame.len();
                return self.tell(state, TransportEvent::Frame { link, frame });
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn written(&self, link: LinkId, bytes: usize) {
        let mut state = self.lock();
        let Some(of_link) = state.links.get_mut(&link) else {
            return;
        };
        of_link.queued -= bytes;
        if of_link.block == Block::Blocked && of_link.queued <= QUEUE_BYTES {
            of_link.block = Block::Telling;
            self.tell(state, TransportEvent::Writable { link });
        }
    }

    fn down(&self, link: LinkId, reason: DownReason) {
        let mut state = self.lock();
        if state.links.remove(&link).is_some() {
            self.tell(state, TransportEvent::LinkDown { link, reason });
        }
    }
}

fn accept(inner: &Arc<Inner>, listener: &UnixListener) {
    for stream in listener.incoming() {
        if inner.lock().is_closed {
            return;
        }
        let Ok(stream) = stream else { continue };
        let inner = Arc::clone(inner);
        thread::spawn(move || serve(&inner, None, stream));
    }
}

/// The life of one connection, from the side that reads.
fn serve(inner: &Arc<Inner>, dialled: Option<LinkId>, mut stream: UnixStream) {
    let binding = match exchange(&mut stream) {
        Ok(binding) => binding,
        Err(error) => {
            if let Some(link) = dialled {
                inner.down(link, DownReason::DialFailed(error.to_string()));
            }
            return;
        }
    };
    let Ok(writing) = stream.try_clone() else {
        return;
    };
    let Some((link, frames)) = inner.up(dialled, binding) else {
        return;
    };
    let of_writer = Arc::clone(inner);
    thread::spawn(move || write(&of_writer, link, &frames, writing));
    let reason = loop {
        match read_frame(&mut stream) {
            Ok(Some(frame)) => inner.arrived(link, frame),
            Ok(None) => break DownReason::ClosedByPeer,
            Err(error) => break DownReason::Lost(error.to_string()),
        }
    };
    let _ = stream.shutdown(Shutdown::Both);
    inner.down(link, reason);
}

fn write(inner: &Inner, link: LinkId, frames: &Receiver<Bytes>, mut stream: UnixStream) {
    for frame in frames {
        let length = u32::try_from(frame.len()).expect("frames have a bound below this");
        let written = stream
            .write_all(&length.to_be_bytes())
            .and_then(|()| stream.write_all(&frame));
        if written.is_err() {
            // The side that reads meets the same end.
            return;
        }
        inner.written(link, frame.len());
    }
    let _ = stream.shutdown(Shutdown::Write);
}

/// Both sides say what binds the channel to them.
fn exchange(stream: &mut UnixStream) -> io::Result<ChannelBinding> {
    let mut local = [0; NONCE_BYTES];
    getrandom::fill(&mut local).map_err(io::Error::other)?;
    stream.write_all(&local)?;
    let mut remote = [0; NONCE_BYTES];
    stream.read_exact(&mut remote)?;
    Ok(ChannelBinding {
        local: Bytes::copy_from_slice(&local),
        remote: Bytes::copy_from_slice(&remote),
    })
}

/// The next frame; `None` at an end between two frames.
fn read_frame(stream: &mut UnixStream) -> io::Result<Option<Bytes>> {
    let mut length = [0; 4];
    // An end after one byte of the length would be an error.
    if stream.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut length[1..])?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame)?;
    Ok(Some(frame.into()))
}

/// A path to a socket has about a hundred bytes, so a peer is known by the beginning of its id.
fn socket(directory: &Path, address: &Address) -> PathBuf {
    let peer = &address.peer().to_string()[..16];
    directory.join(match address {
        Address::Owner(_) => peer.to_owned(),
        Address::Participant(_, device) => format!("{peer}-{device}"),
    })
}
