//! `hustings results`: the results of a poll, from its owner, from a copy, or from the owner's own
//! folder.

use std::path::Path;
use std::task::{Context, Poll as Ready};
use std::time::Duration;

use bytes::Bytes;
use hustings_outbox::RedbStore;
use hustings_protocol::{Address, RoomId};
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, Hosting};
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_room::{Config, LinkId, OfflinePolicy};
use serde::Serialize;
use tokio::time::Instant;

use crate::cli::{self, Format};
use crate::failure::Failure;
use crate::folder::{self, Folder};
use crate::link::{self, Given};
use crate::network::Network;
use crate::view::PollView;
use crate::visit::Visit;
use crate::{say, table};

/// The results of one poll.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Results {
    #[serde(flatten)]
    poll: PollView,
    /// True if the owner was there; false for a copy, which may be behind.
    live: bool,
    /// The reason why it is a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    away: Option<String>,
}

pub(crate) async fn run(args: cli::Results) -> Result<(), Failure> {
    let path = Path::new(&args.of);
    let results = if args.of != "-" && path.is_dir() {
        let opened = Folder::open_existing(path).await;
        let folder = opened.map_err(|failure| {
            if let Failure::InUse(path) = failure {
                // To be another person is no way to what is in this folder.
                return Failure::HostedNow(path);
            }
            failure
        })?;
        let polls = folder.own_polls().await?;
        if polls.is_empty() {
            return Err(Failure::NoPolls(path.to_owned()));
        }
        own(&folder, &polls).await?
    } else {
        let given = link::read(&args.of)?;
        vec![one(&args, &given).await?]
    };
    print(&results, args.format())
}

/// The results of a link.
async fn one(args: &cli::Results, given: &Given) -> Result<Results, Failure> {
    let room = given.link.room;
    if args.offline && !folder::is_folder(&folder::path(&args.folder)?) {
        return Err(Failure::NothingStored);
    }
    let folder = Folder::open(&args.folder).await?;
    if room.owner == folder.identity.peer_id() {
        let mut own = own(&folder, &[room]).await?;
        return own.pop().ok_or_else(|| Failure::no_poll(room));
    }
    let me = folder.identity.peer_id();
    if args.offline {
        let setup = driver::setup(&folder.identity, Config::default())?;
        let store = folder.store.clone();
        // Nothing is dialled unless the driver runs.
        let (room, _driver) = driver::join(setup, room, Nobody, store, SystemClock::new()).await?;
        let poll = room.confirmed().ok_or(Failure::NothingStored)?;
        return Ok(Results {
            poll: PollView::of(&poll, room.revision(), me),
            live: false,
            away: None,
        });
    }
    let network = Network::new(&args.network, given.address.as_deref())?;
    let visit = Visit::begin(&folder, &network, room, OfflinePolicy::Refuse).await?;
    let until = Instant::now() + Duration::from_secs(args.timeout);
    let results = async {
        let mut away = None;
        match visit.connected(until).await {
            Ok(()) => visit.delivered(until).await?,
            Err(failure) if visit.room.confirmed().is_none() => {
                let Failure::Away(why) = failure else {
                    return Err(failure);
                };
                return Err(Failure::NoCopy(why));
            }
            Err(Failure::Away(why)) => away = Some(why),
            Err(Failure::NoServer { server, why }) => {
                away = Some(format!("the signalling server at {server} is away{why}"));
            }
            Err(failure) => return Err(failure),
        }
        let poll = visit.room.confirmed();
        let poll = poll.ok_or_else(|| Failure::NoCopy(visit.reason()))?;
        Ok(Results {
            poll: PollView::of(&poll, visit.room.revision(), me),
            live: away.is_none(),
            away,
        })
    };
    let results = results.await;
    visit.end().await;
    results
}

