//! A running process: a driver, and whoever looks at what it shows after each of its steps.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::Kind;
use super::clock::OwnClock;
use super::cost::measured;
use super::disk::Disk;
use super::oracle::View;
use super::scene::{OWNER, Process};
use super::tap::Tap;
use futures::{FutureExt, StreamExt};
use hustings_protocol::{Command, Limits, PollDraft, PollId, RoomId};
use hustings_room::driver::{
    CallError, DriverError, Events, Hosting, OpenError, Room, Submitted, host, join,
};
use hustings_room::{Connection, Event, Setup, SubmitError};

/// The handles that people have, by the place of the process; none of a process that is dead or
/// has not opened its room yet.
pub(super) type Handles = Rc<RefCell<Vec<Option<Handle>>>>;

/// The place of the owner's handle of a poll that is not its first, among so many.
pub(super) const fn owners(poll: usize, handles: usize) -> usize {
    handles - poll
}

#[derive(Clone)]
pub(super) struct Handle {
    pub(super) room: Room,
    /// The life that it belongs to.
    process: Process,
    /// The place of its poll.
    poll: usize,
    hosting: Option<Hosting<Disk>>,
    /// True until somebody listens to its events.
    is_new: bool,
}

impl Handle {
    /// True while the process that it belongs to runs, and the room is open.
    pub(super) fn is_live(&self) -> bool {
        self.process.scene().is_some() && !self.is_closed()
    }

    fn is_closed(&self) -> bool {
        self.room.connection() == Connection::Closed
    }

    /// The owner's poll is closed, and opened twice: while one reads its journal, another has
    /// opened it, asked for something, and closed it.
    pub(super) async fn reopens(self, command: Command, handles: Handles) {
        let Some(hosting) = self.hosting.clone() else {
            return;
        };
        let poll_id = self.room.id().poll_id;
        self.room.close().await;
        let quick = async {
            let room = hosting.open(poll_id).await?;
            let quick = Self {
                room: room.clone(),
                ..self.clone()
            };
            quick.submit(command).await;
            room.close().await;
            Ok::<_, OpenError>(())
        };
        let late = hosting.open(poll_id);
        let (late, quick) = futures::join!(late, quick);
        let opened = match (late, quick) {
            // The two may have been one opening, which is closed now.
            (Ok(late), Ok(())) if late.connection() == Connection::Closed => {
                hosting.open(poll_id).await
            }
            (late, quick) => quick.and(late),
        };
        let Some(mut scene) = self.process.scene() else {
            return;
        };
        match opened {
            Ok(room) => {
                scene.trace("opened again", &room.revision());
                drop(scene);
                handles.borrow_mut()[OWNER] = Some(Self {
                    room,
                    is_new: true,
                    ..self
                });
            }
            Err(_) if scene.slots[OWNER].may_end => {}
            Err(error) => scene.breaks(format!("the owner cannot host again: {error}")),
        }
    }

    /// Asks for something, and waits for what becomes of it.
    pub(super) async fn submit(self, command: Command) {
        let is_too_long =
            command.check_lengths(&Limits::default()).is_err() || command.check_text().is_err();
        let submitted = self.room.submit(command).await;
        let Some(submitted) = self.is_taken(submitted, is_too_long) else {
            return;
        };
        let id = submitted.command_id();
        let outcome = submitted.outcome().await;
        if let (Ok(outcome), Some(mut scene)) = (outcome, self.process.scene()) {
            scene.trace("answered", &(self.process.slot, id, &outcome));
            let slot = self.process.slot;
            scene.ask(self.poll, |oracle| oracle.answered(slot, id, &outcome));
        }
    }

    fn is_taken(
        &self,
        submitted: Result<Submitted, CallError>,
        is_too_long: bool,
    ) -> Option<Submitted> {
        let mut scene = self.process.scene()?;
        let slot = self.process.slot;
        match submitted {
            Ok(submitted) => {
                let id = submitted.command_id();
                scene.trace("promised", &(slot, id));
                if !scene.slots[slot].is_stale {
                    scene.ask(self.poll, |oracle| oracle.promised(slot, id));
                }
                Some(submitted)
            }
            // As it should be.
            Err(CallError::Submit(SubmitError::Invalid(_))) if is_too_long => None,
            // It has closed the poll.
            Err(_) if slot == OWNER && self.is_closed() => None,
            // It is leaving, or has failed.
            Err(CallError::Stopped) if scene.slots[slot].may_end => None,
            Err(error) => {
                scene.breaks(format!("{slot} cannot submit: {error}"));
                None
            }
        }
    }

