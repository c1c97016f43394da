//! The signalling server, which can be away for a while.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::process::Command;

use crate::group::Group;

/// A `hustings-broker` at a port of this machine.
#[derive(Debug)]
pub struct Broker {
    program: PathBuf,
    /// The pages that it serves, too.
    pages: Option<PathBuf>,
    host: Ipv4Addr,
    /// The address at which it relays, if it does.
    turn: Option<Ipv4Addr>,
    port: u16,
    /// The one that was started last, whether it runs or was killed.
    running: Group,
}

impl Broker {
    pub(crate) async fn start(
        program: &Path,
        pages: Option<&Path>,
        host: Ipv4Addr,
        turn: Option<Ipv4Addr>,
    ) -> anyhow::Result<Self> {
        let (group, port) = run(program, pages, host, turn, 0).await?;
        Ok(Self {
            program: program.to_owned(),
            pages: pages.map(Path::to_owned),
            host,
            turn,
            port,
            running: group,
        })
    }

    /// The port at which it listens, or will again.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it. Everybody who is registered loses their socket.
    pub fn kill(&self) {
        self.running.kill();
    }

    /// Starts it again at the same port, with nobody registered.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        // Until then it has the port.
        self.running.ended().await;
        let pages = self.pages.as_deref();
        let (group, _) = run(&self.program, pages, self.host, self.turn, self.port).await?;
        self.running = group;
        Ok(())
    }
}

async fn run(
    program: &Path,
    pages: Option<&Path>,
    host: Ipv4Addr,
    turn: Option<Ipv4Addr>,
    port: u16,
) -> anyhow::Result<(Group, u16)> {
    let mut command = Command::new(program);
    command.args(["--host", &host.to_string(), "--port", &port.to_string()]);
    if let Some(pages) = pages {
        command.arg("--pages").arg(pages);
    }
    if let Some(turn) = turn {
        command.arg("--turn").arg(format!("{turn}:0"));
    }
    // "listening at 127.0.0.1:40123"
    let listening = |line: &str| {
        line.strip_prefix("listening at ")?
            .rsplit(':')
            .next()?
            .parse()
            .ok()
    };
    Group::start(command, listening)
        .await
        .context("the signalling server")
}
