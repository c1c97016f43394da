//! The identity and the polls of a store, in a file and from it.
//!
//! A move is two steps with a file between them. The store marks the polls before the file is
//! there, so that they are never hosted from both; if the file is lost, the same command makes it
//! again.

use std::fs::{self, File};
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use hustings_outbox::export::{
    Export, ExportError, ImportError, Intent, Outcome, Passphrase, ReadError, Sealer, WorkFactor,
    export,
};
use hustings_outbox::{Identity, Journal, RedbStore, StoreError};
use hustings_protocol::RoomId;
use hustings_room::clock::unix_millis;

use crate::cli::Keep;

/// The reason why there is no file, or nothing was taken from it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    #[error("the file cannot be written: {0}")]
    Write(io::Error),
    #[error("there is no passphrase on the standard input: {0}")]
    NoPassphrase(io::Error),
}

/// The deed, and what was done.
pub(crate) async fn run(command: &Keep) -> Result<(), KeepError> {
    match command {
        Keep::Export {
            store,
            to,
            moves,
            polls,
        } => {
            // To open one that is not there would make it.
            fs::metadata(store).map_err(|error| KeepError::File(store.clone(), error))?;
            // Before anything is marked: a name that is taken is no place for a secret.
            let file = new_file(to)?;
            let made = save(file, store, polls, *moves).await;
            let count = made.inspect_err(|_| {
                // What is in it is no export. The error says why, and not that it stays.
                let _ = fs::remove_file(to);
            })?;
            let what = if *moves { "moved to" } else { "copied to" };
            println!("{} polls {what} {}", count, to.display());
        }
        Keep::Import { store, from } => {
            let bytes = fs::read(from).map_err(|error| KeepError::File(from.clone(), error))?;
            let opened = Export::open(&bytes, &passphrase()?)?;
            let store = RedbStore::open(store)?;
            for (poll, outcome) in opened.import(&store).await?.polls {
                let what = match outcome {
                    Outcome::Added => "imported",
                    Outcome::Advanced => "goes on from the file",
                    Outcome::Same => "is here already",
                    Outcome::Newer => "is newer here, and stays",
                };
                println!("{poll} {what}");
            }
        }
    }
    Ok(())
}

/// Writes the export of a store. Returns the number of its polls.
async fn save(
    mut file: File,
    store: &Path,
    polls: &[RoomId],
    moves: bool,
) -> Result<usize, KeepError> {
    let sealer = Sealer::new(&passphrase()?, WorkFactor::default())?;
    let store = RedbStore::open(store)?;
    let mut chosen = polls.to_vec();
    if chosen.is_empty() {
        let me = Identity::load_or_create(&store, 0).await?.peer_id();
        chosen = Journal::list(&store).await?.found;
        chosen.retain(|poll| poll.owner == me);
    }
    let intent = if moves { Intent::Move } else { Intent::Copy };
    let bytes = export(&store, &chosen, intent, unix_millis(), sealer).await?;
    let written = file.write_all(&bytes).and_then(|()| file.sync_all());
    written.map_err(KeepError::Write)?;
    Ok(chosen.len())
}

/// A file that was not there, which only this user reads.
fn new_file(path: &Path) -> Result<File, KeepError> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = options.open(path);
    file.map_err(|error| KeepError::File(path.to_owned(), error))
}

/// The first line of the standard input: an argument would be in the list of processes.
fn passphrase() -> Result<Passphrase, KeepError> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(KeepError::NoPassphrase)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Passphrase::new(line))
}
