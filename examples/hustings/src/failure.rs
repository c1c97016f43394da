//! The reasons why a command fails, each with a sentence for people and an exit code for programs.

use std::io;
use std::path::PathBuf;

use hustings_outbox::StoreError;
use hustings_outbox::export::{ExportError, ImportError, ReadError};
use hustings_protocol::{FindLinkError, Rejection, RoomId};
use hustings_room::Refused;
use hustings_room::SubmitError;
use hustings_room::driver::{CallError, DriverError, OpenError};
use hustings_transport_peerjs::{ConfigError, OpenError as TransportError, RootError};
use serde::Serialize;

use crate::say;

/// The table of exit codes, as `--help` ends with it.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
   0  done
   1  something else failed
   2  the command line, a link or a poll file is wrong
   3  there is no such option or poll
   4  the owner rejected the vote, which is final
   5  the owner refuses to let this person in
   6  the owner is away, and nothing was submitted
   7  the vote is stored and has no answer yet; a later command delivers it
   8  the signalling server cannot be reached, or refuses
   9  the data folder is in use by another process
  10  the data folder cannot be read or written
  11  the passphrase is wrong, or the file is no export
  12  the results are not shown yet";

/// The reason why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the program cannot start: {0}")]
    Runtime(io::Error),
    #[error("the program cannot listen for signals: {0}")]
    Signals(io::Error),
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("the standard input cannot be read: {0}")]
    Input(io::Error),
    #[error("the standard output cannot be written: {0}")]
    Output(io::Error),
    #[error("there is no source of random numbers: {0}")]
    Randomness(String),
    #[error("the log filter {filter:?} is wrong: {reason}")]
    LogFilter { filter: String, reason: String },
    #[error("the status cannot be served at {at}: {error}")]
    Status { at: String, error: io::Error },

    #[error("{0}")]
    Link(FindLinkError),
    #[error(
        "this poll is owned by the identity of this very data folder: it is hosted with \
         `hustings host`; to take part, use another folder with --data"
    )]
    OwnPoll,
    #[error("invalid signalling server {0:?}: use an address such as http://localhost:9000/")]
    Server(String),
    #[error("invalid address of the app {0:?}: use one such as https://polls.example.org/")]
    App(String),
    #[error("{0}")]
    Setting(ConfigError),
    #[error("{}: {error}", path.display())]
    Ca { path: PathBuf, error: RootError },
    #[error("--ice-servers is no JSON: {0}")]
    IceServers(serde_json::Error),
    #[error("{}: {reason}", path.display())]
    PollFile { path: PathBuf, reason: String },
    #[error("the poll is invalid: {0}")]
    Draft(String),
    #[error("no user's data folder is known on this machine: name one with --data")]
    NoHome,

    #[error("there is no option {wanted:?}; there are: {there}")]
    NoOption { wanted: String, there: String },
    #[error("{wanted:?} names more than one option; use its number or its id")]
    SeveralOptions { wanted: String },
    #[error("there is no poll {0} in this data folder")]
    NoPoll(String),
    #[error("there is no data folder {}", .0.display())]
    NoFolder(PathBuf),
    #[error("there are no polls in the data folder {}", .0.display())]
    NoPolls(PathBuf),

    #[error("rejected: {0}")]
    Rejected(Rejection),
    #[error(
        "the owner has answered, so long ago that it no longer knows how; `hustings results` shows \
         what counts"
    )]
    OutcomeUnknown,
    #[error("{0}")]
    Refused(Refused),

    #[error("the owner is away ({0}); nothing was submitted")]
    Away(String),
    #[error("the owner is away ({0}), and there is no copy of the poll here")]
    NoCopy(String),
    #[error("there is no copy of this poll here")]
    NothingStored,
    #[error(
        "no answer yet: {what} is stored in the data folder, and is delivered by the next command \
         for this poll that finds the owner"
    )]
    Pending { what: &'static str },

    #[error("the signalling server at {server} cannot be reached{why}; nothing was submitted")]
    NoServer { server: String, why: String },
    #[error("{0}")]
    Transport(TransportError),
    #[error("{0}")]
    Network(String),

    #[error(
        "{} is in use by another process, such as `hustings host`: end that first, or take another \
         folder with --data, as another person", .0.display()
    )]
    InUse(PathBuf),
    #[error(
        "{} is in use by another process, such as its `hustings host`: end that first, or ask it \
         from another folder by the link of the poll: `hustings results LINK --data OTHER`",
        .0.display()
    )]
    HostedNow(PathBuf),
    #[error("{}: {error}", path.display())]
    Store { path: PathBuf, error: StoreError },
    #[error("{0}")]
    Stored(String),

    #[error("there is no passphrase: {0}")]
    NoPassphrase(String),
    #[error("the two passphrases are not the same")]
    PassphrasesDiffer,
    #[error("{}: {error}", path.display())]
    Read { path: PathBuf, error: ReadError },
    #[error("{0}")]
    Export(ExportError),
    #[error("{0}")]
    Import(ImportError),

    #[error("the results of {title:?} are not shown yet: {due}")]
    NotShown { title: String, due: &'static str },
}

