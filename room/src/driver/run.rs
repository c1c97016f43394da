//! The loop: gathers inputs, commits the records that they lead to, then does the rest of the
//! outputs.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt;
use hustings_outbox::{Durability, Store, StoreError};
use hustings_protocol::planted::{Fault, is_on};
use hustings_protocol::{DeviceId, batch};
use litemap::LiteMap;

use super::records::{self, Records};
use super::shared::{AnyMachine, Ends, Reply, Request, State};
use super::together::Together;
use super::trace::Trace;
use crate::clock::Sleep;
use crate::transport::{SendOutcome, Transport, TransportError, TransportEvent};
use crate::{LinkId, Moment, Output};

/// The largest number of inputs before a commit, of which each message of a batch is one; the last
/// frame may be a batch and is taken whole. A commit costs about as much as a thousand inputs,
/// so a batch has many; it is bounded so that no answer waits for ever.
const MAX_BATCH: usize = 256;

/// The number of inputs after which other tasks of the executor get their turn, even if there are
/// more. A batch may be all of them.
const MAX_TURN: usize = MAX_BATCH;

/// The reason why a driver stopped. Everything that was acknowledged is durable: open the same
/// store again to continue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// The store failed, and nothing that depended on the failed commit was sent.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// The transport cannot go on.
    #[error("the transport failed: {0}")]
    Transport(#[from] TransportError),
}

/// Runs a machine over a transport and a store.
#[must_use = "a driver does nothing until it is run"]
pub struct Driver<T, S> {
    ends: Ends,
    transport: T,
    store: S,
    device: DeviceId,
    sleep: Option<(Moment, Sleep)>,
    /// Links that had no room for something, until they say that they have. The transport may have
    /// some sooner, but nothing may overtake what found none.
    blocked_links: LiteMap<LinkId, ()>,
    staged: Staged,
    /// Messages that wait for nothing but others that may leave with them.
    together: Together,
    trace: Trace,
    closing: Vec<Reply>,
    is_closing: bool,
    /// The number of inputs since other tasks had their turn.
    turn: usize,
}

/// The work for the next commit. Every output in `after` came after one of the `records`, and so
/// must wait until it is durable; or it is of a batch, and waits for the others.
#[derive(Default)]
struct Staged {
    records: Records,
    /// The strictest durability that a record needs; `None` while there is none.
    durability: Option<Durability>,
    after: Vec<Output>,
    replies: Vec<Reply>,
}

impl<T: Transport, S: Store> Driver<T, S> {
    pub(super) fn new(ends: Ends, transport: T, store: S, device: DeviceId, trace: Trace) -> Self {
        Self {
            ends,
            transport,
            store,
            device,
            sleep: None,
            blocked_links: LiteMap::new(),
            staged: Staged::default(),
            together: Together::default(),
            trace,
            closing: Vec::new(),
            is_closing: false,
            turn: 0,
        }
    }

    /// Runs until [`close`](super::Room::close) is called, every handle is gone, or the store or
    /// the transport fails.
    ///
    /// However much there is to do, other tasks on the same executor get their turn after every few
    /// hundred inputs.
    ///
    /// To drop the future is a crash: nothing is flushed, and only the durable data is left.
    ///
    /// # Errors
    ///
    /// The store or the transport failed. The machine is not used again: open the room anew.
    pub async fn run(mut self) -> Result<(), DriverError> {
        let ended = self.run_until_closed().await;
        self.trace.stopped(ended.as_ref().err());
        ended?;
        let Self {
            ends,
            transport,
            store,
            closing,
            ..
        } = self;
        // Whoever is told that it is closed may take the address and the store at once.
        drop((ends, transport, store));
        for reply in closing {
            reply();
        }
        Ok(())
    }

    async fn run_until_closed(&mut self) -> Result<(), DriverError> {
        let machine = Arc::clone(&self.ends.core);
        self.drain(&mut machine.lock());
        loop {
            self.commit().await?;
            if self.is_closing {
                return Ok(());
            }
            poll_fn(|cx| self.poll_gather(cx)).await?;
        }
    }

