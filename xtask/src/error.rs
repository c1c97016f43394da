//! The one error of all chores: a sentence for the person who ran the chore.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::{fmt, io};

/// The reason why a chore failed.
#[derive(Debug)]
pub(crate) enum Error {
    /// A program could not be started.
    Start { program: String, source: io::Error },
    /// A program ran and failed; it has said why itself.
    Failed { command: String, status: ExitStatus },
    /// A file or folder could not be used.
    File {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Anything else, in one sentence.
    Because(String),
}

impl Error {
    /// For `map_err` on errors of the file system: `doing` is "read", "make" and the like.
    pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            doing,
            path,
            source,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { program, source } => write!(f, "{program} cannot be started: {source}"),
            Self::Failed { command, status } => match status.code() {
                Some(code) => write!(f, "`{command}` ended with exit code {code}"),
                None => write!(f, "`{command}` was killed ({status})"),
            },
            Self::File {
                doing,
                path,
                source,
            } => {
                write!(f, "cannot {doing} {}: {source}", path.display())
            }
            Self::Because(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for Error {}
