//! A signalling server, data folders, and the processes that are run on them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use hustings_transport_peerjs::broker::{Broker, BrokerConfig};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hustings");

/// Longer than anything takes on a machine that has other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The result of something that has to happen soon.
pub(crate) async fn soon<R>(what: &str, result: impl Future<Output = R>) -> R {
    let result = timeout(PATIENCE, result).await;
    result.unwrap_or_else(|_| panic!("{what} took longer than {PATIENCE:?}"))
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    soon(what, async {
        while !is_so() {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

pub(crate) struct Scene {
    folder: TempDir,
    pub(crate) server: String,
    stop: Option<oneshot::Sender<()>>,
}

impl Scene {
    pub(crate) async fn begin() -> Self {
        let config = BrokerConfig {
            // Whoever is away is away: nothing here takes seconds to come.
            expire_after: Duration::from_secs(1),
            ..BrokerConfig::default()
        };
        let broker = Broker::bind("127.0.0.1:0", config).await.unwrap();
        let server = format!("http://{}/", broker.local_addr());
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(broker.serve(async {
            let _ = stopped.await;
        }));
        Self {
            folder: tempfile::tempdir().unwrap(),
            server,
            stop: Some(stop),
        }
    }

    /// Ends the signalling server.
    pub(crate) fn end_server(&mut self) {
        self.stop.take();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(PROGRAM);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HUSTINGS_") {
                command.env_remove(name);
            }
        }
        command
            .env("HUSTINGS_SERVER", &self.server)
            .env("HUSTINGS_ICE_SERVERS", "[]")
            .env("HUSTINGS_ADDRESS", "127.0.0.1")
            .env("XDG_DATA_HOME", self.path("home"))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command of somebody to its end.
    pub(crate) async fn run<A: AsRef<OsStr>>(
        &self,
        who: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Done {
        self.run_with(who, args, &[], "").await
    }

    /// The same, with these variables and this input.
    pub(crate) async fn run_with<A: AsRef<OsStr>>(
        &self,
        who: &str,
        args: impl IntoIterator<Item = A>,
        variables: &[(&str, &str)],
        input: &str,
    ) -> Done {
        let mut command = self.command(args);
        let mut child = command
            .env("HUSTINGS_DATA", self.path(who))
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Whoever reads nothing may be gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = soon("the command", child.wait_with_output()).await.unwrap();
        Done::new(output)
    }

    /// Starts a command of somebody, which says what it does.
    pub(crate) fn start<A: AsRef<OsStr>>(
        &self,
        who: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Running {
        let mut child = self
            .command(args)
            .env("HUSTINGS_DATA", self.path(who))
            // It is shown with the test.
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    /// Starts a host, and waits until it hosts.
    pub(crate) async fn host(&self, who: &str, args: &[&str]) -> Host {
        let args = ["host", "--json"].iter().chain(args);
        let mut running = self.start(who, args);
        let mut polls = Vec::new();
        loop {
            let line = running.json().await;
            match line["event"].as_str() {
                Some("poll") => polls.push(line),
                Some("hosting") => return Host { running, polls },
                _ => panic!("{line}"),
            }
        }
    }

    /// Has a host start whose poll is not hosted. Returns what the status has of it.
    pub(crate) async fn host_fails(&self, who: &str, args: &[&str]) -> String {
        let status = self.path("failed.json");
        let to = ["--status", status.to_str().unwrap()];
        let args = args[1..].iter().copied().chain(to);
        let host = self.host(who, &args.collect::<Vec<_>>()).await;
        assert!(host.polls.is_empty(), "{:?}", host.polls);
        let said = std::fs::read_to_string(&status).unwrap();
        host.end().await;
        said
    }

    /// Starts a host with a poll of tea and coffee.
    pub(crate) async fn tea(&self) -> Host {
        self.host("owner", &TEA).await
    }

    /// The link of such a poll, in which Ann has voted for tea, and whose host has ended.
    pub(crate) async fn tea_with_a_vote(&self) -> String {
        let host = self.tea().await;
        let link = host.link();
        self.run("ann", ["vote", &link, "--option", "tea"])
            .await
            .is_done();
        host.end().await;
        link
    }
}

pub(crate) const TEA: [&str; 6] = [
    "--title",
    "Tea or coffee?",
    "--option",
    "Tea",
    "--option",
    "Coffee",
];

/// The outcome of a command.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) said: String,
}

impl Done {
    fn new(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ends by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            said: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Its only line, as JSON.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// Asserts that it has failed with this code, and with a sentence that has this in it.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, sentence: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.said.contains(sentence), "{self:?}");
        assert!(self.said.contains("error: "), "{self:?}");
    }

    /// Asserts that it is done.
    #[track_caller]
    pub(crate) fn is_done(&self) {
        assert_eq!(self.code, 0, "{self:?}");
    }
}

/// A process.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) async fn line(&mut self) -> String {
        let line = soon("a line", self.lines.next_line()).await.unwrap();
        line.expect("it goes on")
    }

    /// The next line, or the end.
    pub(crate) async fn next(&mut self) -> Option<String> {
        soon("a line", self.lines.next_line()).await.unwrap()
    }

    pub(crate) async fn json(&mut self) -> Value {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"))
    }

    /// Reads lines until one is as it should be.
    pub(crate) async fn json_until(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        soon(what, async {
            loop {
                let line = self.json().await;
                if is_it(&line) {
                    return line;
                }
            }
        })
        .await
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()));
        kill_process(id.expect("it runs"), signal).unwrap();
    }

    /// Its exit code; `None` if a signal has ended it.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        soon("the end", self.child.wait()).await.unwrap().code()
    }
}

/// A `hustings host`.
pub(crate) struct Host {
    pub(crate) running: Running,
    /// Its words about its polls.
    pub(crate) polls: Vec<Value>,
}

impl Host {
    /// The link of its only poll.
    pub(crate) fn link(&self) -> String {
        assert_eq!(self.polls.len(), 1, "{:?}", self.polls);
        self.polls[0]["link"].as_str().unwrap().to_owned()
    }

    /// Ends it as a supervisor does.
    pub(crate) async fn end(mut self) {
        self.running.signal(Signal::TERM);
        assert_eq!(self.running.ended().await, Some(0));
    }
}

/// The mode of a file, without its kind.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;

    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
