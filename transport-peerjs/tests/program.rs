//! The program `hustings-broker`: what it is told, what it says, and how it ends.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]

mod flooding;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use flooding::{Client, HONEST, PATIENCE, connect};
use hustings_transport_peerjs::broker::{BrokerConfig, BrokerLimits};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hustings-broker");

/// A running program, killed with the test.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    at: SocketAddr,
}

async fn run(args: &[&str], environment: &[(&str, &str)]) -> Running {
    let mut child = Command::new(PROGRAM)
        .args(["--host", "127.0.0.1", "--port", "0"])
        .args(args)
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = timeout(PATIENCE, lines.next_line()).await.unwrap();
    let first = first.unwrap().unwrap();
    let at = first.strip_prefix("listening at ").unwrap();
    let at = at.parse().unwrap();
    Running { child, lines, at }
}

/// Its words about connections.
async fn at_most(args: &[&str], environment: &[(&str, &str)]) -> String {
    let mut running = run(args, environment).await;
    running.lines.next_line().await.unwrap().unwrap()
}

async fn help() -> String {
    let output = Command::new(PROGRAM).arg("--help").output().await.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The names of all flags, but for those that every program has.
fn flags(text: &str) -> BTreeSet<&str> {
    let names = text.split("--").skip(1).filter_map(|rest| {
        let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
        let name = rest.split(|c| !is_name(c)).next()?;
        let is_flag = name.starts_with(|c: char| c.is_ascii_lowercase());
        (is_flag && !["help", "version"].contains(&name)).then_some(name)
    });
    names.collect()
}

#[tokio::test]
async fn every_limit_is_a_flag_and_a_variable() {
    let help = help().await;
    let flags = flags(&help);
    for name in &flags {
        let variable = name.replace('-', "_").to_uppercase();
        let shown = format!("[env: HUSTINGS_BROKER_{variable}");
        // What a secret is set to is not shown.
        let is_shown = ["=", "]"]
            .iter()
            .any(|end| help.contains(&format!("{shown}{end}")));
        assert!(is_shown, "--{name} has no variable:\n{help}");
    }
    let limits = format!("{:?}", BrokerLimits::default());
    let inside = limits.split(['{', '}']).nth(1).unwrap();
    for field in inside.split(',') {
        let name = field.split(':').next().unwrap().trim().replace('_', "-");
        assert!(flags.contains(&*name), "{name} is no flag:\n{help}");
    }
}

/// A file of the crate.
fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn documents_name_flags_that_exist_and_all_of_them() {
    let help = help().await;
    let known = flags(&help);
    let operations = file("OPERATIONS.md");
    // The flags of other programs: cargo's, and Podman's.
    let others = [
        "features", "from", "ulimit", "rm", "release", "locked", "package", "bin", "network",
    ];
    for name in [
        "OPERATIONS.md",
        "README.md",
        "deploy/Caddyfile",
        "deploy/Containerfile",
        "deploy/hustings-broker.service",
        "deploy/nginx.conf",
    ] {
        let text = file(name);
        for flag in flags(&text) {
            let is_known = known.contains(flag) || others.contains(&flag);
            assert!(is_known, "{name}: there is no --{flag}");
        }
        for variable in text.split("HUSTINGS_BROKER_").skip(1) {
            let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
            let variable = variable.split(|c| !is_name(c)).next().unwrap();
            let flag = variable.replace('_', "-").to_lowercase();
            assert!(
                known.contains(&*flag),
                "{name}: no HUSTINGS_BROKER_{variable}"
            );
        }
    }
    // Each flag is followed by what is said of it.
    for said in help.split(" --").skip(1) {
        let Some(flag) = said.split([' ', '\n']).next() else {
            continue;
        };
        if !known.contains(flag) {
            continue;
        }
        let is_row = |row: &&str| {
            let rest = row
                .strip_prefix("| `--")
                .and_then(|row| row.strip_prefix(flag));
            rest.is_some_and(|rest| rest.starts_with([' ', '`']))
        };
        let row = operations.lines().find(is_row);
        let row = row.unwrap_or_else(|| panic!("OPERATIONS.md has no row for --{flag}"));
        let default = said.split("[default: ").nth(1);
        let default = default.and_then(|default| default.split(']').next());
        let shown = default.map_or_else(|| "|  |".into(), |value| format!("| `{value}` |"));
        assert!(row.contains(&shown), "--{flag}: {row}");
    }
}

#[tokio::test]
async fn turn_is_off_until_it_is_asked_for() {
    let mut without = run(&[], &[]).await;
    let mut with = run(&["--turn", "127.0.0.1:0"], &[]).await;
    for running in [&mut without, &mut with] {
        let second = running.lines.next_line().await.unwrap().unwrap();
        assert!(second.starts_with("at most "), "{second}");
    }
    let third = timeout(PATIENCE, with.lines.next_line()).await.unwrap();
    let third = third.unwrap().unwrap();
    let at: SocketAddr = third.strip_prefix("TURN at ").unwrap().parse().unwrap();
    // It is there by both transports.
    tokio::net::TcpStream::connect(at).await.unwrap();
    assert!(tokio::net::UdpSocket::bind(at).await.is_err());
    let pid = without.child.id().unwrap().to_string();
    let killed = Command::new("kill").arg(&pid).status().await.unwrap();
    assert!(killed.success());
    let more = timeout(PATIENCE, without.lines.next_line()).await.unwrap();
    assert_eq!(more.unwrap(), None, "it has no more to say");
}

#[tokio::test]
async fn a_secret_is_not_shown_to_whoever_asks_for_help() {
    let mut program = Command::new(PROGRAM);
    program
        .arg("--help")
        .env("HUSTINGS_BROKER_TURN_SECRET", "hush");
    let output = program.output().await.unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("HUSTINGS_BROKER_TURN_SECRET") && !help.contains("hush"));
}

