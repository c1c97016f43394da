//! Deliveries: the commands that closed tabs have left without an answer.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use futures::channel::oneshot;
use futures::lock::Mutex;
use futures::{FutureExt, StreamExt};
use hustings_outbox::{Outbox, StoreError};
use hustings_protocol::{Command, Rejection, RoomId};
use hustings_room::clock::{Clock, SystemClock};
use hustings_room::driver::Room;
use hustings_room::{CommandState, Connection, Event, Pending};
use wasm_bindgen_futures::spawn_local;

use crate::device::{Device, Profile};
use crate::joined::Joined;

/// The time between two looks for a closed tab that has left commands.
const EVERY: Duration = Duration::from_secs(2);

/// The commands that had no answer when their tabs were closed. This tab sends them in their name:
/// as their device, in their order.
#[derive(Clone, Default)]
pub struct Deliveries {
    under_way: Rc<RefCell<Vec<Joined>>>,
    /// Every device that is held for this, with whatever it has left for any room.
    held: Rc<RefCell<Vec<Weak<Device>>>>,
    /// The rooms whose commands somebody does not want any more.
    unwanted: Rc<RefCell<Vec<RoomId>>>,
    /// The devices whose owner has refused them. They stay held, or they would be tried again and
    /// again; the next visit to the page tries once more.
    given_up: Rc<RefCell<Vec<Rc<Device>>>>,
    refused: Rc<RefCell<Vec<Refusal>>>,
    is_closed: Rc<Cell<bool>>,
    /// Locked during a look for closed tabs.
    looking: Rc<Mutex<()>>,
    /// Locked while a room is being joined: it has read an outbox by then.
    sharing: Rc<Mutex<()>>,
    /// One for each device that is delivered for: it ends when that does.
    tasks: Rc<RefCell<Vec<oneshot::Receiver<()>>>>,
}

/// A command of a closed tab that did not take effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In which room.
    pub link: RoomId,
    /// The command itself.
    pub command: Command,
    /// The reason.
    pub why: Rejection,
}

impl Deliveries {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The commands of a room that are still to be delivered, those of each device in their order.
    #[must_use]
    pub fn pending(&self, link: RoomId) -> Vec<Pending> {
        let rooms = self.under_way.borrow();
        let rooms = rooms.iter().map(Joined::room);
        let of_room = rooms.filter(|room| room.id() == link);
        of_room.flat_map(Room::pending).collect()
    }

    /// The commands of a room that were refused, each of them once.
    #[must_use]
    pub fn take_refused(&self, link: RoomId) -> Vec<Refusal> {
        let mut refused = self.refused.borrow_mut();
        refused
            .extract_if(.., |refusal| refusal.link == link)
            .collect()
    }

    /// Gives up the commands that closed tabs have left for a room, as far as this tab delivers them:
    /// they are sent from here no more. Whether they took effect nobody here knows, if they were
    /// ever sent. Returns how many there were.
    pub(crate) async fn give_up(
        &self,
        profile: &Rc<Profile>,
        link: RoomId,
    ) -> Result<usize, StoreError> {
        // No delivery begins meanwhile.
        let _looking = self.looking.lock().await;
        if profile.is_shared && !self.is_closed.get() {
            // A tab may have been closed a moment ago.
            self.look(profile).await;
        }
        let _sharing = self.sharing.lock().await;
        let held: Vec<_> = self
            .held
            .borrow()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        self.unwanted.borrow_mut().push(link);
        let given_up = self.discard(held, link).await;
        self.unwanted.borrow_mut().retain(|other| *other != link);
        given_up
    }

    async fn discard(&self, held: Vec<Rc<Device>>, link: RoomId) -> Result<usize, StoreError> {
        let rooms = self.under_way.borrow().clone();
        for joined in rooms.iter().filter(|joined| joined.room().id() == link) {
            // Until then its driver writes to the outbox.
            joined.close().await;
        }
        let mut number = 0;
        for device in held {
            let outbox = Outbox::new(device.identity.device(), link);
            number += outbox.give_up(&device.store()).await?;
        }
        Ok(number)
    }