    /// Takes inputs, as many as there are up to a bound; waits while there are none, and now and
    /// then although there are, so that a flood of them leaves time for everything else.
    fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), DriverError>> {
        if self.turn >= MAX_TURN && !is_on(Fault::NeverYields) {
            self.turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut taken = 0;
        while taken < MAX_BATCH && !self.is_closing {
            let before = taken;
            if let Poll::Ready(event) = self.transport.poll_event(cx) {
                taken += self.handle_event(event)?;
            }
            if let Poll::Ready(request) = self.ends.requests.poll_next_unpin(cx) {
                self.handle_request(request);
                taken += 1;
            }
            if self.poll_timer(cx).is_ready() {
                taken += 1;
            }
            if taken == before {
                break;
            }
        }
        if taken == 0 {
            self.turn = 0;
            Poll::Pending
        } else {
            self.turn += taken;
            Poll::Ready(Ok(()))
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timeout = self.ends.core.lock().machine.poll_timeout();
        // A deadline at the end of time has never come: nothing could be set after it, and it would
        // be due again and again.
        let timeout = timeout.filter(|(at, _)| *at < Moment::END);
        let Some((deadline, _)) = timeout else {
            self.sleep = None;
            return Poll::Pending;
        };
        if self.sleep.as_ref().is_none_or(|(at, _)| *at != deadline) {
            self.sleep = Some((deadline, self.ends.clock.sleep_until(deadline)));
        }
        let Some((_, sleep)) = &mut self.sleep else {
            return Poll::Pending;
        };
        if sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.sleep = None;
        self.feed(|machine, now| machine.handle_timeout(now));
        Poll::Ready(())
    }

    /// Returns the number of inputs that it was.
    fn handle_event(&mut self, event: TransportEvent) -> Result<usize, DriverError> {
        self.trace.happened(&event);
        match event {
            TransportEvent::LinkUp { link, binding } => {
                self.feed(|machine, now| machine.handle_link_up(link, binding, now));
            }
            TransportEvent::Frame { link, frame } => {
                return Ok(self.handle_frame(link, &frame));
            }
            TransportEvent::Writable { link } => {
                self.blocked_links.remove(&link);
                self.feed(|machine, now| machine.handle_writable(link, now));
            }
            TransportEvent::LinkDown { link, reason } => {
                self.blocked_links.remove(&link);
                self.feed(|machine, now| machine.handle_link_down(link, reason, now));
            }
            TransportEvent::Wake => self.feed(|machine, now| machine.handle_wake(now)),
            TransportEvent::Failed(error) => return Err(self.fails(error.into())),
        }
        Ok(1)
    }

    /// A frame, message by message. What those of a batch lead to waits for the commit, as behind a
    /// record, so that the answers leave together. Returns the number of messages.
    fn handle_frame(&mut self, link: LinkId, frame: &Bytes) -> usize {
        let now = self.ends.clock.now();
        let core = Arc::clone(&self.ends.core);
        let mut state = core.lock();
        let messages = match batch::is_batch(frame) {
            true => state.machine.messages(frame).unwrap_or_default(),
            false => Vec::new(),
        };
        if messages.is_empty() {
            // One message, or a batch that cannot be read, which is one fault.
            state.machine.handle_frame(link, frame, now);
            self.drain(&mut state);
            return 1;
        }
        for message in &messages {
            // A copy: what is kept of one must not keep the others.
            let message = Bytes::copy_from_slice(message);
            state.machine.handle_frame(link, &message, now);
            self.take_outputs(&mut state, true);
        }
        messages.len()
    }

    fn handle_request(&mut self, request: Option<Request>) {
        match request {
            Some(Request::Step(step)) => {
                let now = self.ends.clock.now();
                let core = Arc::clone(&self.ends.core);
                let mut state = core.lock();
                let reply = step(&mut state, now);
                self.drain(&mut state);
                self.staged.replies.push(reply);
            }
            // Without handles nobody can want anything more.
            None => self.close(),
            Some(Request::Close(reply)) => {
                self.closing.push(reply);
                self.close();
            }
        }
    }

    /// Notes why this driver stops, for its handles.
    fn fails(&self, error: DriverError) -> DriverError {
        self.ends.core.lock().notes.failure = Some(error.clone());
        error
    }

    fn close(&mut self) {
        self.is_closing = true;
        self.feed(|machine, _| machine.close());
    }

    /// One input and all its outputs, in one step for others that look at the machine.
    fn feed(&mut self, input: impl FnOnce(&mut AnyMachine, Moment)) {
        let now = self.ends.clock.now();
        let core = Arc::clone(&self.ends.core);
        let mut state = core.lock();
        input(&mut state.machine, now);
        self.drain(&mut state);
    }

    /// Takes all the outputs and does those that wait for no record. These may lead to more: a
    /// blocked link is an input, too.
    fn drain(&mut self, state: &mut State<AnyMachine>) {
        self.take_outputs(state, false);
        while !self.together.is_empty() {
            self.send_waiting(state);
            self.take_outputs(state, false);
        }
    }

    /// Takes the outputs: records go into the batch, outputs after a record wait behind it, and so
    /// do those of which `wait` says so. All before these are done at once.
    fn take_outputs(&mut self, state: &mut State<AnyMachine>, wait: bool) {
        while let Some(output) = state.machine.poll_output() {
            match output {
                Output::Persist(persist) => {
                    let durability = records::durability(&persist.record);
                    self.staged.durability = self.staged.durability.max(Some(durability));
                    self.staged.records.add(self.device, *persist);
                }
                Output::Send { .. }
                | Output::Broadcast { .. }
                | Output::Dial { .. }
                | Output::Hangup { .. }
                | Output::Event { .. } => {
                    let staged = &mut self.staged;
                    // Nothing overtakes what waits.
                    if wait || staged.durability.is_some() || !staged.after.is_empty() {
                        staged.after.push(output);
                    } else {
                        self.act(state, output);
                    }
                }
            }
        }
    }

    /// The outputs that may be done are. Messages wait for those that may leave with them; events
    /// and dials do not wait for messages, and a link is closed after them.
    fn act(&mut self, state: &mut State<AnyMachine>, output: Output) {
        let is_first = match &output {
            Output::Send { .. } | Output::Broadcast { .. } => self.together.fits(&output),
            Output::Hangup { .. } => false,
            Output::Persist(_) | Output::Dial { .. } | Output::Event { .. } => true,
        };
        if !is_first {
            self.send_waiting(state);
        }
        if let Some(other) = self.together.add(output) {
            self.perform(state, other);
        }
    }

    fn send_waiting(&mut self, state: &mut State<AnyMachine>) {
        for output in self.together.take() {
            self.perform(state, output);
        }
    }

    /// Makes the batch durable, then does the outputs that waited for it.
    async fn commit(&mut self) -> Result<(), DriverError> {
        // These may lead to more: a blocked link is an input, too.
        loop {
            let staged = std::mem::take(&mut self.staged);
            if let Some(durability) = staged.durability {
                let batch = staged.records.into_batch(self.device);
                let writes = batch.len();
                let committed = self.store.commit(batch, durability).await;
                // While those who wait for this commit still do.
                committed.map_err(|error| self.fails(error.into()))?;
                self.trace.committed(writes, durability);
            }
            let core = Arc::clone(&self.ends.core);
            let mut state = core.lock();
            for output in staged.after {
                self.act(&mut state, output);
            }
            self.send_waiting(&mut state);
            for reply in staged.replies {
                reply();
            }
            self.drain(&mut state);
            if self.staged.durability.is_none() {
                return Ok(());
            }
        }
    }

    fn perform(&mut self, state: &mut State<AnyMachine>, output: Output) {
        self.trace.performs(&output);
        match output {
            // Not reached: records are staged.
            Output::Persist(_) => {}
            Output::Send { link, frame } => {
                if self.blocked_links.contains_key(&link)
                    || self.transport.send(link, frame.clone()) == SendOutcome::Blocked
                {
                    self.blocked(state, link, &frame);
                }
            }
            Output::Broadcast {
                links,
                except,
                frame,
            } => {
                let mut blocked = Vec::new();
                if self.blocked_links.is_empty() {
                    self.transport
                        .broadcast(&links, except, &frame, &mut blocked);
                } else {
                    let to = links.iter().filter(|link| Some(**link) != except);
                    let (no_room, to): (Vec<LinkId>, Vec<LinkId>) =
                        to.partition(|link| self.blocked_links.contains_key(link));
                    blocked = no_room;
                    self.transport.broadcast(&to, None, &frame, &mut blocked);
                }
                for link in blocked {
                    self.blocked(state, link, &frame);
                }
            }
            Output::Dial { link, to } => self.transport.dial(link, &to),
            Output::Hangup { link } => {
                self.blocked_links.remove(&link);
                self.transport.hangup(link);
            }
            Output::Event { poll_id, event } => {
                let waiter = state.notes.commands.note(&event);
                state.notes.openings.note(poll_id, &event);
                // Nobody has to listen.
                let _ = self.ends.events.try_broadcast((poll_id, event));
                // After the event: a listener that begins at the outcome does not hear it again.
                if let Some((waiter, outcome)) = waiter {
                    let _ = waiter.send(outcome);
                }
            }
        }
    }

    fn blocked(&mut self, state: &mut State<AnyMachine>, link: LinkId, frame: &Bytes) {
        self.trace.blocked(link);
        self.blocked_links.insert(link, ());
        let now = self.ends.clock.now();
        // A machine knows its messages, and nothing of those that were joined.
        let messages = match batch::is_batch(frame) {
            true => batch::messages(frame, frame.len()).unwrap_or_default(),
            false => Vec::new(),
        };
        if messages.is_empty() {
            state.machine.handle_blocked(link, frame, now);
        }
        for message in messages {
            let message = Bytes::copy_from_slice(message);
            state.machine.handle_blocked(link, &message, now);
        }
    }
}