impl Failure {
    /// The exit code, see [`EXIT_CODES`].
    pub(crate) const fn code(&self) -> u8 {
        self.kind().0
    }

    /// A word for it that has no text of anybody's, for a log.
    pub(crate) const fn word(&self) -> &'static str {
        self.kind().1
    }

    /// The exit code, and a stable word for it.
    const fn kind(&self) -> (u8, &'static str) {
        match self {
            Self::Runtime(_)
            | Self::Signals(_)
            | Self::File { .. }
            | Self::Input(_)
            | Self::Output(_)
            | Self::Randomness(_)
            | Self::Status { .. } => (1, "failed"),
            Self::LogFilter { .. }
            | Self::Link(_)
            | Self::OwnPoll
            | Self::Server(_)
            | Self::App(_)
            | Self::Setting(_)
            | Self::Ca { .. }
            | Self::IceServers(_)
            | Self::PollFile { .. }
            | Self::Draft(_)
            | Self::NoHome => (2, "usage"),
            Self::NoOption { .. }
            | Self::SeveralOptions { .. }
            | Self::NoPoll(_)
            | Self::NoFolder(_)
            | Self::NoPolls(_) => (3, "not-found"),
            Self::Rejected(_) | Self::OutcomeUnknown => (4, "rejected"),
            Self::Refused(_) => (5, "refused"),
            Self::Away(_) | Self::NoCopy(_) | Self::NothingStored => (6, "owner-away"),
            Self::Pending { .. } => (7, "pending"),
            Self::NoServer { .. } | Self::Transport(_) | Self::Network(_) => (8, "no-server"),
            Self::InUse(_) | Self::HostedNow(_) => (9, "in-use"),
            Self::Store { .. } | Self::Stored(_) => (10, "storage"),
            Self::NoPassphrase(_)
            | Self::PassphrasesDiffer
            | Self::Read { .. }
            | Self::Export(_)
            | Self::Import(_) => (11, "export"),
            Self::NotShown { .. } => (12, "not-shown"),
        }
    }

    /// Says it on the standard error; a program gets it as an object on the standard output, too.
    pub(crate) fn tell(&self, asks_for_json: bool) {
        // A sentence may quote somebody else, who has no business with the terminal.
        let sentence = say::plain(&self.to_string());
        if asks_for_json {
            #[derive(Serialize)]
            #[serde(rename_all = "camelCase")]
            struct Error<'a> {
                error: &'a str,
                exit_code: u8,
                message: &'a str,
            }
            let (exit_code, error) = self.kind();
            // Whoever does not listen has the exit code.
            let _ = say::json(&Error {
                error,
                exit_code,
                message: &sentence,
            });
        }
        eprintln!("error: {sentence}");
    }

    /// The store of a folder.
    pub(crate) fn store(path: &std::path::Path) -> impl Fn(StoreError) -> Self {
        let path = path.to_owned();
        move |error| {
            let path = path.clone();
            if matches!(error, StoreError::Locked(_)) {
                return Self::InUse(path);
            }
            Self::Store { path, error }
        }
    }

    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::File { path, error }
    }

    /// A poll that the protocol does not take, as its owner has asked for it.
    pub(crate) fn no_poll(room: RoomId) -> Self {
        Self::NoPoll(room.to_string())
    }
}

impl From<DriverError> for Failure {
    fn from(error: DriverError) -> Self {
        if let DriverError::Transport(error) = error {
            return Self::Network(error.to_string());
        }
        Self::Stored(error.to_string())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        if let OpenError::Draft(why) = error {
            return Self::Draft(why.to_string());
        }
        if let OpenError::NoJournal(poll) = error {
            return Self::NoPoll(poll.to_string());
        }
        if let OpenError::Randomness(why) = error {
            return Self::Randomness(why);
        }
        if let OpenError::Failed(error) = error {
            return error.into();
        }
        Self::Stored(error.to_string())
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        if let CallError::Submit(SubmitError::OwnerOffline) = error {
            return Self::Away(SubmitError::OwnerOffline.to_string());
        }
        if let CallError::Submit(SubmitError::Invalid(rejection)) = error {
            return Self::Rejected(rejection);
        }
        if let CallError::Refused(refused) = error {
            return Self::Refused(refused);
        }
        if let CallError::Failed(error) = error {
            return error.into();
        }
        Self::Stored(error.to_string())
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        if let TransportError::Config(error) = error {
            return Self::Setting(error);
        }
        Self::Transport(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_code_once_and_in_order() {
        let codes = EXIT_CODES.lines().skip(1).map(|line| {
            let (code, said) = line.trim().split_once("  ").unwrap();
            assert!(!said.is_empty());
            code.parse::<u8>().unwrap()
        });
        assert!(codes.eq(0..=12));
        let readme = include_str!("../README.md");
        for line in EXIT_CODES.lines().skip(1) {
            let (code, said) = line.trim().split_once("  ").unwrap();
            let row = format!("| {code} | {said} |");
            assert!(readme.contains(&row), "README.md has no row {row}");
        }
    }
}
