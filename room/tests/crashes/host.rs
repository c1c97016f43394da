//! The owner's process: it hosts one poll, has commands of its own, and is killed.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::executor::{ThreadPool, block_on};
use futures::future::{Either, select};
use futures::task::SpawnExt;
use futures::{FutureExt, StreamExt};
use hustings_outbox::{Identity, RedbStore, StoreError};
use hustings_protocol::{Address, Ballots, Command, Outcome, PollDraft, PollId, SettingsUpdate};
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, DriverError, Hosting, OpenError, Room};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::member::{News, Whims, config, pool};
use crate::process::say;
use crate::sockets::SocketTransport;

/// The path of the store.
pub(crate) const STORE: &str = "HUSTINGS_CRASH_STORE";
/// The folder of the sockets.
pub(crate) const SOCKETS: &str = "HUSTINGS_CRASH_SOCKETS";
/// A number that everything random comes from.
pub(crate) const SEED: &str = "HUSTINGS_CRASH_SEED";
/// If it is set, the store is made smaller again and again.
pub(crate) const COMPACT: &str = "HUSTINGS_CRASH_COMPACT";
/// If it is set, the journal has every update since the beginning.
pub(crate) const WHOLE: &str = "HUSTINGS_CRASH_WHOLE";
/// If it is set, the store is copied to this path at the end.
pub(crate) const EXPORT: &str = "HUSTINGS_CRASH_EXPORT";
/// The cause for which the disk is full, see [`Fullness`].
pub(crate) const DISK: &str = "HUSTINGS_CRASH_DISK";
/// The value of [`DISK`] for a limit of the process.
pub(crate) const LIMIT: &str = "limit";
/// The value of [`DISK`] for a disk that really is small.
pub(crate) const BALLAST: &str = "ballast";

/// The bytes that are left when the disk is made full.
const LEFT_BYTES: u64 = 16 * 1024;

/// A disk that can be made full, and have room again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fullness {
    /// No file of this process may be written beyond a part of what its store has now.
    Limit,
    /// Another file takes nearly all of the disk that the store is on, which is small.
    Ballast,
}

pub(crate) fn setting(name: &str) -> Option<OsString> {
    env::var_os(name)
}

pub(crate) fn path(name: &str) -> PathBuf {
    setting(name)
        .unwrap_or_else(|| panic!("{name} is set"))
        .into()
}

pub(crate) fn seed() -> u64 {
    let seed = setting(SEED).expect("a seed is set");
    seed.to_str().unwrap().parse().unwrap()
}

impl Fullness {
    pub(crate) fn of_this_process() -> Option<Self> {
        match setting(DISK)?.to_str() {
            Some(LIMIT) => Some(Self::Limit),
            Some(BALLAST) => Some(Self::Ballast),
            other => panic!("{DISK} is {other:?}"),
        }
    }

    /// Leaves hardly any room. A limit is this much of what the store has, in percent: less than
    /// all of it is as if the disk were full of holes.
    pub(crate) fn fill(self, store: &Path, percent: u64) {
        match self {
            Self::Limit => {
                let bytes = fs::metadata(store).unwrap().len();
                limit(Some(bytes * percent / 100));
            }
            Self::Ballast => {
                let mut ballast = File::create(ballast(store)).unwrap();
                let mut bytes = 0;
                while let Ok(written) = ballast.write(&[0; 4096]) {
                    bytes += written as u64;
                }
                ballast.set_len(bytes.saturating_sub(LEFT_BYTES)).unwrap();
            }
        }
    }

    pub(crate) fn make_room(self, store: &Path) {
        match self {
            Self::Limit => limit(None),
            Self::Ballast => fs::remove_file(ballast(store)).unwrap(),
        }
    }
}

fn ballast(store: &Path) -> PathBuf {
    store.with_file_name("ballast")
}

/// Sets the size of the largest file that this process may have, in bytes.
fn limit(bytes: Option<u64>) {
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    setrlimit(Resource::Fsize, limit).unwrap();
}

/// The part of its store that a process is told to have as its limit.
pub(crate) fn fill_percent(order: &str) -> Option<u64> {
    order.strip_prefix("fill ")?.parse().ok()
}

/// The orders to this process, line by line.
pub(crate) fn orders() -> UnboundedReceiver<String> {
    let (sender, orders) = unbounded();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.unbounded_send(line).is_err() {
                return;
            }
        }
    });
    orders
}

/// Hosts until it is told to close. After a failure it waits until there is room again.
pub(crate) fn play() {
    let pool = pool();
    let mut orders = orders();
    let store = path(STORE);
    let disk = Fullness::of_this_process();
    while let Err(why) = block_on(host(&pool, &store, disk, &mut orders)) {
        say(&format!("failed {why}"));
        // What it is like to start while there still is no room: an error, perhaps, but no damage.
        match RedbStore::open(&store) {
            Ok(_) => say("still-full opened"),
            Err(StoreError::Full(_)) => say("still-full full"),
            Err(error) => say(&format!("still-full {error:?}")),
        }
        while let Some(order) = block_on(orders.next()) {
            if order == "room" {
                disk.expect("only a disk that can be full fails")
                    .make_room(&store);
                break;
            }
        }
    }
    if let Some(to) = setting(EXPORT) {
        fs::copy(&store, to).unwrap();
    }
    say("closed");
}

