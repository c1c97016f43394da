//! Somebody with the command `hustings`, and no browser.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::bounds::ANSWER;
use crate::cable::Cable;
use crate::group::{Group, Said};

/// Somebody with a terminal, and a data folder that nobody else has.
#[derive(Debug)]
pub struct Terminal {
    program: PathBuf,
    folder: TempDir,
    server: String,
    /// More settings, by the names of their variables.
    settings: Vec<(&'static str, String)>,
}

/// A `hustings host` with one poll.
#[derive(Debug)]
pub struct Host {
    group: Group,
    /// The address by which others come to the poll.
    pub link: String,
}

impl Terminal {
    pub(crate) fn new(server: String) -> anyhow::Result<Self> {
        let program = env::var_os("HUSTINGS_E2E_COMMAND");
        Ok(Self {
            program: program
                .context("HUSTINGS_E2E_COMMAND is not set: run `cargo xtask test --browsers`")?
                .into(),
            folder: TempDir::with_prefix("hustings-e2e-")?,
            server,
            // It all stays on this machine.
            settings: vec![("HUSTINGS_ICE_SERVERS", "[]".into())],
        })
    }

    /// Somebody who reaches others by a cable, and by nothing else.
    ///
    /// # Errors
    ///
    /// The command is not built.
    pub fn by(cable: &Cable) -> anyhow::Result<Self> {
        Ok(Self {
            settings: cable.settings(),
            ..Self::new(cable.server())?
        })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .env("HUSTINGS_DATA", self.folder.path())
            .env("HUSTINGS_SERVER", &self.server)
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Hosts a poll, whose links open the app at the signalling server's own address. With the same
    /// arguments it is the same poll again.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn host(&self, args: &[&str]) -> anyhow::Result<Host> {
        let mut command = self.command(&["host", "--json", "--app", &self.server]);
        command.args(args);
        let link = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            Some(line["address"].as_str()?.to_owned())
        };
        // One whose poll is not hosted goes on, and waits for files of polls.
        let started = Group::start(command, link).await;
        let (group, link) = started.context("no poll is hosted")?;
        Ok(Host { group, link })
    }

    /// Starts a command that goes on for a while.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start(&self, args: &[&str]) -> anyhow::Result<Running> {
        let mut command = self.command(args);
        command.arg("--json");
        let (group, said) = Group::begin(command)?;
        let what = args.first().copied().unwrap_or_default().to_owned();
        Ok(Running { group, said, what })
    }

    /// Runs a command to its end, which has to be a good one. Returns the lines that it has
    /// printed.
    ///
    /// # Errors
    ///
    /// It fails, or prints something else than JSON.
    pub async fn run(&self, args: &[&str]) -> anyhow::Result<Vec<Value>> {
        let mut command = self.command(args);
        command
            .arg("--json")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = timeout(ANSWER, command.output()).await;
        let output = ended.with_context(|| format!("{args:?} took longer than {ANSWER:?}"))??;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "{args:?}: {said}");
        let out = String::from_utf8(output.stdout)?;
        let lines = out.lines().map(serde_json::from_str);
        Ok(lines.collect::<Result<_, _>>()?)
    }

    /// The data folder.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.folder.path().to_str().unwrap_or_default()
    }
}

/// A command that goes on.
#[derive(Debug)]
pub struct Running {
    group: Group,
    said: Said,
    /// The command's name.
    what: String,
}

impl Running {
    /// Reads what it prints until a line is as it should be.
    ///
    /// # Errors
    ///
    /// It prints no such line within `bound`, or has ended.
    pub async fn prints(
        &mut self,
        line: &str,
        is_it: impl Fn(&Value) -> bool,
        bound: Duration,
    ) -> anyhow::Result<Value> {
        let what = format!("`{}` prints {line}", self.what);
        let reading = async {
            while let Some(line) = self.said.next_line().await? {
                let line: Value = serde_json::from_str(&line)?;
                if is_it(&line) {
                    return Ok(line);
                }
            }
            anyhow::bail!("it has ended")
        };
        let read = timeout(bound, reading).await;
        read.with_context(|| format!("not within {bound:?}"))
            .flatten()
            .context(what)
    }

    /// Waits for its end, which has to be a good one. Returns the lines that were not read.
    ///
    /// # Errors
    ///
    /// It fails, or goes on for longer than `bound`.
    pub async fn ends(mut self, bound: Duration) -> anyhow::Result<Vec<Value>> {
        let ending = async {
            let mut lines = Vec::new();
            while let Some(line) = self.said.next_line().await? {
                lines.push(serde_json::from_str(&line)?);
            }
            let status = self.group.status().await?;
            anyhow::ensure!(status.success(), "{status}, {lines:?}");
            Ok(lines)
        };
        let ended = timeout(bound, ending).await;
        ended
            .with_context(|| format!("it goes on for longer than {bound:?}"))
            .flatten()
            .with_context(|| format!("`{}`", self.what))
    }

    /// Kills it, and waits until it is gone: it says goodbye to nobody.
    pub async fn kill(self) {
        self.group.kill();
        self.group.ended().await;
    }
}

impl Host {
    /// Kills it, and waits until it is gone: it says goodbye to nobody.
    pub async fn kill(&self) {
        self.group.kill();
        self.group.ended().await;
    }

    /// Lets it do nothing until [`thaw`](Self::thaw).
    pub fn freeze(&self) {
        self.group.freeze();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.group.thaw();
    }
}
