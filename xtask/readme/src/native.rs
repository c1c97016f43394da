use futures::future::try_join_all;
use hustings_outbox::{Identity, RedbStore};
use hustings_protocol::{Address, Command, Outcome, PollDraft, RoomId, Vote};
use hustings_room::{Config, clock::SystemClock, driver};
use hustings_transport_peerjs::{Config as Signalling, PeerJs, Token};
use std::path::Path;

type Error = Box<dyn std::error::Error>;

/// Hosts the polls of a file, and a new one. Whoever has the handle can see and change them.
async fn host(file: &Path, at: &Signalling) -> Result<driver::Hosting<RedbStore>, Error> {
    let store = RedbStore::open(file)?; // one process has it at a time
    let me = Identity::load_or_create(&store, 0).await?; // a key, made the first time
    let token = Token::new(me.token())?.with_key(me.signing_key());
    let address = Address::Owner(me.peer_id());
    let transport = PeerJs::open(at, &address, &token, SystemClock::new())?;
    let setup = driver::setup(&me, Config::default())?;
    let (hosting, driver) = driver::host(setup, transport, store, SystemClock::new());
    tokio::spawn(async { driver.run().await.expect("the disk keeps what it is given") });
    try_join_all(hosting.journals().await?.iter().map(|poll| hosting.open(poll.poll_id))).await?;
    let poll = hosting.create(PollDraft::new("Tea?").options(["Yes", "No"])).await?;
    println!("join at {}", poll.id());
    Ok(hosting)
}

/// Votes for the first option of a poll, and waits until the owner has counted that.
async fn vote(file: &Path, at: &Signalling, link: RoomId) -> Result<Outcome, Error> {
    let store = RedbStore::open(file)?;
    let me = Identity::load_or_create(&store, 0).await?;
    let token = Token::new(me.token())?.with_key(me.signing_key());
    let address = Address::Participant(me.peer_id(), me.device());
    let transport = PeerJs::open(at, &address, &token, SystemClock::new())?;
    let setup = driver::setup(&me, Config::default())?;
    let (room, driver) = driver::join(setup, link, transport, store, SystemClock::new()).await?;
    tokio::spawn(async { driver.run().await.expect("the disk keeps what it is given") });
    room.connected().await?; // as often as it takes
    let first = room.poll().expect("it came with the connection").options()[0].option_id;
    let vote = Vote { poll_id: link.poll_id, option_ids: vec![first] };
    let outcome = room.submit(Command::Vote(vote)).await?.outcome().await?;
    room.close().await;
    Ok(outcome)
}
