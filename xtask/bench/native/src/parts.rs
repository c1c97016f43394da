//! The processes, which tell each other things line by line.

use std::env;
use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::usage::Usage;

/// The question for what a process uses, which every one answers.
const USAGE: &str = "usage";

/// A process that this one has started, and that ends with it.
pub(crate) struct Part {
    name: String,
    child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

impl Part {
    /// Starts this program once more, in another role.
    pub(crate) fn start(name: &str, args: &[&str]) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        let (to, from) = (child.stdin.take(), child.stdout.take());
        Ok(Self {
            name: name.to_owned(),
            child,
            to: to.context("it has a stdin")?,
            from: BufReader::new(from.context("it has a stdout")?).lines(),
        })
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    pub(crate) async fn ask(&mut self, line: &str) -> Result<String> {
        self.to.write_all(format!("{line}\n").as_bytes()).await?;
        self.hear().await
    }

    /// The next line that it says.
    pub(crate) async fn hear(&mut self) -> Result<String> {
        match self.from.next_line().await? {
            Some(line) => Ok(line),
            None => bail!("{} has ended before it was done", self.name),
        }
    }

    pub(crate) async fn usage(&mut self) -> Result<Usage> {
        Usage::read(&self.ask(USAGE).await?)
    }
}

/// Says a line to whoever has started this process.
pub(crate) fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Answers what this process uses, and everything else by `act`, until whoever asks is gone.
pub(crate) async fn answer(mut act: impl AsyncFnMut(&str) -> Result<Option<String>>) -> Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if line == USAGE {
            say(&Usage::now()?.line())?;
        } else if let Some(answer) = act(&line).await? {
            say(&answer)?;
        }
    }
    Ok(())
}
