//! The content of a folder: `hustings polls`, and its identity and polls as one encrypted file.

use std::fs::{self, File};
use std::io::{BufRead, IsTerminal, Read};
use std::path::Path;

use hustings_outbox::export::{
    self, Export, ImportError, Intent, MAX_FILE, Outcome, Sealer, WorkFactor,
};
use hustings_outbox::{Aside, Journal};
use hustings_protocol::{PeerId, RoomId};
use hustings_room::clock::unix_millis;
use serde::Serialize;

use crate::failure::Failure;
use crate::folder::{self, Folder};
use crate::results::idle_host;
use crate::{cli, say};

/// A poll of the folder.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    #[serde(serialize_with = "crate::view::text")]
    link: RoomId,
    /// `hosted`, `moved`, `archived` or `damaged`.
    state: &'static str,
    /// The reason why it is not hosted.
    reason: Option<String>,
    title: Option<String>,
    revision: Option<u64>,
    voters: Option<u64>,
    closed: Option<bool>,
}

/// Lists the polls, after it has put away and taken back what it is told to.
pub(crate) async fn polls(args: cli::Polls) -> Result<(), Failure> {
    let path = folder::path(&args.folder)?;
    let folder = Folder::open_existing(&path).await?;
    let (hosting, driver) = idle_host(&folder)?;
    let driver = tokio::spawn(driver);
    let listed = async {
        let mut away = Vec::new();
        for text in &args.archive {
            away.push(folder.find(text).await?.poll_id);
        }
        let mut back = Vec::new();
        for text in &args.take_back {
            back.push(folder.find(text).await?.poll_id);
        }
        hosting
            .put_aside(&away, Aside::Archived { at: unix_millis() })
            .await?;
        hosting.take_back(&back).await?;
        let mut kept = Vec::new();
        for link in folder.own_polls().await? {
            let opened = hosting.open(link.poll_id).await;
            let journal = Journal::new(link).aside(&folder.store).await;
            let aside = journal.map_err(Failure::store(&path))?;
            let state = match (&opened, aside) {
                (Ok(_), _) => "hosted",
                (Err(_), Some(Aside::Moved { .. })) => "moved",
                (Err(_), Some(_)) => "archived",
                (Err(_), None) => "damaged",
            };
            let room = opened.as_ref().ok();
            let poll = room.and_then(hustings_room::driver::Room::confirmed);
            kept.push(Kept {
                link,
                state,
                reason: opened.as_ref().err().map(ToString::to_string),
                title: poll.as_ref().map(|poll| poll.title().to_owned()),
                revision: room.and_then(|room| room.revision()).map(|it| it.get()),
                voters: poll.as_ref().map(|poll| poll.voters()),
                closed: poll.as_ref().map(|poll| poll.is_closed()),
            });
        }
        Ok::<_, Failure>(kept)
    };
    let listed = listed.await;
    hosting.close().await;
    // What it had to say was told by the calls.
    let _ = driver.await;
    for poll in listed? {
        if args.folder.json {
            say::json(&poll)?;
            continue;
        }
        let title = poll.title.as_deref().map(say::plain);
        let what = title.or(poll.reason).unwrap_or_default();
        say::line(&format!("{}  {:<8}  {what}", poll.link, poll.state))?;
    }
    Ok(())
}

/// An export, as `--json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Exported<'a> {
    file: &'a Path,
    owner: PeerId,
    /// `copy`, `move` or `archive`.
    intent: &'static str,
    polls: Vec<String>,
}

pub(crate) async fn export(args: cli::Export) -> Result<(), Failure> {
    let path = folder::path(&args.folder)?;
    let folder = Folder::open_existing(&path).await?;
    if args.to.exists() {
        // Before anything is marked, and before anybody types a passphrase.
        let error = std::io::ErrorKind::AlreadyExists.into();
        return Err(Failure::File {
            path: args.to,
            error,
        });
    }
    let mut polls = Vec::new();
    for text in &args.polls {
        polls.push(folder.find(text).await?);
    }
    if args.polls.is_empty() {
        polls = folder.own_polls().await?;
    }
    let passphrase = passphrase(&args.passphrase, true)?;
    let sealer = Sealer::new(&passphrase, WorkFactor::default()).map_err(Failure::Export)?;
    let (intent, word) = match (args.moves, args.archive) {
        (true, _) => (Intent::Move, "move"),
        (false, true) => (Intent::Copy, "archive"),
        (false, false) => (Intent::Copy, "copy"),
    };
    let made = export::export(&folder.store, &polls, intent, unix_millis(), sealer).await;
    let bytes = made.map_err(Failure::Export)?;
    folder::write_new(&args.to, &bytes).inspect_err(|_| {
        // What is in it is no export. The error says why; that it stays is nobody's wish.
        let _ = fs::remove_file(&args.to);
    })?;
    if args.archive {
        archive(&folder, &polls).await?;
    }
    if args.folder.json {
        return say::json(&Exported {
            file: &args.to,
            owner: folder.identity.peer_id(),
            intent: word,
            polls: polls.iter().map(ToString::to_string).collect(),
        });
    }
    let what = match word {
        "move" => "moved to",
        "archive" => "archived in",
        _ => "copied to",
    };
    say::line(&format!(
        "{} polls {what} {}",
        polls.len(),
        args.to.display()
    ))
}

