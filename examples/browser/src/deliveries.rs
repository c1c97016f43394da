//! Deliveries: the commands that closed tabs have left without an answer.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::lock::Mutex;
use futures::{FutureExt, StreamExt};
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
    under_way: Rc<RefCell<Vec<Room>>>,
    /// The devices whose owner has refused them. They stay held, or they would be tried again and
    /// again; the next visit to the page tries once more.
    given_up: Rc<RefCell<Vec<Rc<Device>>>>,
    refused: Rc<RefCell<Vec<Refusal>>>,
    is_closed: Rc<Cell<bool>>,
    /// Locked during a look for closed tabs.
    looking: Rc<Mutex<()>>,
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
        let of_room = rooms.iter().filter(|room| room.id() == link);
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

    /// Ends all of it. What is not delivered stays stored; resolves once its devices are free.
    pub(crate) async fn close(&self) {
        self.is_closed.set(true);
        drop(self.looking.lock().await);
        let rooms = self.under_way.borrow().clone();
        for room in rooms {
            room.close().await;
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
                // What cannot be read now is tried again; whoever opens the room is told why.
                let left = Device::left_behind(&profile).await.unwrap_or_default();
                let mut tasks = deliveries.tasks.borrow_mut();
                tasks.retain_mut(|task| task.try_recv().is_ok());
                for (device, rooms) in left {
                    let (task, ended) = oneshot::channel();
                    tasks.push(ended);
                    let delivery = deliveries.clone().deliver(device, rooms);
                    spawn_local(delivery.map(|()| drop(task)));
                }
            }
        });
    }

    /// Room after room: a device has one address.
    async fn deliver(self, device: Device, links: Vec<RoomId>) {
        let device = Rc::new(device);
        for link in links {
            if self.is_closed.get() {
                break;
            }
            let Ok(joined) = Joined::share(&device, link).await else {
                continue;
            };
            let room = joined.room().clone();
            self.under_way.borrow_mut().push(room.clone());
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
            if !room.pending().is_empty() && !self.is_closed.get() {
                self.given_up.borrow_mut().push(Rc::clone(&device));
            }
            joined.close().await;
            self.under_way
                .borrow_mut()
                .retain(|other| !(other.id() == link && other.connection() == Connection::Closed));
        }
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
