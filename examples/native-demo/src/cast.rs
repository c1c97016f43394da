//! The cast: identities, stores, and the tasks that drive them.
//!
//! This is the part to copy. A store and a transport are opened, [`driver::host`] or
//! [`driver::join`] makes a handle and a driver of them, and the driver runs as a task.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::executor::ThreadPool;
use futures::future::{AbortHandle, Abortable};
use hustings_outbox::{Identity, RedbStore, StoreError};
use hustings_protocol::{Address, DeviceId, OptionId, PollDraft, PollId, RoomId, Vote};
use hustings_room::clock::{Clock, SystemClock};
use hustings_room::driver::{self, CallError, DriverError, Hosting, OpenError, Room};
use hustings_room::{Config, Setup};
use hustings_transport_mem::{AddressTaken, Latency, MemoryNet};
use tempfile::TempDir;

use crate::cli::Options;
use crate::count::Choice;

const OWNER_FILE: &str = "owner.redb";
const VOTERS_FILE: &str = "voters.redb";

/// The reason why the demo had to stop.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("{path}: {error}")]
    Folder {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("the threads could not be started: {0}")]
    Threads(#[from] std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Address(#[from] AddressTaken),
    /// Nothing goes on although it should.
    #[error("nothing has happened for {0} s; this is a bug")]
    Stuck(u64),
    /// The narrator was too slow for what happened.
    #[error("{0} events came too fast to be told; the votes are stored")]
    Missed(u64),
}

impl Trouble {
    /// True if the demo could not begin, for a reason outside of it.
    pub(crate) const fn is_outside(&self) -> bool {
        match self {
            Self::Folder { .. } | Self::Threads(_) | Self::Store(_) | Self::Open(_) => true,
            Self::Call(_) | Self::Address(_) | Self::Stuck(_) | Self::Missed(_) => false,
        }
    }
}

/// The place of all: a folder for the stores, a network, a clock, some threads.
pub(crate) struct Stage {
    pub(crate) net: MemoryNet,
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) pool: ThreadPool,
    config: Config,
    seed: u64,
    is_quick: bool,
    folder: PathBuf,
    voters: RedbStore,
    /// Removes the folder in the end, if it is a temporary one.
    _temporary: Option<TempDir>,
}