/// Puts polls away that are in a file by now. One that was moved stays so.
async fn archive(folder: &Folder, polls: &[RoomId]) -> Result<(), Failure> {
    let (hosting, driver) = idle_host(folder)?;
    let driver = tokio::spawn(driver);
    let ids: Vec<_> = polls.iter().map(|room| room.poll_id).collect();
    let put = hosting
        .put_aside(&ids, Aside::Archived { at: unix_millis() })
        .await;
    hosting.close().await;
    // As above.
    let _ = driver.await;
    Ok(put?)
}

/// A poll of an import, as `--json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Imported {
    #[serde(serialize_with = "crate::view::text")]
    link: RoomId,
    /// `added`, `advanced`, `same` or `newer`.
    outcome: &'static str,
}

pub(crate) async fn import(args: cli::Import) -> Result<(), Failure> {
    let bytes = read(&args.from)?;
    let passphrase = passphrase(&args.passphrase, false)?;
    let opened = Export::open(&bytes, &passphrase).map_err(|error| Failure::Read {
        path: args.from.clone(),
        error,
    })?;
    let folder = Folder::open(&args.folder).await?;
    let imported = opened.import(&folder.store).await;
    let imported = imported.map_err(|error| {
        if let ImportError::Store(error) = error {
            return Failure::store(&folder.path)(error);
        }
        Failure::Import(error)
    })?;
    for (link, outcome) in imported.polls {
        let (outcome, said) = match outcome {
            Outcome::Added => ("added", "imported"),
            Outcome::Advanced => ("advanced", "goes on from the file"),
            Outcome::Same => ("same", "is here already"),
            Outcome::Newer => ("newer", "is newer here, and stays"),
        };
        match args.folder.json {
            true => say::json(&Imported { link, outcome })?,
            false => say::line(&format!("{link} {said}"))?,
        }
    }
    Ok(())
}

/// Reads a file, and no more of it than an export may have.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = File::open(path).map_err(Failure::file(path))?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes);
    read.map_err(Failure::file(path))?;
    Ok(bytes)
}

/// The passphrase: from a file, from the environment, or from whoever is at the terminal, who types
/// a new one twice.
fn passphrase(args: &cli::Passphrase, is_new: bool) -> Result<export::Passphrase, Failure> {
    let text = match (&args.passphrase_file, std::env::var("HUSTINGS_PASSPHRASE")) {
        (Some(path), _) => {
            let file = File::open(path).map_err(Failure::file(path))?;
            let mut line = String::new();
            let read = std::io::BufReader::new(file.take(MAX_PASSPHRASE)).read_line(&mut line);
            read.map_err(Failure::file(path))?;
            line.truncate(line.trim_end_matches(['\r', '\n']).len());
            line
        }
        (None, Ok(text)) => text,
        (None, Err(_)) if std::io::stdin().is_terminal() => ask(is_new)?,
        (None, Err(_)) => {
            return Err(Failure::NoPassphrase(
                "name a file with --passphrase-file, set HUSTINGS_PASSPHRASE, or type it at a \
                 terminal"
                    .into(),
            ));
        }
    };
    Ok(export::Passphrase::new(text))
}

/// Most bytes of a passphrase's file.
const MAX_PASSPHRASE: u64 = 64 * 1024;

fn ask(is_new: bool) -> Result<String, Failure> {
    let typed = |prompt: &str| {
        let typed = rpassword::prompt_password(prompt);
        typed.map_err(|error| Failure::NoPassphrase(error.to_string()))
    };
    let text = typed("Passphrase: ")?;
    if is_new && text != typed("The same again: ")? {
        return Err(Failure::PassphrasesDiffer);
    }
    Ok(text)
}