async fn host(
    pool: &ThreadPool,
    path: &Path,
    disk: Option<Fullness>,
    orders: &mut UnboundedReceiver<String>,
) -> Result<(), String> {
    let in_words = |error: StoreError| format!("{error:?}");
    let store = RedbStore::open(path).map_err(in_words)?;
    let identity = Identity::load_or_create(&store, 0)
        .await
        .map_err(in_words)?;
    let mut config = config();
    if setting(WHOLE).is_some() {
        config.snapshot_after_bytes = usize::MAX;
    }
    let setup = driver::setup(&identity, config).unwrap();
    say(&News::Is(setup.peer(), setup.device).to_line());
    let address = Address::Owner(setup.peer());
    let transport = SocketTransport::open(&self::path(SOCKETS), &address).unwrap();
    let (hosting, driver) = driver::host(setup, transport, store.clone(), SystemClock::new());
    let mut ended = pool.spawn_with_handle(driver.run()).unwrap();
    let room = match open(&hosting).await {
        Ok(room) => room,
        Err(OpenError::Stopped) => return Err(failure(ended.await)),
        Err(error) => return Err(format!("{error:?}")),
    };
    let revision = room.revision().unwrap().get();
    say(&format!("open {} {revision}", room.id()));

    let is_over = Arc::new(AtomicBool::new(false));
    let compacting = setting(COMPACT).map(|_| {
        let (store, is_over) = (store.clone(), Arc::clone(&is_over));
        thread::spawn(move || {
            while !is_over.load(SeqCst) {
                say("compacting");
                store.compact().unwrap();
                say("compacted");
                thread::yield_now();
            }
        })
    });
    let is_stopped = Arc::new(AtomicBool::new(false));
    let ruling = pool.spawn_with_handle(rule(room.clone(), Arc::clone(&is_stopped)));
    let mut ruling = ruling.unwrap().fuse();
    let result = loop {
        let order = match select(orders.next(), &mut ended).await {
            Either::Left((order, _)) => order,
            Either::Right((result, _)) => break Err(failure(result)),
        };
        if let Some(percent) = order.as_deref().and_then(fill_percent) {
            disk.expect("it can be full").fill(path, percent);
            say("filled");
            continue;
        }
        match order.as_deref() {
            Some("stop") => {
                is_stopped.store(true, SeqCst);
                // It looks up at the next event, of which there may be none.
                let _ = room.submit(settings(room.id().poll_id)).await;
                (&mut ruling).await;
                say(&News::Idle.to_line());
            }
            Some("show") => {
                let revision = room.revision().unwrap().get();
                let poll = serde_json::to_string(&*room.poll().unwrap()).unwrap();
                say(&format!("at {revision}"));
                say(&News::Poll(poll).to_line());
            }
            Some("close") | None => {
                hosting.close().await;
                break ended.await.map_err(|error| format!("{error:?}"));
            }
            Some(other) => panic!("{other} is no order"),
        }
    };
    is_over.store(true, SeqCst);
    if let Some(compacting) = compacting {
        compacting.join().unwrap();
    }
    is_stopped.store(true, SeqCst);
    result
}

fn failure(ended: Result<(), DriverError>) -> String {
    match ended {
        Ok(()) => "it ended without an error".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

/// The one poll of this owner, new or from its journal.
async fn open(hosting: &Hosting<RedbStore>) -> Result<Room, OpenError> {
    match hosting.journals().await?[..] {
        [] => {
            let draft = PollDraft::new("Which of these?")
                .ballots(Ballots::Open)
                .options(["This", "That", "Neither"]);
            hosting.create(draft.voters_may_add_options(true)).await
        }
        [room] => hosting.open(room.poll_id).await,
        ref rooms => panic!("one poll was made: {rooms:?}"),
    }
}

fn settings(poll_id: PollId) -> Command {
    // It is open in the end, so that there are votes to count.
    Command::UpdateSettings(SettingsUpdate::new(poll_id).closed(false))
}

/// The owner's own commands: now and then the poll is closed for a moment, or takes no options, so
/// that the others are rejected.
async fn rule(room: Room, is_stopped: Arc<AtomicBool>) {
    let mut whims = Whims::new(seed());
    let mut events = room.events();
    let poll_id = room.id().poll_id;
    // As an owner that was killed in such a moment finds it.
    let mut closed = true;
    loop {
        for _ in 0..1 + whims.below(if closed { 10 } else { 80 }) {
            if events.next().await.is_none() || is_stopped.load(SeqCst) {
                return;
            }
        }
        closed = !closed && whims.below(3) == 0;
        let update = SettingsUpdate::new(poll_id)
            .closed(closed)
            .voters_may_add_options(whims.below(2) == 0);
        let Ok(submitted) = room.submit(Command::UpdateSettings(update)).await else {
            return;
        };
        let id = submitted.command_id();
        say(&News::Submitted(id).to_line());
        let outcome: Outcome = submitted.outcome().await.unwrap();
        say(&News::Settled(id, outcome).to_line());
    }
}
