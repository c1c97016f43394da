//! `cargo xtask setup`: the standard library of wasm, from rustup or, where its server cannot be
//! reached, from Debian.

mod debian;
mod packages;

pub(crate) use debian::root_on_debian;
pub(crate) use packages::install;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::error::Error;
use crate::process;

/// The target that browsers run.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// The profile that makes the smallest wasm, and the folder that cargo puts it into.
pub(crate) const PROFILE: &str = "wasm";

/// Fast code is for those who send tens of thousands of messages in a second. The app is loaded by
/// everybody who votes, so there it is small.
const SMALL_TRANSPORT: &str = "profile.wasm.package.hustings-transport-peerjs.opt-level='s'";

/// The name that rustup has for the toolchain that is made of Debian's packages.
const TOOLCHAIN: &str = "wasm";

/// The time that rustup may take before its server counts as unreachable.
const RUSTUP_TIME: Duration = Duration::from_secs(120);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Make the toolchain of Debian's packages even if rustup could do it
    #[arg(long)]
    debian: bool,
}

/// Installs the missing parts, and tells how to run it.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    components()?;
    let cargo = if args.debian { from_debian()? } else { wasm()? };
    println!("{} builds for {WASM}", process::typed(&cargo.command()));
    Ok(())
}

/// A cargo that builds for wasm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WasmCargo {
    /// The one that runs this.
    Current,
    /// `cargo +wasm`.
    Linked,
}

impl WasmCargo {
    /// The compiler that it calls.
    pub(crate) fn rustc(self) -> Command {
        let mut rustc = Command::new("rustc");
        if self == Self::Linked {
            rustc.arg(format!("+{TOOLCHAIN}"));
        }
        rustc.current_dir(process::root());
        rustc
    }

    /// The cargo, in the root of the workspace.
    pub(crate) fn command(self) -> Command {
        match self {
            Self::Current => process::cargo::<&OsStr>([]),
            Self::Linked => {
                let mut command = Command::new("cargo");
                command
                    .arg(format!("+{TOOLCHAIN}"))
                    .current_dir(process::root());
                command
            }
        }
    }

    /// `cargo build` for wasm with this profile.
    pub(crate) fn build(self, profile: &str) -> Command {
        self.compile("build", profile)
    }

    /// `cargo build` of the program of a package, as small as it gets, with what it takes to take
    /// it apart: every place that names another.
    pub(crate) fn build_to_split(self, package: &str) -> Command {
        let mut build = self.compile("rustc", PROFILE);
        build.args(["--config", SMALL_TRANSPORT, "--package", package]);
        build.args(["--", "-Clink-arg=--emit-relocs"]);
        build
    }

    fn compile(self, chore: &str, profile: &str) -> Command {
        let mut build = self.command();
        build.args([chore, "--profile", profile, "--target", WASM]);
        if profile == PROFILE {
            build.arg("--config").arg(without_paths());
        }
        build
    }
}

/// The flags without which a wasm would say where this machine keeps its crates: a panic names its
/// file. So two machines make the same bytes, too, and there are fewer of them.
fn without_paths() -> String {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let folders = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    let folders = folders.into_iter().flatten().flatten();
    let flags: Vec<_> = folders
        .filter_map(|folder| folder.path().to_str().map(str::to_owned))
        // TOML's literal strings have no quotes in them; a home that has one stays visible.
        .filter(|path| !path.contains('\''))
        .map(|path| format!("'--remap-path-prefix={path}=crates'"))
        .collect();
    format!("target.{WASM}.rustflags=[{}]", flags.join(","))
}

/// A cargo that builds for wasm, installed if need be.
pub(crate) fn wasm() -> Result<WasmCargo, Error> {
    if has_wasm(&mut Command::new("rustc")) {
        return Ok(WasmCargo::Current);
    }
    if linked() {
        return Ok(WasmCargo::Linked);
    }
    let add = process::step("rustup target add wasm32-unknown-unknown", || {
        let mut rustup = Command::new("rustup");
        rustup.args(["target", "add", WASM]);
        // Its own patience, three minutes and three retries, is made for people.
        rustup
            .env("RUSTUP_DOWNLOAD_TIMEOUT", "15")
            .env("RUSTUP_MAX_RETRIES", "1");
        run_for(&mut rustup, RUSTUP_TIME)
    });
    if add.is_ok() && has_wasm(&mut Command::new("rustc")) {
        return Ok(WasmCargo::Current);
    }
    from_debian()
}

fn from_debian() -> Result<WasmCargo, Error> {
    if linked() {
        return Ok(WasmCargo::Linked);
    }
    debian::install()?;
    if linked() {
        return Ok(WasmCargo::Linked);
    }
    Err(Error::Because(format!(
        "the toolchain {TOOLCHAIN} was made but has no {WASM}"
    )))
}

fn linked() -> bool {
    has_wasm(Command::new("rustc").arg(format!("+{TOOLCHAIN}")))
}

/// True if a rustc has the standard library of wasm.
fn has_wasm(rustc: &mut Command) -> bool {
    rustc
        .args(["--print", "target-libdir", "--target", WASM])
        .current_dir(process::root());
    let Ok(output) = process::capture(rustc) else {
        return false;
    };
    let folder = String::from_utf8_lossy(&output.stdout);
    output.status.success() && has_std(Path::new(folder.trim()))
}

fn has_std(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    names.into_iter().any(|name| {
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

/// Sees to it that clippy and rustfmt are there, which a minimal toolchain lacks.
pub(crate) fn components() -> Result<(), Error> {
    for (chore, component) in [("clippy", "clippy"), ("fmt", "rustfmt")] {
        let version = process::capture(&mut process::cargo([chore, "--version"]))?;
        if !version.status.success() {
            process::step(&format!("rustup component add {component}"), || {
                process::run(Command::new("rustup").args(["component", "add", component]))
            })?;
        }
    }
    Ok(())
}

/// Runs a command and ends it after a time.
pub(crate) fn run_for(command: &mut Command, time: Duration) -> Result<(), Error> {
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .map_err(|source| process::not_started(command, source))?;
    loop {
        match child
            .try_wait()
            .map_err(|source| process::not_started(command, source))?
        {
            Some(status) if status.success() => return Ok(()),
            Some(status) => {
                return Err(Error::Failed {
                    command: process::typed(command),
                    status,
                });
            }
            None if start.elapsed() < time => thread::sleep(Duration::from_millis(50)),
            None => {
                // It may just have ended by itself, which is as good.
                let _ = child.kill();
                let _ = child.wait();
                let (what, seconds) = (process::typed(command), time.as_secs());
                return Err(Error::Because(format!(
                    "`{what}` took more than {seconds} s"
                )));
            }
        }
    }
}

/// The folder for what is made once and kept: `$XDG_CACHE_HOME/hustings` or `~/.cache/hustings`.
fn cache() -> Result<std::path::PathBuf, Error> {
    let xdg = env::var_os("XDG_CACHE_HOME").map(std::path::PathBuf::from);
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = xdg.filter(|path| path.is_absolute()).or(home);
    cache.map(|cache| cache.join("hustings")).ok_or_else(|| {
        Error::Because("neither XDG_CACHE_HOME nor HOME says where a cache can be".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_hangs_is_ended() {
        let ended = run_for(Command::new("sleep").arg("600"), Duration::from_millis(1));
        assert_eq!(
            ended.unwrap_err().to_string(),
            "`sleep 600` took more than 0 s"
        );
    }

    #[test]
    fn a_rustc_that_is_not_there_has_no_wasm() {
        assert!(!has_wasm(&mut Command::new("no-such-rustc")));
    }
}