/// The results of polls of this folder's own identity, as their journals have them.
async fn own(folder: &Folder, polls: &[RoomId]) -> Result<Vec<Results>, Failure> {
    let (hosting, driver) = idle_host(folder)?;
    let driver = tokio::spawn(driver);
    let read = async {
        let mut results = Vec::with_capacity(polls.len());
        for room in polls {
            let opened = match hosting.open(room.poll_id).await {
                // It stays as it is, and is read all the same.
                Err(driver::OpenError::PutAside(why)) => {
                    say::note(&format!("note: the poll {room} is left out: {why}"));
                    continue;
                }
                opened => opened?,
            };
            let poll = opened.confirmed().ok_or_else(|| Failure::no_poll(*room))?;
            results.push(Results {
                poll: PollView::of(&poll, opened.revision(), folder.identity.peer_id()),
                live: true,
                away: None,
            });
        }
        Ok(results)
    };
    let results = read.await;
    hosting.close().await;
    // What it had to say was told by the calls.
    let _ = driver.await;
    results
}

/// A host whom nobody can reach, to read journals and to write to them.
pub(crate) fn idle_host(
    folder: &Folder,
) -> Result<
    (
        Hosting<RedbStore>,
        impl Future<Output = Result<(), driver::DriverError>> + Send + use<>,
    ),
    Failure,
> {
    let setup = driver::setup(&folder.identity, Config::default())?;
    let store = folder.store.clone();
    let (hosting, driver) = driver::host(setup, Nobody, store, SystemClock::new());
    Ok((hosting, driver.run()))
}

/// A network with nobody in it.
struct Nobody;

impl Transport for Nobody {
    fn dial(&mut self, _link: LinkId, _to: &Address) {}

    fn send(&mut self, _link: LinkId, _frame: Bytes) -> SendOutcome {
        SendOutcome::Gone
    }

    fn hangup(&mut self, _link: LinkId) {}

    fn poll_event(&mut self, _cx: &mut Context<'_>) -> Ready<TransportEvent> {
        Ready::Pending
    }
}

fn print(results: &[Results], format: Format) -> Result<(), Failure> {
    for one in results {
        if let Some(why) = &one.away {
            let revision = one.poll.revision;
            let note = format!("note: a copy, as of revision {revision}: {why}");
            say::note(&say::plain(&note));
        }
    }
    match format {
        Format::Json => results.iter().try_for_each(say::json)?,
        Format::Table => {
            let tables: Vec<String> = results
                .iter()
                .map(|one| table::lines(&one.poll).join("\n"))
                .collect();
            say::line(&tables.join("\n\n"))?;
        }
        Format::Csv => csv(results)?,
    }
    // All are printed before anything fails.
    match results.iter().find(|one| one.poll.shown == "turnout") {
        Some(one) => Err(Failure::NotShown {
            title: one.poll.title.clone(),
            due: table::due(&one.poll),
        }),
        None => Ok(()),
    }
}

/// A row for each option, as RFC 4180 has it.
#[derive(Serialize)]
struct Row<'a> {
    poll: String,
    title: &'a str,
    revision: u64,
    closed: bool,
    live: bool,
    voters: u64,
    number: usize,
    option: &'a str,
    withdrawn: bool,
    votes: Option<u32>,
}

fn csv(results: &[Results]) -> Result<(), Failure> {
    let mut writer = csv::Writer::from_writer(std::io::stdout().lock());
    for one in results {
        for option in &one.poll.options {
            let row = Row {
                poll: one.poll.link.to_string(),
                title: &one.poll.title,
                revision: one.poll.revision,
                closed: one.poll.closed,
                live: one.live,
                voters: one.poll.voters,
                number: option.number,
                option: &option.label,
                withdrawn: option.withdrawn,
                votes: option.votes,
            };
            let written = writer.serialize(row);
            written.map_err(|error| Failure::Output(std::io::Error::other(error)))?;
        }
    }
    writer.flush().map_err(Failure::Output)
}
