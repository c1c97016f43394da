//! `hustings host`: an owner that is always there.
//!
//! - [`files`]: polls as files of the data folder
//! - [`polls`]: the polls that are hosted, from their files and journals
//! - [`invitations`]: the secrets of invited polls
//! - [`announce`]: links, as they are printed
//! - [`status`]: how things are, for a supervisor
//! - [`signals`] and [`supervisor`]: what the system says to it, and it to systemd

mod announce;
mod files;
mod invitations;
mod polls;
mod signals;
mod status;
mod supervisor;

use std::time::Duration;

use hustings_outbox::RedbStore;
use hustings_protocol::Address;
use hustings_room::Config;
use hustings_room::clock::{SystemClock, unix_millis};
use hustings_room::driver::{self, DriverError, Hosting};
use hustings_transport_peerjs::Status as Signalling;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{error, info, warn};

use crate::failure::Failure;
use crate::folder::Folder;
use crate::logging::Log;
use crate::network::{self, Network};
use crate::{cli, say};
use announce::Announce;
use polls::Polls;
use signals::{Signal, Signals};
use status::{Board, Overview};

/// The time between two looks at what has changed. A status is no older.
const LOOK: Duration = Duration::from_secs(1);

/// The time that ending may take beside what links have to send what waits on them: the disk's.
const ENDING: Duration = Duration::from_secs(3);

pub(crate) async fn run(args: cli::Host, log: Log) -> Result<(), Failure> {
    // Before anything is begun: one that came earlier would end it without a goodbye.
    let mut signals = Signals::listen()?;
    let announce = Announce::new(&args)?;
    let grace = Duration::from_secs(args.grace);
    let network = Network::new(&args.network, None)?;
    let network = network.with_links(args.max_links).with_linger(grace);
    let board = Board::open(args.status.as_ref()).await?;
    let folder = Folder::open(&args.folder).await?;
    files::add(&folder.path, &args)?;

    let identity = &folder.identity;
    let transport = network.open(identity, &Address::Owner(identity.peer_id()))?;
    let signalling = transport.status();
    let config = Config {
        max_links: args.max_links,
        ..Config::default()
    };
    let setup = driver::setup(identity, config)?;
    let store = folder.store.clone();
    let (hosting, driver) = driver::host(setup, transport, store, SystemClock::new());
    let mut host = Host {
        since: unix_millis(),
        polls: Polls::default(),
        driver: tokio::spawn(driver.run()),
        network: &network,
        folder: &folder,
        hosting,
        signalling,
        announce,
        board,
        log,
    };
    host.begin().await?;
    let served = host.serve(&mut signals).await;
    host.end(&mut signals, grace + ENDING).await;
    served
}

/// An owner at work.
struct Host<'a> {
    /// In milliseconds since 1970.
    since: u64,
    folder: &'a Folder,
    network: &'a Network,
    hosting: Hosting<RedbStore>,
    signalling: Signalling,
    driver: JoinHandle<Result<(), DriverError>>,
    polls: Polls,
    announce: Announce,
    board: Board,
    log: Log,
}

impl Host<'_> {
    /// Opens the polls, and says what they are.
    async fn begin(&mut self) -> Result<(), Failure> {
        self.take_in().await?;
        if self.polls.is_empty() {
            let folder = files::folder(&self.folder.path);
            say::note(&format!(
                "note: there are no polls yet: put a JSON file in {}, and send SIGHUP",
                folder.display()
            ));
        }
        self.look("hosting")?;
        let owner = self.folder.identity.peer_id();
        self.announce.ready(owner, self.polls.hosted())?;
        supervisor::ready();
        Ok(())
    }

    /// Takes in what is new among the files, and tells of it.
    async fn take_in(&mut self) -> Result<(), Failure> {
        let news = self.polls.take_in(&self.hosting, self.folder).await?;
        for poll in news {
            self.announce.poll(&poll)?;
        }
        Ok(())
    }

    /// Serves until it is told to end, or cannot go on.
    async fn serve(&mut self, signals: &mut Signals) -> Result<(), Failure> {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::End => {
                        info!("told to end");
                        return Ok(());
                    }
                    Signal::Reload => self.reload().await?,
                },
                ended = &mut self.driver => return Err(stopped(ended)),
                _ = look.tick() => {
                    self.look("hosting")?;
                    supervisor::is_alive();
                }
            }
        }
    }

    /// Opens the log anew and reads the files of polls. What is wrong with these is no reason to
    /// leave those who are here.
    async fn reload(&mut self) -> Result<(), Failure> {
        if let Err(failure) = self.log.reopen() {
            warn!(code = failure.word(), "the log goes on where it was");
        }
        info!("told to read the polls again");
        match self.take_in().await {
            Err(failure) if self.driver.is_finished() => Err(failure),
            Err(failure) => {
                error!(
                    code = failure.word(),
                    "the polls were not read to their end"
                );
                say::note(&format!("note: {failure}"));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Looks at how things are, and tells whoever wants to know.
    fn look(&mut self, state: &'static str) -> Result<(), Failure> {
        let (word, reason) = network::registration(&self.signalling);
        let polls = self.polls.overview();
        let links = polls.iter().map(|poll| poll.links).sum();
        let connections = self.signalling.connections();
        self.board.show(Overview {
            program: "hustings",
            version: env!("CARGO_PKG_VERSION"),
            state,
            owner: self.folder.identity.peer_id(),
            since: self.since,
            server: status::Server {
                address: self.network.server.clone(),
                registration: word,
                reason,
            },
            links,
            pending: connections.saturating_sub(links),
            full: self.polls.is_full(),
            polls,
        })
    }

    /// Ends it, after what waits was sent, but in bounded time.
    async fn end(mut self, signals: &mut Signals, at_most: Duration) {
        supervisor::stopping();
        // Whoever reads it may be gone as well.
        let _ = self.look("ending");
        let until = Instant::now() + at_most;
        let gone = self.signalling.gone();
        let goodbye = async {
            self.hosting.close().await;
            if !self.driver.is_finished() {
                // What went wrong was told.
                let _ = (&mut self.driver).await;
            }
            // With the driver the transport is gone, but for what is on its way.
            gone.await;
        };
        tokio::select! {
            () = goodbye => info!("ended"),
            () = sleep_until(until) => warn!("ended before everything was sent"),
            () = signals.end() => warn!("ended at once, as it was told twice"),
        }
        self.board.clear();
    }
}

/// The reason why a driver has ended by itself.
fn stopped(ended: Result<Result<(), DriverError>, tokio::task::JoinError>) -> Failure {
    let failure = match ended {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) => Failure::Stored("the host was closed".into()),
        Err(error) => Failure::Stored(format!("the host has failed: {error}")),
    };
    error!(code = failure.word(), "cannot go on");
    failure
}