    /// The process leaves in good order.
    pub(super) async fn close(self) {
        match self.process.scene() {
            Some(mut scene) => scene.slots[self.process.slot].may_end = true,
            None => return,
        }
        match &self.hosting {
            Some(hosting) => hosting.close().await,
            None => self.room.close().await,
        }
    }
}

/// The owner's process: new polls, or those that its disk has.
pub(super) async fn hosts(
    setup: Setup,
    tap: Tap,
    disk: Disk,
    clock: OwnClock,
    polls: Vec<Result<PollId, PollDraft>>,
    handles: Handles,
) {
    let process = disk.process.clone();
    let (hosting, driver) = host(setup, tap, disk, clock);
    let openings = polls.into_iter().map(|poll| {
        let opener = hosting.clone();
        let opening = async move {
            match poll {
                Ok(poll_id) => {
                    // As somebody does who looks for their polls.
                    let listed = opener.journals().await?;
                    if listed.iter().all(|room| room.poll_id != poll_id) {
                        return Err(OpenError::NoJournal(poll_id));
                    }
                    opener.open(poll_id).await
                }
                Err(draft) => opener.create(draft).await,
            }
        };
        let opening: Boxed<Result<Room, OpenError>> = Box::pin(opening);
        opening
    });
    let openings = openings.collect();
    let life = Life {
        process,
        driver: Box::pin(driver.run()),
        openings,
        hosting: Some(hosting),
        events: Vec::new(),
        handles,
    };
    life.await;
}

/// A participant's.
pub(super) async fn joins(
    setup: Setup,
    tap: Tap,
    disk: Disk,
    clock: OwnClock,
    room: RoomId,
    handles: Handles,
) {
    let process = disk.process.clone();
    let (room, driver) = match join(setup, room, tap, disk, clock).await {
        Ok(joined) => joined,
        Err(error) => {
            if let Some(mut scene) = process.scene() {
                if !scene.slots[process.slot].may_end {
                    scene.breaks(format!("{} cannot join: {error}", process.slot));
                }
                scene.end(process.slot);
            }
            return;
        }
    };
    let mut life = Life {
        process,
        driver: Box::pin(driver.run()),
        openings: Vec::new(),
        hosting: None,
        events: Vec::new(),
        handles,
    };
    life.is_open(room);
    life.await;
}

/// Most things that a driver hears before it lets others run: those of a turn, and a last batch.
const MAX_HEARD: usize = 512;

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// A process until it dies, in the midst of a step of its driver or because that ends.
struct Life {
    process: Process,
    driver: Boxed<Result<(), DriverError>>,
    /// The rooms that it takes the driver to open, and that are not open yet.
    openings: Vec<Boxed<Result<Room, OpenError>>>,
    hosting: Option<Hosting<Disk>>,
    /// The events of each room, by its place among the handles.
    events: Vec<(usize, Events)>,
    handles: Handles,
}

impl Life {
    fn is_open(&mut self, room: Room) {
        let slot = self.process.slot;
        let Some(scene) = self.process.scene() else {
            return;
        };
        let poll = match slot {
            OWNER => scene.poll_of(room.id()),
            _ => scene.slots[slot].poll,
        };
        drop(scene);
        let mut handles = self.handles.borrow_mut();
        // The owner has one for each of its polls.
        let place = match (slot, poll) {
            (OWNER, 1..) => owners(poll, handles.len()),
            _ => slot,
        };
        self.events.push((place, room.events()));
        handles[place] = Some(Handle {
            room,
            process: self.process.clone(),
            poll,
            hosting: self.hosting.clone(),
            is_new: false,
        });
    }

    fn handle(&mut self, place: usize) -> Option<Handle> {
        let mut handles = self.handles.borrow_mut();
        let handle = handles[place].as_mut()?;
        if std::mem::take(&mut handle.is_new) {
            self.events.retain(|(of, _)| *of != place);
            self.events.push((place, handle.room.events()));
        }
        Some(handle.clone())
    }

