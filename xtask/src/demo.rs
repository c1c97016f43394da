//! `cargo xtask demo`: the workspace in action.
//!
//! In a browser it is the web app, served by one process that also introduces people to each other.
//! If there is a private network, the process can be reached from it, so that a phone can take
//! part: it has pages and introductions, and never a vote.

use std::ffi::OsString;
use std::io::{IsTerminal, stdout};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::process::{Command, ExitCode, Stdio};

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::broker;
use crate::error::Error;
use crate::process;
use crate::site::{self, Settings};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show the library without a browser: an owner and many voters in one process
    #[arg(long)]
    native: bool,
    /// Meet at this signalling server instead of the demo's own, such as `https://0.peerjs.com/`
    #[arg(long, value_name = "URL", conflicts_with = "native")]
    peerserver: Option<String>,
    /// The port to listen at, instead of any free one
    #[arg(long, conflicts_with = "native")]
    port: Option<u16>,
    /// Let nobody in from the local network
    #[arg(long, conflicts_with = "native")]
    loopback: bool,
    /// With --native: `--voters N`, `--votes M`, `--seed S`, `--poll FILE`, `--dir DIR` and the
    /// like. `-- --help` shows that demo's own help
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    args: Vec<OsString>,
}

/// Runs the demo; its exit code is the exit code.
pub(crate) fn run(args: &Args) -> ExitCode {
    // Wherever it stands, it says which demo is meant.
    let is_native = args.native || args.args.iter().any(|arg| arg == "--native");
    let ended = match (is_native, args.args.first()) {
        (true, _) => native(&args.args),
        (false, None) => web(args),
        (false, Some(unknown)) => Err(Error::Because(format!(
            "{} is for the demo without a browser: cargo xtask demo --native {0}",
            unknown.to_string_lossy()
        ))),
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The web app, and all that it needs.
fn web(args: &Args) -> Result<ExitCode, Error> {
    let lan = if args.loopback { None } else { lan_address() };
    let host = IpAddr::V4(lan.map_or(Ipv4Addr::LOCALHOST, |_| Ipv4Addr::UNSPECIFIED));
    // The pages say where they are reached, so the port comes first.
    let port = match args.port {
        Some(port) => port,
        None => free_port(host)?,
    };
    let link = |ip: Ipv4Addr| format!("http://{ip}:{port}/");
    let pages = site::build(&Settings {
        peerserver: args.peerserver.clone(),
        share: lan.map(link),
    })?;
    let program = process::step("build the signalling server", broker::build)?;
    println!();
    println!("  The polls are at  {}", link(Ipv4Addr::LOCALHOST));
    if let Some(lan) = lan {
        println!("  On this network   {}", link(lan));
        println!();
        print!("{}", code(&link(lan), stdout().is_terminal()));
    }
    println!();
    println!("  Ctrl-C ends it.");
    let mut server = Command::new(program);
    server
        .args(["--host", &host.to_string(), "--port", &port.to_string()])
        .arg("--pages")
        .arg(pages)
        // Where it listens was said.
        .stdout(Stdio::null());
    become_(server)
}

/// The address of this machine in a private network, if it is in one.
fn lan_address() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // Nothing is sent: this asks for the address from which the machine would send. The other
    // address is reserved for documentation.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(ip) if ip.is_private() => Some(ip),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

fn free_port(host: IpAddr) -> Result<u16, Error> {
    let listener = TcpListener::bind((host, 0)).and_then(|listener| listener.local_addr());
    match listener {
        Ok(address) => Ok(address.port()),
        Err(error) => Err(Error::Because(format!("no free port was found: {error}"))),
    }
}

/// A link as a code to scan: black on white, whatever the colours of the terminal are.
fn code(link: &str, has_colours: bool) -> String {
    // Only a text of thousands of letters has no code.
    let Ok(code) = QrCode::new(link) else {
        return String::new();
    };
    let picture = code.render::<Dense1x2>().build();
    let (on, off) = if has_colours {
        ("\x1b[30;107m", "\x1b[0m")
    } else {
        ("", "")
    };
    let lines = picture.lines().map(|line| format!("  {on}{line}{off}\n"));
    lines.collect()
}

/// The library without a browser.
fn native(args: &[OsString]) -> Result<ExitCode, Error> {
    let build = ["build", "--release", "--package", "hustings-native-demo"];
    process::step("build the demo", || {
        process::run(&mut process::cargo(build))
    })?;
    let mut demo = process::cargo([
        "run",
        "--quiet",
        "--release",
        "--package",
        "hustings-native-demo",
        "--",
    ]);
    // The paths among the arguments are seen from where the caller is.
    demo.current_dir(".");
    demo.args(args.iter().filter(|arg| *arg != "--native"));
    become_(demo)
}

/// Continues as this command, without a process in between: it alone gets Ctrl-C, and ends as it
/// likes.
fn become_(mut command: Command) -> Result<ExitCode, Error> {
    #[cfg(unix)]
    {
        let refused = std::os::unix::process::CommandExt::exec(&mut command);
        Err(process::not_started(&command, refused))
    }
    #[cfg(not(unix))]
    {
        let status = command
            .status()
            .map_err(|source| process::not_started(&command, source))?;
        let code = status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1);
        Ok(ExitCode::from(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_as_wide_as_it_is_high_and_has_a_margin() {
        let code = code("http://192.168.1.7:41234/", false);
        let lines: Vec<_> = code.lines().map(|line| &line[2..]).collect();
        let width = lines[0].chars().count();
        assert_eq!(lines.len(), width.div_ceil(2));
        assert!(lines[0].chars().all(|module| module == ' '));
        assert!(lines.iter().all(|line| line.chars().count() == width));
    }
}