impl Stage {
    pub(crate) fn new(options: &Options) -> Result<Self, Trouble> {
        let of_folder = |path: &Path| {
            let path = path.to_owned();
            |error| Trouble::Folder { path, error }
        };
        let (folder, temporary) = match &options.dir {
            Some(dir) => {
                std::fs::create_dir_all(dir).map_err(of_folder(dir))?;
                (dir.clone(), None)
            }
            None => {
                let temporary = tempfile::Builder::new()
                    .prefix("hustings-demo-")
                    .tempdir()
                    .map_err(of_folder(&std::env::temp_dir()))?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let clock = Arc::new(SystemClock::new());
        let net = MemoryNet::new(options.seed, Latency::ZERO, clock.clone());
        // A real network takes longer to notice that somebody is gone.
        net.set_detection(Duration::from_millis(300));
        // As much as a phone may have in its buffers. Who is further behind gets the poll as it is
        // by then rather than each of its updates.
        net.set_queue_limit(64 * 1024);
        let mut config = Config::default();
        // When the owner is back, some of the old links may still be there beside the new ones.
        config.max_links = config.max_links.max(2 * options.voters as usize);
        if !options.is_crowd() {
            // A scene is shorter than a day: a new one begins with short waits again.
            config.backoff.stable_after = Duration::from_millis(500);
        }
        Ok(Self {
            net,
            clock,
            pool: ThreadPool::new()?,
            config,
            seed: options.seed,
            is_quick: options.quick,
            voters: RedbStore::open(folder.join(VOTERS_FILE))?,
            folder,
            _temporary: temporary,
        })
    }

    /// The file of the owner's identity and journals.
    pub(crate) fn owner_file(&self) -> PathBuf {
        self.folder.join(OWNER_FILE)
    }

    /// The file of all voters' outboxes and copies.
    pub(crate) fn voters_file(&self) -> PathBuf {
        self.folder.join(VOTERS_FILE)
    }

    /// Starts the owner, with the identity that its store has, or a new one, and reopens a poll.
    pub(crate) async fn owner(
        &self,
        reopen: Option<PollId>,
    ) -> Result<(Owner, Option<Room>), Trouble> {
        let store = RedbStore::open(self.owner_file())?;
        let identity = Identity::load_or_create(&store, 0).await?;
        let setup = self.setup(&identity)?;
        let address = Address::Owner(identity.peer_id());
        let transport = self.net.transport(address)?;
        let (hosting, driver) = driver::host(setup, transport, store, self.clock.clone());
        let task = Task::spawn(&self.pool, driver.run());
        let room = match reopen {
            Some(poll_id) => Some(hosting.open(poll_id).await?),
            None => None,
        };
        let owner = Owner {
            hosting,
            address,
            task,
        };
        Ok((owner, room))
    }

    /// Starts a participant, with what it kept of the room when it was here before.
    pub(crate) async fn voter(&self, number: usize, room: RoomId) -> Result<Voter, Trouble> {
        // In earnest: `Identity::load_or_create(&store, 0).await?`, as the owner does.
        let number_32 = u32::try_from(number).unwrap_or(u32::MAX);
        let identity = self.identity(number_32);
        // One file for everybody: each device has its own part of it, and commits at the same time
        // share one sync.
        let store = self.voters.clone();
        let address = Address::Participant(identity.peer_id(), identity.device());
        let transport = self.net.transport(address)?;
        let setup = self.setup(&identity)?;
        let (room, driver) =
            driver::join(setup, room, transport, store, self.clock.clone()).await?;
        Ok(Voter {
            number,
            name: name(number),
            room,
            address,
            task: Task::spawn(&self.pool, driver.run()),
        })
    }

    /// Milliseconds at the pace of this play.
    pub(crate) fn pause(&self, millis: u64) -> Duration {
        Duration::from_millis(if self.is_quick { millis / 5 } else { millis })
    }

    pub(crate) async fn sleep(&self, millis: u64) {
        let until = self.clock.now() + self.pause(millis);
        self.clock.sleep_until(until).await;
    }

    fn setup(&self, identity: &Identity) -> Result<Setup, OpenError> {
        driver::setup(identity, self.config.clone())
    }

    fn identity(&self, number: u32) -> Identity {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_be_bytes());
        seed[8..12].copy_from_slice(&number.to_be_bytes());
        let [a, b, c, d] = number.to_be_bytes();
        Identity::from_seed(seed, DeviceId::from_bytes([1, a, b, c, d]))
    }
}

/// A driver that runs.
pub(crate) struct Task {
    abort: AbortHandle,
    ended: oneshot::Receiver<()>,
}

impl Task {
    fn spawn(
        pool: &ThreadPool,
        run: impl Future<Output = Result<(), DriverError>> + Send + 'static,
    ) -> Self {
        let (abort, registration) = AbortHandle::new_pair();
        let (tell, ended) = oneshot::channel();
        pool.spawn_ok(async move {
            // When this is over the driver is dropped, and with it its transport and its store.
            let result = Abortable::new(run, registration).await;
            if let Ok(Err(DriverError::Store(error))) = result {
                eprintln!("error: a driver has stopped: {error}");
            }
            // Who started it may not want to know.
            let _ = tell.send(());
        });
        Self { abort, ended }
    }

    /// Drops the driver where it stands, which is a crash: nothing is flushed.
    async fn kill(self) {
        self.abort.abort();
        self.ended().await;
    }

    /// Resolves once the driver is gone, and its address and its store are free.
    async fn ended(self) {
        let _ = self.ended.await;
    }
}

/// The one who hosts the poll.
pub(crate) struct Owner {
    pub(crate) hosting: Hosting<RedbStore>,
    pub(crate) address: Address,
    task: Task,
}

impl Owner {
    /// Ends it as a crash does. Its file can be opened again afterwards, when this is dropped, too.
    pub(crate) async fn kill(self, stage: &Stage) {
        stage.net.crash(&self.address);
        self.task.kill().await;
    }

    /// Ends it in good order.
    pub(crate) async fn close(self) {
        self.hosting.close().await;
        self.task.ended().await;
    }
}

/// A participant.
pub(crate) struct Voter {
    pub(crate) number: usize,
    pub(crate) name: String,
    pub(crate) room: Room,
    pub(crate) address: Address,
    task: Task,
}

impl Voter {
    /// Ends it in good order.
    pub(crate) async fn close(self) {
        self.room.close().await;
        self.task.ended().await;
    }
}

/// A choice as the library has it.
pub(crate) fn vote(poll_id: PollId, options: &[OptionId], choice: &Choice) -> Vote {
    Vote {
        poll_id,
        option_ids: choice.iter().map(|option| options[*option]).collect(),
    }
}

/// The name of a person.
pub(crate) fn name(number: usize) -> String {
    const NAMES: [&str; 12] = [
        "Ada", "Ben", "Cleo", "Dan", "Edda", "Finn", "Gwen", "Hugo", "Iris", "Jack", "Kira", "Leo",
    ];
    NAMES
        .get(number)
        .map_or_else(|| format!("Voter {}", number + 1), ToString::to_string)
}

/// A room with the poll of a draft.
pub(crate) async fn new_poll(owner: &Owner, draft: &PollDraft) -> Result<Room, Trouble> {
    Ok(owner.hosting.create(draft.clone()).await?)
}