    fn poll_opening(&mut self, cx: &mut Context<'_>) {
        let mut openings = std::mem::take(&mut self.openings);
        openings.retain_mut(|opening| {
            let Poll::Ready(opened) = opening.as_mut().poll(cx) else {
                return true;
            };
            match opened {
                Ok(room) => self.is_open(room),
                Err(error) => {
                    if let Some(mut scene) = self.process.scene() {
                        if !scene.slots[OWNER].may_end {
                            scene.breaks(format!("the owner cannot host: {error}"));
                        }
                        // Whoever cannot open it looks at the error, and starts again.
                        scene.die(OWNER);
                    }
                }
            }
            false
        });
        self.openings = openings;
    }

    /// Shows the oracle where a step of the driver has led, as people see it.
    fn look(&mut self) {
        let places: Vec<usize> = self.events.iter().map(|(place, _)| *place).collect();
        for place in places {
            self.look_at(place);
        }
    }

    fn look_at(&mut self, place: usize) {
        let Some(Handle { room, poll, .. }) = self.handle(place) else {
            return;
        };
        if self.process.slot == OWNER && room.connection() == Connection::Closed {
            return;
        }
        let view = View {
            pending: room.pending(),
            revision: room.revision(),
            confirmed: room.confirmed(),
            seen: room.poll(),
            is_settled: false,
        };
        let slot = self.process.slot;
        let Some(mut scene) = self.process.scene() else {
            return;
        };
        let is_busy = scene.world.has(Kind::Floods) && scene.draw(100) > 0;
        while !is_busy && let Some(event) = next_event(&mut self.events, place) {
            scene.told(slot, poll, &event);
        }
        let view = View {
            is_settled: !scene.slots[slot].is_committing,
            ..view
        };
        if scene.slots[slot].is_stale {
            return;
        }
        scene.ask(poll, |oracle| match slot {
            OWNER => oracle.check_owner(slot, &view),
            _ => oracle.check_participant(slot, &view),
        });
    }
}

/// Its memory is given back, and counted if there is a meter.
impl Drop for Life {
    fn drop(&mut self) {
        if self.process.meter.is_none() {
            return;
        }
        let ((), counted) = measured(self.process.meter, || {
            self.driver = Box::pin(pending());
            self.openings.clear();
            self.hosting = None;
            self.events.clear();
            self.handles.borrow_mut()[OWNER] = None;
        });
        self.process
            .has_kept(u64::try_from(-counted.left).unwrap_or(0));
    }
}

/// The next event of one of the rooms, if there is any.
fn next_event(events: &mut [(usize, Events)], place: usize) -> Option<Event> {
    let (_, events) = events.iter_mut().find(|(of, _)| *of == place)?;
    events.next().now_or_never().flatten()
}

impl Future for Life {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let life = &mut *self;
        let slot = life.process.slot;
        match life.process.scene() {
            Some(mut scene) => {
                scene.slots[slot].heard = 0;
                scene.slots[slot].heard_bytes = 0;
            }
            None => return Poll::Ready(()),
        }
        let (ended, counted) = measured(life.process.meter, || life.driver.as_mut().poll(cx));
        let Some(mut scene) = life.process.scene() else {
            return Poll::Ready(());
        };
        let heard = scene.slots[slot].heard;
        if slot == OWNER {
            let bytes = scene.slots[slot].heard_bytes;
            scene.oracle.report.cost.step(heard as u64, bytes, counted);
        }
        if heard > MAX_HEARD {
            scene.breaks(format!(
                "{slot} hears {heard} things, and nobody else has a turn"
            ));
        }
        // Everything that followed the commit was done, and it dies of its doom all the same.
        if scene.slots[slot].outputs_left.is_some() {
            scene.die(slot);
            return Poll::Ready(());
        }
        drop(scene);
        if let Poll::Ready(result) = ended {
            if let Some(mut scene) = life.process.scene() {
                scene.trace("ended", &(slot, &result));
                if !scene.slots[slot].may_end {
                    scene.breaks(format!("the driver of {slot} ended by itself: {result:?}"));
                }
                scene.end(slot);
            }
            return Poll::Ready(());
        }
        life.poll_opening(cx);
        life.look();
        Poll::Pending
    }
}
