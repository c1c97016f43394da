//! The polls that are hosted, from their files and from the journals.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;

use hustings_outbox::RedbStore;
use hustings_protocol::{Command, Outcome, PeerId, RoomId, Short};
use hustings_room::driver::{Hosting, OpenError, Room};
use tracing::{info, warn};

use super::announce::News;
use super::files::{self, PollFile};
use super::invitations;
use super::status::PollStatus;
use crate::failure::Failure;
use crate::folder::{Folder, replace};

/// The polls of the folder.
#[derive(Default)]
pub(super) struct Polls {
    hosted: BTreeMap<RoomId, Hosted>,
    /// The polls that are not hosted, and why: a file that does not read, a journal that is
    /// damaged.
    faults: BTreeMap<String, String>,
}

/// A poll that is hosted.
struct Hosted {
    room: Room,
    file: Option<String>,
    /// The wish of its last file that was not granted.
    fault: Option<String>,
}

impl Polls {
    pub(super) fn is_empty(&self) -> bool {
        self.hosted.is_empty() && self.faults.is_empty()
    }

    pub(super) fn hosted(&self) -> usize {
        self.hosted.len()
    }

    /// Hosts what the folder has and this has not: first what has a file, then what has a journal
    /// alone. A fault costs the poll that has it, and is told in the status.
    pub(super) async fn take_in(
        &mut self,
        hosting: &Hosting<RedbStore>,
        folder: &Folder,
    ) -> Result<Vec<News>, Failure> {
        self.faults.clear();
        let mut news = Vec::new();
        for path in files::list(&folder.path)? {
            let name = path.file_name().unwrap_or_default();
            let name = name.to_string_lossy().into_owned();
            let taken = match PollFile::read(&path) {
                Ok(file) => self.take_file(hosting, folder, &file).await,
                Err(failure) => Err(failure),
            };
            match taken {
                Ok(new) => news.extend(new),
                Err(failure) => self.fault(name, &failure),
            }
        }
        for room in folder.own_polls().await? {
            if self.hosted.contains_key(&room) {
                continue;
            }
            match hosting.open(room.poll_id).await {
                Ok(room) => news.extend(self.add(room, None, Vec::new())),
                // Its owner wants it so.
                Err(OpenError::PutAside(_)) => {}
                Err(error) => self.fault(room.to_string(), &error.into()),
            }
        }
        Ok(news)
    }

    fn fault(&mut self, what: String, failure: &Failure) {
        warn!(what, code = failure.word(), "not hosted");
        crate::say::note(&format!("note: {what} is not hosted: {failure}"));
        self.faults.insert(what, failure.to_string());
    }

    async fn take_file(
        &mut self,
        hosting: &Hosting<RedbStore>,
        folder: &Folder,
        file: &PollFile,
    ) -> Result<Option<News>, Failure> {
        let owner = folder.identity.peer_id();
        let room = match link(file, owner)? {
            Some(link) => match hosting.open(link.poll_id).await {
                Err(OpenError::PutAside(_)) => return Ok(None),
                room => room?,
            },
            None => {
                let room = make(hosting, folder, file).await?;
                replace(&file.beside("link"), &format!("{}\n", room.id()))?;
                room
            }
        };
        let mut fault = None;
        if let Err(failure) = settle(file, &room).await {
            warn!(
                file = file.name(),
                code = failure.word(),
                "the poll keeps its settings"
            );
            fault = Some(failure.to_string());
        }
        let invitations = invitations::keep(file, &room).await?;
        let new = self.add(room.clone(), Some(file.name()), invitations);
        if let Some(hosted) = self.hosted.get_mut(&room.id()) {
            hosted.fault = fault;
        }
        Ok(new)
    }