    /// Ends all of it. What is not delivered stays stored; resolves once its devices are free.
    pub(crate) async fn close(&self) {
        self.is_closed.set(true);
        drop(self.looking.lock().await);
        let rooms = self.under_way.borrow().clone();
        for joined in rooms {
            joined.room().close().await;
        }
        let tasks = self.tasks.take();
        for task in tasks {
            // It ends by being dropped.
            let _ = task.await;
        }
        self.given_up.borrow_mut().clear();
    }

    /// Looks now and then, for as long as the app is there.
    pub(crate) fn watch(&self, profile: &Rc<Profile>) {
        if !profile.is_shared {
            return;
        }
        let (profile, deliveries) = (Rc::downgrade(profile), self.clone());
        spawn_local(async move {
            let clock = SystemClock::new();
            loop {
                // First of all the tab takes the devices of its own joined rooms, so their pending
                // commands are its own again.
                clock.sleep_until(clock.now() + EVERY).await;
                let Some(profile) = profile.upgrade() else {
                    break;
                };
                let _looking = deliveries.looking.lock().await;
                if deliveries.is_closed.get() {
                    break;
                }
                deliveries.look(&profile).await;
            }
        });
    }

    /// Takes what closed tabs have left.
    async fn look(&self, profile: &Rc<Profile>) {
        // What cannot be read now is tried again; whoever opens the room is told why.
        let left = Device::left_behind(profile).await.unwrap_or_default();
        let mut tasks = self.tasks.borrow_mut();
        tasks.retain_mut(|task| task.try_recv().is_ok());
        let mut held = self.held.borrow_mut();
        held.retain(|device| device.strong_count() > 0);
        for (device, rooms) in left {
            let device = Rc::new(device);
            held.push(Rc::downgrade(&device));
            let (task, ended) = oneshot::channel();
            tasks.push(ended);
            let delivery = self.clone().deliver(device, rooms);
            spawn_local(delivery.map(|()| drop(task)));
        }
    }

    /// Room after room: a device has one address.
    async fn deliver(self, device: Rc<Device>, links: Vec<RoomId>) {
        for link in links {
            if self.is_closed.get() {
                break;
            }
            let sharing = self.sharing.lock().await;
            let Ok(joined) = Joined::share(&device, link).await else {
                continue;
            };
            let room = joined.room().clone();
            self.under_way.borrow_mut().push(joined.clone());
            drop(sharing);
            let (mut events, left) = (room.events(), room.pending());
            while !self.is_closed.get()
                && !room.pending().is_empty()
                && may_still_be_delivered(&room)
            {
                let Some(event) = events.next().await else {
                    break;
                };
                self.note_refusal(link, &left, event);
            }
            // Those that came in one go with the last.
            while let Some(Some(event)) = events.next().now_or_never() {
                self.note_refusal(link, &left, event);
            }
            let is_wanted = !self.is_closed.get() && !self.is_unwanted(link);
            if !room.pending().is_empty() && is_wanted {
                self.given_up.borrow_mut().push(Rc::clone(&device));
            }
            joined.close().await;
            self.under_way.borrow_mut().retain(|other| {
                let other = other.room();
                !(other.id() == link && other.connection() == Connection::Closed)
            });
        }
    }

    fn is_unwanted(&self, link: RoomId) -> bool {
        self.unwanted.borrow().contains(&link)
    }

    /// Of what was missed ([`Event::Missed`]) nothing can be told; what is pending shows all the
    /// same whether there is anything left to deliver.
    fn note_refusal(&self, link: RoomId, left: &[Pending], event: Event) {
        let Event::Command {
            command_id,
            state: CommandState::Rejected(why),
        } = event
        else {
            return;
        };
        if let Some(pending) = left.iter().find(|one| one.command_id == command_id) {
            self.refused.borrow_mut().push(Refusal {
                link,
                command: pending.command.clone(),
                why,
            });
        }
    }
}

/// True if a wait can help. After a final refusal a command stays in the outbox until somebody
/// tries again.
fn may_still_be_delivered(room: &Room) -> bool {
    !matches!(
        room.connection(),
        Connection::Refused(_) | Connection::Closed
    )
}
