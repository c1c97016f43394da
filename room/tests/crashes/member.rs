//! A participant that goes on submitting commands until it is told to stop, in the test's own
//! process or in one that is killed.

use std::path::PathBuf;

use futures::channel::mpsc::UnboundedReceiver;
use futures::executor::ThreadPool;
use futures::future::{Either, select};
use futures::stream::FuturesUnordered;
use futures::task::SpawnExt;
use futures::{FutureExt, StreamExt};
use hustings_outbox::{Identity, RedbStore};
use hustings_protocol::{
    Address, Command, CommandId, DeviceId, OptionAdd, OptionId, Outcome, PeerId, RoomId,
    UserProfile, Vote,
};
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, Room};
use hustings_room::{BackoffConfig, CommandState, Config, Event, OfflinePolicy};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use std::time::Duration;

use crate::sockets::SocketTransport;

/// The most commands of one participant that wait for their outcome.
pub(crate) const OUTSTANDING: usize = 8;

/// Everybody comes back quickly, and nobody is refused a command because the owner has just died.
pub(crate) fn config() -> Config {
    Config {
        offline: OfflinePolicy::Queue,
        backoff: BackoffConfig {
            initial: Duration::from_millis(10),
            max: Duration::from_millis(100),
            ..BackoffConfig::default()
        },
        // Several of them in the life of an owner, and room for what happens in one of those.
        snapshot_after_bytes: 48 * 1024,
        ..Config::default()
    }
}

/// News for the test, from a participant, or from the owner about its own commands.
#[derive(Debug)]
pub(crate) enum News {
    /// It is known as this.
    Is(PeerId, DeviceId),
    /// This command is durable.
    Submitted(CommandId),
    /// A command was refused, in these words.
    NotSubmitted(String),
    /// This command has its outcome.
    Settled(CommandId, Outcome),
    /// Its driver has ended.
    Failed(String),
    /// Nothing is pending, and nothing more comes.
    Idle,
    /// The poll that was asked for, as JSON.
    Poll(String),
}

/// An order of the test to a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Submit nothing more, and say when nothing is pending.
    Stop,
    /// Say the poll once it has this revision.
    ShowAt(u64),
    /// Leave.
    Close,
}

pub(crate) struct Member {
    pub(crate) store: PathBuf,
    pub(crate) sockets: PathBuf,
    pub(crate) room: RoomId,
    pub(crate) seed: u64,
}

/// The end of a participant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Failed,
}

impl Member {
    /// Takes part until it is told to leave, or its driver fails.
    pub(crate) async fn run(
        &self,
        pool: &ThreadPool,
        orders: &mut UnboundedReceiver<Order>,
        tell: impl Fn(News) + Clone + Send + 'static,
    ) -> End {
        let store = RedbStore::open(&self.store).unwrap();
        let identity = Identity::load_or_create(&store, 0).await.unwrap();
        let setup = driver::setup(&identity, config()).unwrap();
        let (peer, device) = (setup.peer(), setup.device);
        tell(News::Is(peer, device));
        let address = Address::Participant(peer, device);
        let transport = SocketTransport::open(&self.sockets, &address).unwrap();
        let joined = driver::join(setup, self.room, transport, store, SystemClock::new()).await;
        let (room, driver) = joined.unwrap();
        // Before it runs, so that the outcomes of what was pending are not missed.
        let mut events = room.events();
        for pending in room.pending() {
            tell(News::Submitted(pending.command_id));
        }
        let to_tell = tell.clone();
        let ended = pool.spawn_with_handle(async move {
            let ended = driver.run().await;
            if let Err(error) = &ended {
                to_tell(News::Failed(format!("{error:?}")));
            }
            ended.is_ok()
        });
        let to_tell = tell.clone();
        let following = pool.spawn_with_handle(async move {
            while let Some(event) = events.next().await {
                if let Event::Command { command_id, state } = event
                    && let Some(outcome) = outcome(state)
                {
                    to_tell(News::Settled(command_id, outcome));
                }
            }
        });
        let is_closed = self.take_part(&room, orders, &tell).await;
        if !is_closed {
            let refused = room.submit(Whims::new(self.seed).command(&room)).await;
            let refused = refused.expect_err("it is closed");
            tell(News::NotSubmitted(refused.to_string()));
        }
        room.close().await;
        let ended_well = ended.unwrap().await;
        // Everything is told before the end is.
        following.unwrap().await;
        if is_closed && ended_well {
            End::Closed
        } else {
            End::Failed
        }
    }

