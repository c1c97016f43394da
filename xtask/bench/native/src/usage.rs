//! The memory and the time that this process has used.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// The amounts of one process at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Memory that is its own and in use, in KiB: not files, nor what the kernel keeps for it.
    pub(crate) memory: u64,
    /// Time on processors, of all its threads.
    pub(crate) cpu: Duration,
}

impl Usage {
    pub(crate) fn now() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status").context("no /proc/self/status")?;
        let line = status.lines().find(|line| line.starts_with("RssAnon:"));
        let memory = line
            .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .context("/proc/self/status does not say RssAnon")?;
        let spent = clock_gettime(ClockId::ProcessCPUTime);
        let cpu = Duration::new(spent.tv_sec.try_into()?, spent.tv_nsec.try_into()?);
        Ok(Self { memory, cpu })
    }

    /// As the processes tell it each other.
    pub(crate) fn line(self) -> String {
        format!("{} {}", self.memory, self.cpu.as_micros())
    }

    pub(crate) fn read(line: &str) -> Result<Self> {
        let mut words = line.split_whitespace().map(str::parse);
        match (words.next(), words.next()) {
            (Some(Ok(memory)), Some(Ok(micros))) => Ok(Self {
                memory,
                cpu: Duration::from_micros(micros),
            }),
            _ => anyhow::bail!("a process tells what it uses as {line:?}"),
        }
    }
}

/// Lets this process have as many files and sockets as the system grants it.
pub(crate) fn raise_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    // What it has may do.
    let _ = setrlimit(Resource::Nofile, limit);
}
