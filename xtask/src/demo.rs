//! `cargo xtask demo`: the workspace in action.
//!
//! In a browser it is the web app, served by one process that also introduces people to each other.
//! If there is a private network, the process can be reached from it, so that a phone can take
//! part: it has pages and introductions, and never a vote. With `--headless` the owner is a program
//! beside it, and whoever opens the page is a voter.

use std::env;
use std::ffi::OsString;
use std::io::{IsTerminal, stdout};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::error::Error;
use crate::site::{self, Settings};
use crate::{broker, command, process};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show the library without a browser: an owner and many voters in one process
    #[arg(long)]
    native: bool,
    /// Have a program own the poll instead of a page: `hustings host`. What stands behind `--` are
    /// flags of it, such as `--title "Tea?" --option Yes --option No`
    #[arg(long, conflicts_with_all = ["native", "peerserver"])]
    headless: bool,
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
        (false, _) if args.headless => headless(args),
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

/// The web app, and where it is served.
struct Place {
    pages: PathBuf,
    host: IpAddr,
    port: u16,
    lan: Option<Ipv4Addr>,
}

impl Place {
    /// Builds the app for a place that is free.
    fn make(args: &Args) -> Result<Self, Error> {
        let lan = if args.loopback { None } else { lan_address() };
        let host = IpAddr::V4(lan.map_or(Ipv4Addr::LOCALHOST, |_| Ipv4Addr::UNSPECIFIED));
        // The pages say where they are reached, so the port comes first.
        let port = match args.port {
            Some(port) => port,
            None => free_port(host)?,
        };
        let pages = site::build(&Settings {
            peerserver: args.peerserver.clone(),
            share: lan.map(|lan| link(lan, port)),
        })?;
        Ok(Self {
            pages,
            host,
            port,
            lan,
        })
    }

    /// The address for people: the local network's, if it may come in.
    fn shared(&self) -> String {
        link(self.lan.unwrap_or(Ipv4Addr::LOCALHOST), self.port)
    }
}

fn link(ip: Ipv4Addr, port: u16) -> String {
    format!("http://{ip}:{port}/")
}

/// The web app, and all that it needs.
fn web(args: &Args) -> Result<ExitCode, Error> {
    let place = Place::make(args)?;
    let program = process::step("build the signalling server", broker::build)?;
    println!();
    println!(
        "  The polls are at  {}",
        link(Ipv4Addr::LOCALHOST, place.port)
    );
    if place.lan.is_some() {
        let shared = place.shared();
        println!("  On this network   {shared}");
        println!();
        print!("{}", code(&shared, stdout().is_terminal()));
    }
    println!();
    println!("  Ctrl-C ends it.");
    let mut server = Command::new(program);
    server
        .args(["--host", &place.host.to_string()])
        .args(["--port", &place.port.to_string()])
        .arg("--pages")
        .arg(place.pages)
        // Where it listens was said.
        .stdout(Stdio::null());
    become_(server)
}

/// The poll of `--headless`, unless another one is asked for. Its folder is kept: started again, it
/// goes on.
const HEADLESS: [&str; 8] = [
    "--title",
    "Where do we go for lunch?",
    "--option",
    "Pizza",
    "--option",
    "Ramen",
    "--option",
    "Salad bar",
];

/// The web app with its signalling server, and an owner that is a program, as they are deployed
/// together.
fn headless(args: &Args) -> Result<ExitCode, Error> {
    let place = Place::make(args)?;
    let broker = process::step("build the signalling server", broker::build)?;
    let host = process::step("build the owner", command::build)?;
    let folders = [&broker, &host].map(|program| program.parent().unwrap_or(program).to_owned());
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(folders.into_iter().chain(env::split_paths(&path)));
    let path = path.map_err(|error| Error::Because(error.to_string()))?;
    let mut both = Command::new("bash");
    both.arg(process::root().join("examples/hustings/deploy/both.sh"))
        .env("PATH", path)
        .env("HUSTINGS_BROKER_HOST", place.host.to_string())
        .env("HUSTINGS_BROKER_PORT", place.port.to_string())
        .env("HUSTINGS_BROKER_PAGES", &place.pages)
        .env("HUSTINGS_SERVER", link(Ipv4Addr::LOCALHOST, place.port))
        .env("HUSTINGS_APP", place.shared())
        .env("HUSTINGS_DATA", process::scratch()?.join("headless"))
        // Nobody is looked for outside.
        .env("HUSTINGS_ICE_SERVERS", "[]")
        // The code is what there is to see.
        .env("HUSTINGS_LOG", "warn")
        .arg("--qr");
    if args.args.is_empty() {
        both.args(HEADLESS);
    }
    both.args(&args.args);
    println!();
    become_(both)
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
