//! The owner's side of a room's handle.

use std::sync::Arc;

use futures::channel::oneshot;
use hustings_outbox::MaybeSend;
use hustings_protocol::{
    Command, CommandId, Outcome, PeerInfo, Poll as PollState, PollId, Revision,
};

use super::room::{CallError, Events};
use super::shared::{AnyMachine, Core, Notes, Shared, Stopped};
use crate::{Host, Moment, Owner};

/// A future that goes wherever the handle does.
#[cfg(not(target_family = "wasm"))]
type Doing<'a, T> = futures::future::BoxFuture<'a, T>;
/// A future that goes wherever the handle does.
#[cfg(target_family = "wasm")]
type Doing<'a, T> = futures::future::LocalBoxFuture<'a, T>;

/// The things for which a handle asks the owner's side.
///
/// An interface, though one type has it: only those who make an owner's handle have the machine's
/// code with it, and a page in which people vote may load that later, or never.
pub(super) trait OwnerSide: MaybeSend {
    fn submit(
        &self,
        command: Command,
        tell: oneshot::Sender<Outcome>,
    ) -> Doing<'_, Result<CommandId, CallError>>;
    fn core(&self) -> Arc<Core<AnyMachine>>;
    fn poll(&self) -> Option<Arc<PollState>>;
    fn revision(&self) -> Option<Revision>;
    fn peers(&self) -> Vec<PeerInfo>;
    fn is_full(&self) -> bool;
    fn is_stopped(&self) -> bool;
    fn now(&self) -> Moment;
    fn events(&self) -> Events;
    fn close(&self) -> Doing<'_, ()>;
    fn stopped(&self) -> Stopped;
}

/// One opening of a poll, see [`Openings`](super::openings::Openings).
pub(super) struct Opened {
    pub(super) shared: Arc<Shared<Host>>,
    pub(super) poll_id: PollId,
    pub(super) opening: u64,
}

impl Opened {
    /// Looks at the owner of the poll, if this opening of it is the present one.
    fn look<R>(&self, look: impl FnOnce(&Owner) -> R) -> Option<R> {
        let state = self.shared.lock();
        open(&state.machine, &state.notes, self.poll_id, self.opening).map(look)
    }
}

impl OwnerSide for Opened {
    fn submit(
        &self,
        command: Command,
        tell: oneshot::Sender<Outcome>,
    ) -> Doing<'_, Result<CommandId, CallError>> {
        let (poll_id, opening) = (self.poll_id, self.opening);
        let submit = move |host: &mut Host, notes: &mut Notes, now| {
            if open(host, notes, poll_id, opening).is_none() {
                return Err(CallError::Stopped);
            }
            let submitted = host.submit(poll_id, command, now);
            notes.commands.wait_for(&submitted, tell);
            Ok(submitted?)
        };
        Box::pin(async move { self.shared.call(submit).await? })
    }

    fn core(&self) -> Arc<Core<AnyMachine>> {
        self.shared.core()
    }

    fn poll(&self) -> Option<Arc<PollState>> {
        self.look(|owner| Arc::clone(owner.poll()))
    }

    fn revision(&self) -> Option<Revision> {
        self.look(Owner::revision)
    }

    fn peers(&self) -> Vec<PeerInfo> {
        self.look(Owner::peers).unwrap_or_default()
    }

    fn is_full(&self) -> bool {
        !self.shared.is_stopped() && self.shared.lock().machine.is_full()
    }

    fn is_stopped(&self) -> bool {
        self.shared.is_stopped()
    }

    fn now(&self) -> Moment {
        self.shared.now()
    }

    fn events(&self) -> Events {
        Events::of(&self.shared, self.poll_id, self.opening)
    }

    fn close(&self) -> Doing<'_, ()> {
        let (poll_id, opening) = (self.poll_id, self.opening);
        let close = move |host: &mut Host, notes: &mut Notes, _| {
            if open(host, notes, poll_id, opening).is_some() {
                host.close_poll(poll_id);
            }
        };
        Box::pin(async move {
            // A driver that has stopped has no open polls.
            let _ = self.shared.call(close).await;
        })
    }

    fn stopped(&self) -> Stopped {
        self.shared.stopped()
    }
}

/// The owner of a poll, if it is open and this is its last opening.
fn open<'a>(host: &'a Host, notes: &Notes, poll_id: PollId, opening: u64) -> Option<&'a Owner> {
    let owner = host.owner(poll_id)?;
    (notes.openings.last(poll_id) == opening).then_some(owner)
}
