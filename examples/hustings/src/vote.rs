//! `hustings vote`: a vote, until it counts.

use std::time::Duration;

use hustings_protocol::{
    Admission, Command, OptionId, Poll, PollOption, Rejection, Role, UserProfile, Vote, text,
};
use hustings_room::{Connection, OfflinePolicy};
use serde::Serialize;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::folder::Folder;
use crate::link::{self, Given};
use crate::network::Network;
use crate::visit::Visit;
use crate::{cli, say};

/// A vote that counts, as `--json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    outcome: &'static str,
    revision: u64,
    options: Vec<OptionId>,
}

pub(crate) async fn run(args: cli::Vote) -> Result<(), Failure> {
    let given = link::read(&args.link)?;
    let network = Network::new(&args.network, given.address.as_deref())?;
    let folder = Folder::open(&args.folder).await?;
    let policy = match args.queue {
        true => OfflinePolicy::Queue,
        false => OfflinePolicy::Refuse,
    };
    let visit = Visit::begin(&folder, &network, given.link.room, policy).await?;
    let voted = vote(&args, &given, &visit).await;
    visit.end().await;
    let counted = voted?;
    if args.folder.json {
        return say::json(&counted);
    }
    let revision = counted.revision;
    say::line(&match args.withdraw {
        true => format!("The vote is withdrawn, at revision {revision}."),
        false => format!("The vote counts, at revision {revision}."),
    })
}

async fn vote(args: &cli::Vote, given: &Given, visit: &Visit<'_>) -> Result<Counted, Failure> {
    let until = Instant::now() + Duration::from_secs(args.timeout);
    let room = &visit.room;
    if let Err(failure) = visit.connected(until).await {
        let is_final = matches!(
            room.connection(),
            Connection::Refused(_) | Connection::Closed
        );
        if args.queue && !is_final && room.confirmed().is_some() {
            return queue(args, visit).await;
        }
        return Err(failure);
    }
    visit.delivered(until).await?;
    if let Some(secret) = given.link.invitation {
        visit.redeem(secret, until).await?;
    }
    let poll = room.confirmed();
    let poll = poll.ok_or_else(|| Failure::Away("the poll has not come".into()))?;
    let chosen = choose(&poll, &args.options)?;
    if let Some(name) = &args.name {
        let profile = UserProfile { name: name.clone() };
        let command = Command::SetProfile(profile);
        visit.submit(command, until, "the name").await?;
    }
    let vote = Vote {
        poll_id: room.id().poll_id,
        option_ids: chosen.clone(),
    };
    let revision = visit.submit(Command::Vote(vote), until, "the vote").await;
    let revision = revision.map_err(|failure| uninvited(failure, &poll, visit))?;
    Ok(Counted {
        outcome: "applied",
        revision: revision.get(),
        options: chosen,
    })
}

/// Keeps a vote for later, by the copy of the poll that is here.
async fn queue(args: &cli::Vote, visit: &Visit<'_>) -> Result<Counted, Failure> {
    let room = &visit.room;
    let poll = room.confirmed();
    let poll = poll.ok_or_else(|| Failure::NoCopy(visit.reason()))?;
    let vote = Vote {
        poll_id: room.id().poll_id,
        option_ids: choose(&poll, &args.options)?,
    };
    // It is on the disk when this is done.
    room.submit(Command::Vote(vote)).await?;
    Err(Failure::Pending { what: "the vote" })
}

/// Says of whoever has no invitation what it takes.
fn uninvited(failure: Failure, poll: &Poll, visit: &Visit<'_>) -> Failure {
    let is_uninvited =
        poll.admission() == Admission::Invited && poll.role(visit.room.peer()) < Role::Voter;
    let Failure::Rejected(rejection) = failure else {
        return failure;
    };
    if !is_uninvited {
        return Failure::Rejected(rejection);
    }
    let message = "only invited people vote in this poll: vote by the link of your invitation";
    Failure::Rejected(Rejection::new(rejection.code, message))
}

/// The options that somebody means.
fn choose(poll: &Poll, wanted: &[String]) -> Result<Vec<OptionId>, Failure> {
    let chosen = wanted.iter().map(|wanted| find(poll.options(), wanted));
    chosen.collect()
}

/// The option with this label, or else with this number or id, or else with this label in another
/// case.
fn find(options: &[PollOption], wanted: &str) -> Result<OptionId, Failure> {
    let normal = text::normalised(wanted);
    let there = options.iter().filter(|option| !option.withdrawn);
    let exact = there.clone().find(|option| option.label == normal);
    let number = || wanted.parse::<usize>().ok()?.checked_sub(1);
    let id = || wanted.parse::<OptionId>().ok();
    let other = || id().and_then(|id| options.iter().find(|option| option.option_id == id));
    let found = exact.or_else(|| options.get(number()?)).or_else(other);
    if let Some(option) = found {
        return Ok(option.option_id);
    }
    let folded = normal.to_lowercase();
    let mut alike = there.filter(|option| option.label.to_lowercase() == folded);
    match (alike.next(), alike.next()) {
        (Some(option), None) => Ok(option.option_id),
        (Some(_), Some(_)) => Err(Failure::SeveralOptions {
            wanted: wanted.to_owned(),
        }),
        (None, _) => Err(Failure::NoOption {
            wanted: wanted.to_owned(),
            there: labels(options),
        }),
    }
}

/// The options of a poll in words, as many of them as anybody reads.
fn labels(options: &[PollOption]) -> String {
    const SHOWN: usize = 20;
    let shown = options.iter().enumerate().take(SHOWN);
    let shown = shown.map(|(place, option)| format!("{} {}", place + 1, option.label));
    let mut shown = shown.collect::<Vec<_>>().join(", ");
    if options.len() > SHOWN {
        shown.push_str(", …");
    }
    if shown.is_empty() {
        shown.push_str("none yet");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(number: u8, label: &str) -> PollOption {
        let id = format!("00000000-0000-4000-8000-0000000000{number:02}");
        PollOption {
            option_id: id.parse().unwrap(),
            label: label.to_owned(),
            withdrawn: false,
        }
    }

    #[test]
    fn an_option_is_found_by_label_number_and_id() {
        let options = [
            option(1, "2"),
            option(2, "Tea"),
            option(3, "TEA"),
            option(4, "Coffee"),
        ];
        let place = |wanted: &str| {
            let id = find(&options, wanted).ok()?;
            options.iter().position(|option| option.option_id == id)
        };
        assert_eq!(place("2"), Some(0), "a label goes before a number");
        assert_eq!(place("1"), Some(0));
        assert_eq!(place("4"), Some(3));
        assert_eq!(place(" Tea "), Some(1));
        assert_eq!(place("TEA"), Some(2));
        assert_eq!(place("coffee"), Some(3));
        assert_eq!(place(&options[2].option_id.to_string()), Some(2));
        for wrong in ["0", "5", "", "Milk"] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
        let several = find(&options, "tea");
        assert!(matches!(several, Err(Failure::SeveralOptions { .. })));
    }
}
