//! Other processes: this test binary, started once more to play a part in it.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

/// Says which part is to be played; without it, a part is not played.
pub(crate) const PART: &str = "HUSTINGS_CRASH_PART";

/// Something that a process has said, or its end.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) who: usize,
    /// `None` once it has ended.
    pub(crate) line: Option<String>,
}

/// A process that plays a part.
pub(crate) struct Other {
    child: Child,
    stdin: Option<ChildStdin>,
    reader: Option<JoinHandle<()>>,
}

impl Other {
    /// Starts a process. What it says goes to `ear`, under the name `who`.
    pub(crate) fn start<'a>(
        part: &str,
        around: &[&str],
        settings: impl IntoIterator<Item = (&'a str, &'a OsStr)>,
        who: usize,
        ear: &Sender<Heard>,
    ) -> Self {
        let binary = env::current_exe().unwrap();
        let mut command = match around {
            [] => Command::new(binary),
            [program, args @ ..] => {
                let mut command = Command::new(program);
                command.args(args).arg(binary);
                command
            }
        };
        let mut child = command
            .args(["--exact", part, "--nocapture", "--test-threads=1"])
            .env(PART, "")
            .envs(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let ear = ear.clone();
        let reader = thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Some((_, said)) = line.split_once("says:") {
                    let line = Some(said.to_owned());
                    let _ = ear.send(Heard { who, line });
                }
            }
            let _ = ear.send(Heard { who, line: None });
        });
        Self {
            stdin: child.stdin.take(),
            child,
            reader: Some(reader),
        }
    }

    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        // Whoever has died hears nothing, and that is noticed elsewhere.
        let _ = stdin.write_all(format!("{line}\n").as_bytes());
    }

    /// SIGKILL. What it has said before is in the ear when this returns.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself, which its end says.
        let _ = self.child.kill();
        self.wait();
    }

    /// Waits for the end, and for the rest of what it says. True if it ended well.
    pub(crate) fn wait(&mut self) -> bool {
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status.success()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // A failed assertion leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// True in a process that was started to play a part.
pub(crate) fn plays() -> bool {
    env::var_os(PART).is_some()
}

/// Says a line to the process that started this one.
pub(crate) fn say(what: &str) {
    // One write of a whole line: a kill leaves no half of one that is taken for a whole.
    let mut out = std::io::stdout().lock();
    let said = out.write_all(format!("\nsays:{what}\n").as_bytes());
    // Where nobody listens, the test is over.
    let _ = said.and_then(|()| out.flush());
}
