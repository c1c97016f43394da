//! Transports that can reach each other, and what each of them has said.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use hustings_protocol::Address;

use super::Harness;
use crate::transport::{SendOutcome, Transport, TransportEvent};
use crate::{ChannelBinding, DownReason, LinkId};

/// Longer than anything takes: a dial to nobody waits for a time limit of the transport.
const PATIENCE: Duration = Duration::from_secs(30);

/// The time in which nothing may happen where nothing should: a fault has it to show itself.
const QUIET: Duration = Duration::from_millis(300);

/// Several transports, of which every one is read except those that are held.
pub(super) struct Stage<H: Harness> {
    pub(super) harness: H,
    sides: Vec<Side<H::Transport>>,
}

/// A link between two sides of a stage, under the name that each of them has for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) dialler: usize,
    pub(super) out: LinkId,
    pub(super) acceptor: usize,
    pub(super) inn: LinkId,
}

struct Side<T> {
    /// Until it is dropped.
    transport: Option<T>,
    address: Address,
    dials: u64,
    links: BTreeMap<LinkId, LinkState>,
    /// Events that no case has looked at.
    inbox: VecDeque<TransportEvent>,
    bell: Arc<Bell>,
    is_held: bool,
}

/// The state of a link, which says what may still be said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinkState {
    Dialled,
    Up,
    HungUp,
    Down,
}

/// The task of one transport, which is polled again only when it was woken. It passes that on to
/// the case's own task.
struct Bell {
    is_rung: AtomicBool,
    case: Mutex<Option<Waker>>,
}

impl Bell {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            is_rung: AtomicBool::new(true),
            case: Mutex::new(None),
        })
    }

    fn ring(&self) {
        self.is_rung.store(true, Ordering::Release);
    }

    /// True if it was rung since the last time.
    fn was_rung(&self, cx: &Context<'_>) -> bool {
        let mut case = self.case.lock().unwrap_or_else(PoisonError::into_inner);
        *case = Some(cx.waker().clone());
        drop(case);
        self.is_rung.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
        let mut case = self.case.lock().unwrap_or_else(PoisonError::into_inner);
        let case = case.take();
        if let Some(case) = case {
            case.wake();
        }
    }
}

impl<H: Harness> Stage<H> {
    /// So many transports.
    pub(super) async fn of(count: usize, mut harness: H) -> Self {
        let mut sides = Vec::new();
        for _ in 0..count {
            let (transport, address) = harness.open().await;
            sides.push(Side {
                transport: Some(transport),
                address,
                dials: 0,
                links: BTreeMap::new(),
                inbox: VecDeque::new(),
                bell: Bell::new(),
                is_held: false,
            });
        }
        Self { harness, sides }
    }

    /// Two transports, and a link from the first to the second.
    pub(super) async fn linked(harness: H) -> (Self, Link) {
        let mut stage = Self::of(2, harness).await;
        let link = stage.link(0, 1).await;
        (stage, link)
    }

    /// A link on which both sides have spoken.
    pub(super) async fn link(&mut self, dialler: usize, acceptor: usize) -> Link {
        let out = self.dial(dialler, acceptor);
        let (up, _) = self.up(dialler).await;
        assert_eq!(up, out, "the link that came up was dialled");
        let (inn, _) = self.up(acceptor).await;
        let link = Link {
            dialler,
            out,
            acceptor,
            inn,
        };
        self.greet(link).await;
        link
    }

    /// A word each way. The dialler speaks first: in Chromium, what the accepting side sends at
    /// once, before the dialler's end of the data channel is open, can be lost. Rooms never do
    /// that, since the participant begins the handshake.
    pub(super) async fn greet(&mut self, link: Link) {
        self.send(link.dialler, link.out, text(5, 0));
        assert_eq!(self.frame(link.acceptor).await, (link.inn, text(5, 0)));
        self.send(link.acceptor, link.inn, text(7, 1));
        assert_eq!(self.frame(link.dialler).await, (link.out, text(7, 1)));
    }

    // What a side is told to do.

    /// Dials another side.
    pub(super) fn dial(&mut self, from: usize, to: usize) -> LinkId {
        let to = self.sides[to].address;
        self.dial_address(from, &to)
    }

    pub(super) fn dial_address(&mut self, from: usize, to: &Address) -> LinkId {
        let side = &mut self.sides[from];
        let link = LinkId::dialled(side.dials);
        side.dials += 1;
        side.links.insert(link, LinkState::Dialled);
        self.transport(from).dial(link, to);
        link
    }

    /// Sends what is sure to be taken.
    pub(super) fn send(&mut self, from: usize, link: LinkId, frame: Bytes) {
        let sent = self.try_send(from, link, frame);
        assert_eq!(sent, SendOutcome::Queued, "{link} of {from} has room");
    }

    pub(super) fn try_send(&mut self, from: usize, link: LinkId, frame: Bytes) -> SendOutcome {
        self.transport(from).send(link, frame)
    }

    /// Sends frames of this size until the link is blocked. Returns how many there was room for.
    pub(super) fn fill(&mut self, from: usize, link: LinkId, size: usize) -> usize {
        // However much the network holds beside the queue, it is not this much.
        let enough = 64 * (self.harness.bounds().queue / size + 1);
        let mut taken = 0;
        loop {
            match self.try_send(from, link, text(size, taken)) {
                SendOutcome::Queued => taken += 1,
                SendOutcome::Blocked => return taken,
                SendOutcome::Gone => panic!("{link} of {from} is gone after {taken} frames"),
            }
            assert!(
                taken < enough,
                "{taken} frames wait and the link is not blocked"
            );
        }
    }

