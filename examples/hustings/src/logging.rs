//! The log: on the standard error, or in a file that can be opened anew.
//!
//! What is in it is for whoever looks after the program: nobody's choice, no secret of an
//! invitation, no token and no key.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::cli;
use crate::failure::Failure;

/// The log of this process.
#[derive(Clone)]
pub(crate) struct Log {
    /// `None` for the standard error.
    file: Option<Arc<LogFile>>,
    is_filtered: bool,
    reload: Reload,
}

type Reload = tracing_subscriber::reload::Handle<EnvFilter, tracing_subscriber::Registry>;

struct LogFile {
    path: PathBuf,
    file: Mutex<File>,
}

/// Begins to write.
pub(crate) fn begin(args: &cli::Log) -> Result<Log, Failure> {
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    let filter = args.log_filter.as_deref().unwrap_or("error");
    let filter = EnvFilter::try_new(filter).map_err(|error| Failure::LogFilter {
        filter: filter.to_owned(),
        reason: error.to_string(),
    })?;
    let file = args.log.as_deref().map(LogFile::open).transpose()?;
    let file = file.map(Arc::new);
    let (filter, reload) = tracing_subscriber::reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Writer(file.clone()));
    let registry = tracing_subscriber::registry().with(filter).with(lines);
    // Nobody else in this process has one.
    let _ = registry.try_init();
    Ok(Log {
        file,
        is_filtered: args.log_filter.is_some(),
        reload,
    })
}

impl Log {
    /// Writes what somebody wants to know who is not there, unless they have said what that is.
    pub(crate) fn of_a_service(&self) {
        if !self.is_filtered {
            let filter = EnvFilter::new("warn,hustings=info");
            // It is there for as long as the process.
            let _ = self.reload.reload(filter);
        }
    }

    /// Opens the file anew, which may be another one of that name by now. Where that fails the
    /// present one is written on.
    pub(crate) fn reopen(&self) -> Result<(), Failure> {
        let Some(log) = &self.file else {
            return Ok(());
        };
        let file = open(&log.path)?;
        *log.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
        Ok(())
    }
}

impl LogFile {
    fn open(path: &Path) -> Result<Self, Failure> {
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(open(path)?),
        })
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    let mut options = File::options();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(Failure::file(path))
}

/// The place that lines go to.
struct Writer(Option<Arc<LogFile>>);

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self.0.as_deref())
    }
}

/// A writer of one line.
struct Line<'a>(Option<&'a LogFile>);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0 {
            // A line is written at once, so that nobody's is in the middle of another's.
            Some(log) => log
                .file
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(bytes)
                .map(|()| bytes.len()),
            None => io::stderr().write_all(bytes).map(|()| bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
