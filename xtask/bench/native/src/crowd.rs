//! Participants: a process that has many of them, or one that has all.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use hustings_protocol::{Command, Outcome, RoomId, Vote};
use hustings_room::driver::Room;
use tokio::time::sleep;

use crate::parts;
use crate::person::{Person, transport};

/// Those of one process that come at a time.
const AT_A_TIME: usize = 32;

/// People who have joined a poll.
pub(crate) struct Crowd {
    rooms: Vec<Room>,
}

impl Crowd {
    /// Has so many people join, each by what `join` does. Returns when all are in.
    pub(crate) async fn join<F: Future<Output = Result<Room>>>(
        count: usize,
        join: impl Fn() -> F,
    ) -> Result<Self> {
        let joining = stream::iter(0..count).map(|_| async {
            let room = join().await?;
            room.connected().await?;
            anyhow::Ok(room)
        });
        let rooms = joining.buffer_unordered(AT_A_TIME).try_collect().await?;
        Ok(Self { rooms })
    }

    /// Has everybody vote, one after the other over this time. Returns when all votes are
    /// acknowledged.
    pub(crate) async fn vote(&self, over: Duration) -> Result<()> {
        let step = over / u32::try_from(self.rooms.len().max(1))?;
        let voting = (0..).zip(&self.rooms).map(|(number, room)| async move {
            sleep(step * number).await;
            votes(room).await
        });
        try_join_all(voting).await?;
        Ok(())
    }

    /// Returns when everybody sees so many votes.
    pub(crate) async fn see(&self, votes: u64) -> Result<()> {
        try_join_all(self.rooms.iter().map(|room| sees(room, votes))).await?;
        Ok(())
    }
}

async fn votes(room: &Room) -> Result<()> {
    let poll = room.poll().context("who has joined has the poll")?;
    let tea = poll.options().first().context("the poll has options")?;
    let vote = Vote {
        poll_id: room.id().poll_id,
        option_ids: vec![tea.option_id],
    };
    match room.submit(Command::Vote(vote)).await?.outcome().await? {
        Outcome::Applied(_) => Ok(()),
        Outcome::Rejected(rejection) => bail!("a vote was rejected: {rejection:?}"),
    }
}

async fn sees(room: &Room, votes: u64) -> Result<()> {
    let mut events = room.events();
    let seen = || {
        let tally = room.confirmed()?.tally()?;
        Some(tally.options.first()?.votes)
    };
    while seen() != Some(votes) {
        let event = events.next().await;
        event.context("a room has closed before its tally came")?;
    }
    Ok(())
}

/// Does what whoever has started this process asks for, until they are gone.
pub(crate) async fn serve(port: u16, room: RoomId, count: usize) -> Result<()> {
    let mut crowd = None;
    parts::answer(async |line| {
        match (line.split_once(' ').unwrap_or((line, "")), &crowd) {
            (("join", _), None) => {
                let join = || async {
                    let person = Person::new()?;
                    let transport = transport(port, &person.participant_address())?;
                    person.join(room, transport).await
                };
                crowd = Some(Crowd::join(count, join).await?);
            }
            (("vote", seconds), Some(crowd)) => {
                crowd.vote(Duration::from_secs(seconds.parse()?)).await?;
            }
            (("see", votes), Some(crowd)) => crowd.see(votes.parse()?).await?,
            _ => bail!("nobody does {line:?} here"),
        }
        Ok(Some("done".to_owned()))
    })
    .await
}