#[test]
fn the_unit_gives_as_many_descriptors_as_the_limits_ask_for() {
    let unit = file("deploy/hustings-broker.service");
    let given = unit.split("LimitNOFILE=").nth(1).unwrap();
    let given: u64 = given.lines().next().unwrap().parse().unwrap();
    let mut config = BrokerConfig::default();
    assert_eq!(config.descriptors(), 10_064, "OPERATIONS.md says so, too");
    config.turn.listen.push(([0, 0, 0, 0], 3478).into());
    assert_eq!(config.descriptors(), 16_064, "OPERATIONS.md says so, too");
    assert!(given >= config.descriptors());
}

#[tokio::test]
async fn a_flag_goes_before_a_variable_and_a_variable_before_the_default() {
    let environment = [
        ("HUSTINGS_BROKER_MAX_SOCKETS", "5"),
        ("HUSTINGS_BROKER_MAX_CONNECTIONS", "7"),
    ];
    let said = at_most(&[], &environment).await;
    assert_eq!(said, "at most 12 connections: 5 sockets and 7 others");
    let said = at_most(&["--max-sockets", "6"], &environment).await;
    assert_eq!(said, "at most 13 connections: 6 sockets and 7 others");
}

#[tokio::test]
async fn a_setting_that_cannot_be_is_named() {
    for (args, named) in [
        (
            ["--allow-origin", "polls.example.org"],
            "\"polls.example.org\"",
        ),
        (["--page-header", "no colon"], "no colon"),
        (["--page-header", "b d: x"], "\"b d\""),
        (["--trusted-proxy", "somewhere"], "somewhere"),
        (["--max-sockets", "many"], "many"),
        (["--turn", "somewhere"], "an IP address of this machine"),
        (["--turn-ports", "1000"], "two ports"),
        (["--turn-ports", "9-8"], "no ports to relay from: 9-8"),
        (["--turn-public", "turn.example.org"], "turn.example.org"),
        (
            ["--turn-allow", "10.0.0.0/33"],
            "not a network: \"10.0.0.0/33\"",
        ),
        (["--turn-secret", ""], "the secret of TURN is empty"),
        (["--turn-url", "turn:turn.example.org"], "have a secret"),
        (["--turn-credentials-for", "1"], "at least 60 s"),
    ] {
        let output = Command::new(PROGRAM).args(args).output().await.unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(named), "{args:?}: {said}");
    }
}

#[tokio::test]
async fn told_to_end_it_says_goodbye_and_waits_for_no_stranger() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("index.html"), "polls").unwrap();
    let large = fs::File::create(folder.path().join("large.wasm")).unwrap();
    large.set_len(64 * 1024 * 1024).unwrap();
    let pages = folder.path().to_str().unwrap();
    for signal in ["TERM", "INT"] {
        let mut running = run(&["--pages", pages, "--write-timeout", "600"], &[]).await;
        let mut peer = Client::join(running.at, HONEST, "peer").await;
        // Strangers: one says nothing, one half of it, and one does not read its page.
        let mut strangers = Vec::new();
        for said in [
            "",
            "GET / HT",
            "GET /large.wasm HTTP/1.1\r\nHost: here\r\n\r\n",
        ] {
            let mut stream = connect(running.at, HONEST).await;
            stream.write_all(said.as_bytes()).await.unwrap();
            strangers.push(stream);
        }
        strangers[2].read_exact(&mut [0; 12]).await.unwrap();
        let pid = running.child.id().unwrap().to_string();
        let mut kill = Command::new("kill");
        let killed = kill.args(["-s", signal, &pid]).status().await.unwrap();
        assert!(killed.success());
        assert_eq!(peer.goodbye().await, Some(1001));
        let ended = timeout(Duration::from_secs(60), running.child.wait()).await;
        assert!(ended.expect("it ends").unwrap().success(), "{signal}");
        drop(strangers);
    }
}
