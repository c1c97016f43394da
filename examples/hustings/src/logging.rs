//! The log: on the standard error, or in a file that can be opened anew.
//!
//! What is in it is for whoever looks after the program: nobody's choice, no secret of an
//! invitation, no token and no key. Strangers can cause any number of lines, so there is a bound of
//! them in a second, unless whoever looks has asked for all.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::cli;
use crate::failure::Failure;

/// Lines of a burst, and in a second on average: some 10 MB an hour at most.
const BURST: f64 = 1_000.0;
const PER_SECOND: f64 = 20.0;

/// The log of this process.
#[derive(Clone)]
pub(crate) struct Log {
    writer: Arc<Writer>,
}

/// The place that lines go to.
struct Writer {
    /// `None` for the standard error.
    path: Option<PathBuf>,
    present: Mutex<Present>,
}

struct Present {
    file: Option<File>,
    bound: Option<Bound>,
}

/// Begins to write. Of a service people want to know what it did while they were not there.
pub(crate) fn begin(args: &cli::Log, is_service: bool) -> Result<Log, Failure> {
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    let usual = match is_service {
        true => "warn,hustings=info",
        false => "error",
    };
    let filter = args.log_filter.as_deref().unwrap_or(usual);
    let filter = EnvFilter::try_new(filter).map_err(|error| Failure::LogFilter {
        filter: filter.to_owned(),
        reason: error.to_string(),
    })?;
    let writer = Arc::new(Writer {
        path: args.log.clone(),
        present: Mutex::new(Present {
            file: args.log.as_deref().map(open).transpose()?,
            bound: args.log_filter.is_none().then(Bound::new),
        }),
    });
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Lines(Arc::clone(&writer)));
    let registry = tracing_subscriber::registry().with(filter).with(lines);
    // Nobody else in this process has one.
    let _ = registry.try_init();
    Ok(Log { writer })
}

impl Log {
    /// Opens the file anew, which may be another one of that name by now. Where that fails the
    /// present one is written on.
    pub(crate) fn reopen(&self) -> Result<(), Failure> {
        let Some(path) = &self.writer.path else {
            return Ok(());
        };
        let file = open(path)?;
        self.writer.lock().file = Some(file);
        Ok(())
    }
}

impl Writer {
    fn lock(&self) -> std::sync::MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Present {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => io::stderr().write_all(bytes),
        }
    }

    /// Writes a line, unless there are too many.
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let left_out = match &mut self.bound {
            Some(bound) => match bound.take(Instant::now()) {
                Some(left_out) => left_out,
                None => return Ok(()),
            },
            None => 0,
        };
        if left_out > 0 {
            self.put(
                format!("{left_out} lines were left out, as there were too many\n").as_bytes(),
            )?;
        }
        self.put(line)
    }
}

/// A bound of lines over time.
struct Bound {
    lines: f64,
    at: Instant,
    left_out: u64,
}

impl Bound {
    fn new() -> Self {
        Self {
            lines: BURST,
            at: Instant::now(),
            left_out: 0,
        }
    }

    /// The number of lines that were left out before this one; `None` if it is left out.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.lines = since.mul_add(PER_SECOND, self.lines).min(BURST);
        self.at = now;
        if self.lines < 1.0 {
            self.left_out += 1;
            return None;
        }
        self.lines -= 1.0;
        Some(std::mem::take(&mut self.left_out))
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    let mut options = File::options();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(Failure::file(path))
}

/// Makes a writer for each line.
struct Lines(Arc<Writer>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

/// A writer of one line.
struct Line<'a>(&'a Writer);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A line comes at once, so nobody's is in the middle of another's.
        self.0.lock().line(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_of_lines_is_cut_and_counted() {
        let mut bound = Bound::new();
        let start = bound.at;
        let written = (0..1_500).filter(|_| bound.take(start).is_some()).count();
        assert_eq!(written, 1_000);
        let later = start + Duration::from_millis(60);
        assert_eq!(bound.take(later), Some(500));
        assert_eq!(bound.take(later), None);
    }
}