    /// Adds a poll that is open; what there is to tell, if it is new.
    fn add(
        &mut self,
        room: Room,
        file: Option<String>,
        invitations: Vec<hustings_protocol::RoomLink>,
    ) -> Option<News> {
        let link = room.id();
        if self.hosted.contains_key(&link) {
            return None;
        }
        let poll = room.poll()?;
        // Not the link: whoever reads the log is not asked to vote.
        info!(poll = %Short::of(link.poll_id), file, "hosted");
        let news = News {
            link,
            title: poll.title().to_owned(),
            file: file.clone(),
            invitations,
        };
        let fault = None;
        self.hosted.insert(link, Hosted { room, file, fault });
        Some(news)
    }

    /// True if somebody was turned away for want of room.
    pub(super) fn is_full(&self) -> bool {
        self.hosted.values().any(|poll| poll.room.is_full())
    }

    /// Each poll in numbers, and what is not hosted.
    pub(super) fn overview(&self) -> Vec<PollStatus> {
        let hosted = self.hosted.iter().map(|(link, hosted)| {
            let poll = hosted.room.confirmed();
            let peers = hosted.room.peers();
            let others = peers.iter().filter(|peer| peer.peer_id != link.owner);
            PollStatus {
                link: Some(link.to_string()),
                file: hosted.file.clone(),
                state: if poll.is_some() { "hosted" } else { "closed" },
                title: poll.as_ref().map(|poll| poll.title().to_owned()),
                revision: hosted.room.revision().map(|revision| revision.get()),
                voters: poll.as_ref().map(|poll| poll.voters()),
                closed: poll.as_ref().map(|poll| poll.is_closed()),
                closes_at: poll.as_ref().and_then(|poll| poll.closes_at()),
                links: others.count(),
                fault: hosted.fault.clone(),
            }
        });
        let faults = self.faults.iter().map(|(what, fault)| PollStatus {
            link: None,
            file: Some(what.clone()),
            state: "failed",
            title: None,
            revision: None,
            voters: None,
            closed: None,
            closes_at: None,
            links: 0,
            fault: Some(fault.clone()),
        });
        hosted.chain(faults).collect()
    }
}

/// The link that is kept beside a file.
fn link(file: &PollFile, owner: PeerId) -> Result<Option<RoomId>, Failure> {
    let path = file.beside("link");
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.map_err(Failure::file(&path))?,
    };
    let wrong = |reason: &str| Failure::PollFile {
        path: path.clone(),
        reason: reason.to_owned(),
    };
    let link: RoomId = text
        .trim()
        .parse()
        .map_err(|_| wrong("it is no link to a poll"))?;
    if link.owner != owner {
        return Err(wrong(
            "the poll is owned by another identity than this folder's",
        ));
    }
    Ok(Some(link))
}

/// The poll of a file that has none yet: a new one, or the one that was made just before a crash,
/// which nobody has heard of.
async fn make(
    hosting: &Hosting<RedbStore>,
    folder: &Folder,
    file: &PollFile,
) -> Result<Room, Failure> {
    let mut claimed = BTreeSet::new();
    for path in files::list(&folder.path)? {
        let link = fs::read_to_string(path.with_extension("link"));
        claimed.extend(
            link.ok()
                .and_then(|link| link.trim().parse::<RoomId>().ok()),
        );
    }
    for room in folder.own_polls().await? {
        if claimed.contains(&room) {
            continue;
        }
        let Ok(room) = hosting.open(room.poll_id).await else {
            continue;
        };
        let is_new = room.revision().is_some_and(|revision| revision.get() == 0);
        let poll = room.confirmed();
        if is_new && poll.is_some_and(|poll| file.is_beginning_of(&poll)) {
            return Ok(room);
        }
    }
    Ok(hosting.create(file.draft.clone()).await?)
}

/// Gives a poll the settings of its file.
async fn settle(file: &PollFile, room: &Room) -> Result<(), Failure> {
    let update = room.confirmed().and_then(|poll| file.settings(&poll));
    let Some(update) = update else {
        return Ok(());
    };
    let submitted = room.submit(Command::UpdateSettings(update)).await?;
    match submitted.outcome().await? {
        Outcome::Applied(_) => Ok(()),
        Outcome::Rejected(rejection) => Err(Failure::Rejected(rejection)),
    }
}