    /// Broadcasts, and returns the links that had no room.
    pub(super) fn broadcast(
        &mut self,
        from: usize,
        links: &[LinkId],
        except: Option<LinkId>,
        frame: &Bytes,
    ) -> Vec<LinkId> {
        let mut blocked = Vec::new();
        self.transport(from)
            .broadcast(links, except, frame, &mut blocked);
        blocked
    }

    pub(super) fn hangup(&mut self, side: usize, link: LinkId) {
        self.sides[side].links.insert(link, LinkState::HungUp);
        self.transport(side).hangup(link);
    }

    /// Drops the transport of a side.
    pub(super) fn close(&mut self, side: usize) {
        self.sides[side].transport = None;
    }

    /// From now on this side reads nothing.
    pub(super) fn hold(&mut self, side: usize) {
        self.sides[side].is_held = true;
    }

    /// It reads again.
    pub(super) fn release(&mut self, side: usize) {
        self.sides[side].is_held = false;
    }

    fn transport(&mut self, side: usize) -> &mut H::Transport {
        let side = &mut self.sides[side];
        // Whoever calls a transport polls it afterwards: a driver does.
        side.bell.ring();
        side.transport.as_mut().expect("it is still open")
    }

    // What a side says.

    pub(super) async fn up(&mut self, side: usize) -> (LinkId, ChannelBinding) {
        let event = self.event(side, "a link").await;
        let TransportEvent::LinkUp { link, binding } = event else {
            panic!("{event:?} at {side} in place of a link");
        };
        (link, binding)
    }

    pub(super) async fn frame(&mut self, side: usize) -> (LinkId, Bytes) {
        let event = self.event(side, "a frame").await;
        let TransportEvent::Frame { link, frame } = event else {
            panic!("{event:?} at {side} in place of a frame");
        };
        (link, frame)
    }

    pub(super) async fn down(&mut self, side: usize) -> (LinkId, DownReason) {
        let event = self.event(side, "the end of a link").await;
        let TransportEvent::LinkDown { link, reason } = event else {
            panic!("{event:?} at {side} in place of a link's end");
        };
        (link, reason)
    }

    pub(super) async fn writable(&mut self, side: usize) -> LinkId {
        let event = self.event(side, "room on a link").await;
        let TransportEvent::Writable { link } = event else {
            panic!("{event:?} at {side} in place of room on a link");
        };
        link
    }

    /// The next thing that a side says.
    pub(super) async fn event(&mut self, side: usize, what: &str) -> TransportEvent {
        let mut patience = pin!(self.harness.sleep(PATIENCE));
        let sides = &mut self.sides;
        poll_fn(|cx| {
            // First: a poll that nobody was woken for would hide that.
            let is_over = patience.as_mut().poll(cx).is_ready();
            assert!(!is_over, "{what} at {side} takes longer than {PATIENCE:?}");
            read(sides, cx);
            match sides[side].inbox.pop_front() {
                Some(event) => Poll::Ready(event),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Lets a moment pass, in which everybody who is not held reads.
    pub(super) async fn pass(&mut self) {
        let mut pause = pin!(self.harness.sleep(QUIET));
        let sides = &mut self.sides;
        poll_fn(|cx| {
            read(sides, cx);
            pause.as_mut().poll(cx)
        })
        .await;
    }

    /// The events of a side within a moment in which nobody else has any.
    pub(super) async fn events_of(&mut self, side: usize) -> Vec<TransportEvent> {
        self.pass().await;
        let events = std::mem::take(&mut self.sides[side].inbox);
        self.is_quiet().await;
        events.into()
    }

    /// Checks that every event has been looked at, and that there are no more.
    pub(super) async fn is_quiet(&mut self) {
        self.pass().await;
        for (number, side) in self.sides.iter().enumerate() {
            assert_eq!(side.inbox, [], "nothing more happens at {number}");
        }
    }
}

/// Takes everything that there is at those who are not held and were woken.
fn read<T: Transport>(sides: &mut [Side<T>], cx: &mut Context<'_>) {
    for side in sides.iter_mut().filter(|side| !side.is_held) {
        let Some(transport) = &mut side.transport else {
            continue;
        };
        if !side.bell.was_rung(cx) {
            continue;
        }
        let waker = Waker::from(Arc::clone(&side.bell));
        let mut task = Context::from_waker(&waker);
        while let Poll::Ready(event) = transport.poll_event(&mut task) {
            note(&mut side.links, &event);
            // The network may have come back at any time.
            if event != TransportEvent::Wake {
                side.inbox.push_back(event);
            }
        }
    }
}

/// Checks that this event may come after the ones before it.
fn note(links: &mut BTreeMap<LinkId, LinkState>, event: &TransportEvent) {
    match event {
        TransportEvent::LinkUp { link, .. } => {
            let before = links.insert(*link, LinkState::Up);
            let expected = (!link.is_accepted()).then_some(LinkState::Dialled);
            assert_eq!(before, expected, "{link} came up");
        }
        TransportEvent::Frame { link, .. } | TransportEvent::Writable { link } => {
            let state = links.get(link);
            assert_eq!(state, Some(&LinkState::Up), "{event:?}");
        }
        TransportEvent::LinkDown { link, .. } => {
            let before = links.insert(*link, LinkState::Down);
            let may_end = matches!(before, Some(LinkState::Dialled | LinkState::Up));
            assert!(may_end, "{event:?} of a link that is {before:?}");
        }
        TransportEvent::Wake => {}
        TransportEvent::Failed(error) => panic!("the transport failed: {error}"),
    }
}

/// A frame of so many letters, in an order that depends on `variant`. Letters, because a transport
/// may carry text.
pub(super) fn text(size: usize, variant: usize) -> Bytes {
    let letter = |at: usize| b'a' + ((at / 26 * 7 + at + variant) % 26) as u8;
    (0..size).map(letter).collect()
}
