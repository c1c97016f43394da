//! The signalling servers for demos and tests in a browser: an honest one, and one that attacks.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::error::Error;
use crate::process;

/// A running signalling server, which ends when this is dropped.
pub(crate) struct Broker {
    child: Child,
    port: u16,
}

/// Builds a `hustings-broker`, and says where the program is.
pub(crate) fn build() -> Result<PathBuf, Error> {
    process::run(&mut process::cargo([
        "build",
        "--package",
        "hustings-transport-peerjs",
        "--features",
        "broker",
        "--bin",
        "hustings-broker",
    ]))?;
    Ok(built("hustings-broker"))
}

fn built(program: &str) -> PathBuf {
    let file = format!("{program}{}", env::consts::EXE_SUFFIX);
    process::target().join("debug").join(file)
}

impl Broker {
    /// Builds a `hustings-broker` and starts it at a free port.
    pub(crate) fn start() -> Result<Self, Error> {
        Self::honest(&[])
    }

    /// The same, with the pages of an app beside it.
    pub(crate) fn with_pages(pages: &Path) -> Result<Self, Error> {
        Self::honest(&["--pages".as_ref(), pages.as_os_str()])
    }

    /// Builds a signalling server that attacks its clients, and starts it in front of this one.
    pub(crate) fn attacker(&self) -> Result<Self, Error> {
        process::run(&mut process::cargo([
            "build",
            "--package",
            "hustings-attacker",
        ]))?;
        let mut command = Command::new(built("hustings-attacker"));
        command.args(["--broker", &self.port.to_string()]);
        Self::run(command)
    }

    fn honest(args: &[&OsStr]) -> Result<Self, Error> {
        let mut command = Command::new(build()?);
        command
            .args(["--host", "127.0.0.1", "--port", "0"])
            .args(args);
        Self::run(command)
    }

    fn run(mut command: Command) -> Result<Self, Error> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command
            .spawn()
            .map_err(|source| process::not_started(&command, source))?;
        let mut broker = Self { child, port: 0 };
        // "listening at 127.0.0.1:40123"
        let mut line = String::new();
        if let Some(stdout) = broker.child.stdout.take() {
            // What cannot be read names no port.
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        let port = line
            .trim()
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok());
        broker.port = port.ok_or_else(|| {
            let typed = process::typed(&command);
            Error::Because(format!("{typed} did not print its address"))
        })?;
        Ok(broker)
    }

    /// The port on which it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It has nothing to lose. One that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