    /// Returns true when it is told to leave, false when the room is closed to it.
    async fn take_part(
        &self,
        room: &Room,
        orders: &mut UnboundedReceiver<Order>,
        tell: &impl Fn(News),
    ) -> bool {
        let mut whims = Whims::new(self.seed);
        let mut waiting = FuturesUnordered::new();
        loop {
            let stop = if waiting.len() < OUTSTANDING {
                match room.submit(whims.command(room)).await {
                    Ok(submitted) => {
                        tell(News::Submitted(submitted.command_id()));
                        waiting.push(submitted.outcome());
                    }
                    Err(_) => return false,
                }
                orders.next().now_or_never().flatten()
            } else {
                match select(waiting.next(), orders.next()).await {
                    Either::Left((Some(Ok(_)), _)) => None,
                    Either::Left((_, _)) => return false,
                    Either::Right((order, _)) => order,
                }
            };
            match stop {
                Some(Order::Stop) => break,
                Some(order) => panic!("{order:?} to somebody who is not idle"),
                None => {}
            }
        }
        // Those, and what was pending from an earlier life.
        let mut events = room.events();
        while !room.pending().is_empty() {
            if events.next().await.is_none() {
                return false;
            }
        }
        while let Some(outcome) = waiting.next().await {
            if outcome.is_err() {
                return false;
            }
        }
        tell(News::Idle);
        while let Some(order) = orders.next().await {
            match order {
                Order::ShowAt(revision) => {
                    let mut events = room.events();
                    while room.revision().is_none_or(|at| at.get() < revision) {
                        if events.next().await.is_none() {
                            return false;
                        }
                    }
                    let poll = room.confirmed().unwrap();
                    tell(News::Poll(serde_json::to_string(&*poll).unwrap()));
                }
                Order::Close => return true,
                Order::Stop => {}
            }
        }
        true
    }
}

fn outcome(state: CommandState) -> Option<Outcome> {
    match state {
        CommandState::Applied(revision) => Some(Outcome::Applied(revision)),
        CommandState::Rejected(rejection) => Some(Outcome::Rejected(rejection)),
        CommandState::OutcomeUnknown => panic!("nobody has an old copy"),
        CommandState::Queued | CommandState::Persisted | CommandState::Sent => None,
    }
}

/// The moods of somebody, by which they decide.
pub(crate) struct Whims(ChaCha20Rng);

impl Whims {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    fn command(&mut self, room: &Room) -> Command {
        let poll_id = room.id().poll_id;
        let poll = room.poll();
        match (self.below(20), poll) {
            (0, _) | (_, None) => Command::SetProfile(UserProfile {
                name: format!("Somebody {}", self.below(1000)),
            }),
            // Now and then with a label that is there, which is rejected.
            (1, _) => Command::AddOption(OptionAdd {
                poll_id,
                option_id: self.option_id(),
                label: format!("Option {}", self.below(500)),
            }),
            // For an option that there never was.
            (2, _) => Command::Vote(Vote {
                poll_id,
                option_ids: vec![self.option_id()],
            }),
            (_, Some(poll)) => {
                let options = poll.options();
                let chosen = self.below(options.len() as u64);
                let option = &options[usize::try_from(chosen).unwrap()];
                Command::Vote(Vote {
                    poll_id,
                    option_ids: vec![option.option_id],
                })
            }
        }
    }

    fn option_id(&mut self) -> OptionId {
        let mut random = [0; 16];
        self.0.fill_bytes(&mut random);
        OptionId::from_uuid(uuid::Builder::from_random_bytes(random).into_uuid())
    }
}

/// News as one line between processes.
impl News {
    pub(crate) fn to_line(&self) -> String {
        match self {
            Self::Is(peer, device) => format!("is {peer} {device}"),
            Self::Submitted(id) => format!("submitted {id}"),
            Self::NotSubmitted(words) => format!("not-submitted {words}"),
            Self::Settled(id, outcome) => {
                format!("settled {id} {}", serde_json::to_string(outcome).unwrap())
            }
            Self::Failed(error) => format!("failed {error}"),
            Self::Idle => "idle".to_owned(),
            Self::Poll(json) => format!("poll {json}"),
        }
    }
}

/// A pool that is enough for a process.
pub(crate) fn pool() -> ThreadPool {
    ThreadPool::builder().pool_size(2).create().unwrap()
}
