//! A program and everything that it starts.

use std::fs;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::bounds::SOON;

/// The lines that a program says. Somebody has to read it, or the program waits for that.
pub(crate) type Said = Lines<BufReader<ChildStdout>>;

/// A program in a process group of its own, which ends when this is dropped, with all that it has
/// started.
#[derive(Debug)]
pub(crate) struct Group {
    child: Mutex<Child>,
    id: Pid,
}

impl Group {
    /// Starts it.
    pub(crate) fn begin(mut command: Command) -> anyhow::Result<(Self, Said)> {
        let name = name_of(&command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        let mut child = command
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let id = id.with_context(|| format!("{name} has ended at once"))?;
        let stdout = child.stdout.take();
        let group = Self {
            child: Mutex::new(child),
            id,
        };
        let stdout = stdout.context("it has no output")?;
        Ok((group, BufReader::new(stdout).lines()))
    }

    /// Starts it, and reads what it says until `look` finds what is looked for, which has to be
    /// soon.
    pub(crate) async fn start<T>(
        command: Command,
        look: impl Fn(&str) -> Option<T>,
    ) -> anyhow::Result<(Self, T)> {
        let name = name_of(&command);
        let (group, mut said) = Self::begin(command)?;
        let looking = async {
            while let Some(line) = said.next_line().await? {
                if let Some(found) = look(&line) {
                    return Ok(found);
                }
            }
            anyhow::bail!("{name} has ended without saying that it is ready")
        };
        let found = timeout(SOON, looking).await;
        let found = found.with_context(|| format!("{name} is not ready after {SOON:?}"))??;
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Ok((group, found))
    }

    /// Seconds of a processor that those of its programs have taken that are running.
    ///
    /// Only on Linux: elsewhere it is an error.
    pub(crate) fn processor(&self) -> anyhow::Result<f64> {
        let mut ticks = 0;
        for entry in fs::read_dir("/proc").context("only Linux says what programs take")? {
            // One that has ended meanwhile takes no more.
            let stat = fs::read_to_string(entry?.path().join("stat"));
            // Its name is in parentheses, and may have anything in it.
            let fields = stat.iter().filter_map(|stat| stat.rsplit_once(") "));
            for (_, fields) in fields {
                let field = |at| fields.split(' ').nth(at).and_then(|it| it.parse().ok());
                if field(2) == Some(i64::from(self.id.as_raw_nonzero().get())) {
                    ticks += field(11).unwrap_or(0) + field(12).unwrap_or(0);
                }
            }
        }
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Ends it all, without a goodbye.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Resolves once it has ended.
    pub(crate) async fn ended(&self) {
        // What cannot be waited for has been.
        let _ = self.status().await;
    }

    /// The same, with the way in which it has.
    pub(crate) async fn status(&self) -> std::io::Result<ExitStatus> {
        self.child.lock().await.wait().await
    }

    /// Lets none of it run until [`thaw`](Self::thaw).
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        // One that has ended needs none. Its id is nobody else's: it is not given away while the
        // program that it is named for has not been waited for.
        let _ = kill_process_group(self.id, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The name of a program, for whoever reads what is wrong with it.
fn name_of(command: &Command) -> String {
    let program = command.as_std().get_program();
    Path::new(program).display().to_string()
}
