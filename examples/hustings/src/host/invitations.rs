//! The secrets of a poll in which only invited people vote.
//!
//! The owner's journal has hashes of them alone, so a file beside the poll's has the links that are
//! given out. They are there before the poll knows of them: a crash in between loses none.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

use hustings_protocol::{
    Command, Invitation, InvitationId, InvitationIssue, InvitationSecret, Limits, Outcome, Poll,
    RoomId, RoomLink,
};
use hustings_room::driver::Room;

use super::files::PollFile;
use crate::failure::Failure;
use crate::folder::replace;

/// Makes as many invitations as the file asks for, unless there are so many. Returns those that are
/// still of use.
pub(super) async fn keep(file: &PollFile, room: &Room) -> Result<Vec<RoomLink>, Failure> {
    if file.invitations == 0 {
        return Ok(Vec::new());
    }
    let limits = Limits::default();
    if file.invitations > limits.max_invitations {
        return Err(Failure::PollFile {
            path: file.path.clone(),
            reason: format!("a poll has at most {} invitations", limits.max_invitations),
        });
    }
    let path = file.beside("invitations");
    let mut secrets = read(file, room.id())?;
    if secrets.len() < file.invitations {
        while secrets.len() < file.invitations {
            secrets.push(secret()?);
        }
        let links = secrets.iter().map(|secret| link(room.id(), *secret));
        let text: String = links.map(|link| format!("{link}\n")).collect();
        replace(&path, &text)?;
    }
    issue(room, &secrets, limits.max_invitations_at_once).await?;
    let known = room
        .confirmed()
        .map(|poll| known(&poll))
        .unwrap_or_default();
    let is_of_use = |secret: &InvitationSecret| {
        let invitation = known.get(&secret.id(room.id().poll_id));
        invitation.is_some_and(|it| !it.withdrawn && it.used != Some(true))
    };
    let of_use = secrets.into_iter().filter(is_of_use);
    Ok(of_use.map(|secret| link(room.id(), secret)).collect())
}

/// Issues those of them that the poll does not know.
async fn issue(room: &Room, secrets: &[InvitationSecret], at_once: usize) -> Result<(), Failure> {
    let poll_id = room.id().poll_id;
    let known = room
        .confirmed()
        .map(|poll| known(&poll))
        .unwrap_or_default();
    let ids = secrets.iter().map(|secret| secret.id(poll_id));
    let new: Vec<InvitationId> = ids.filter(|id| !known.contains_key(id)).collect();
    for some in new.chunks(at_once) {
        let issue = InvitationIssue {
            poll_id,
            invitations: some.to_vec(),
            count: 0,
        };
        let submitted = room.submit(Command::IssueInvitations(issue)).await?;
        if let Outcome::Rejected(rejection) = submitted.outcome().await? {
            return Err(Failure::Rejected(rejection));
        }
    }
    Ok(())
}

fn known(poll: &Poll) -> BTreeMap<InvitationId, Invitation> {
    let issued = poll.issued().into_iter();
    issued
        .map(|invitation| (invitation.id, invitation))
        .collect()
}

/// The secrets in the file beside the poll's.
fn read(file: &PollFile, room: RoomId) -> Result<Vec<InvitationSecret>, Failure> {
    let path = file.beside("invitations");
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(Failure::file(&path))?,
    };
    let mut secrets = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let found = RoomLink::find(line).ok().filter(|link| link.room == room);
        let secret = found.and_then(|link| link.invitation);
        // Not the line itself: this is printed.
        secrets.push(secret.ok_or_else(|| Failure::PollFile {
            path: path.clone(),
            reason: format!("line {} is no invitation to this poll", number + 1),
        })?);
    }
    Ok(secrets)
}

fn link(room: RoomId, secret: InvitationSecret) -> RoomLink {
    RoomLink {
        room,
        invitation: Some(secret),
    }
}

fn secret() -> Result<InvitationSecret, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Randomness(error.to_string()))?;
    Ok(InvitationSecret::from_bytes(bytes))
}
