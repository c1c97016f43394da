//! Polls from a terminal: `hustings host` is an owner that is always there, and the other commands
//! take part.
//!
//! It is thin over the crates: each command joins a machine of `hustings-room`, the native
//! transport of `hustings-transport-peerjs` and a store of `hustings-outbox`, and shows what comes
//! of it.
//!
//! - [`cli`]: the commands and their flags
//! - [`failure`]: the reasons why a command fails, and its exit code
//! - [`folder`]: the data folder: one identity, one store, one process at a time
//! - [`network`]: the signalling server, and a transport at an address
//! - [`link`]: the link that somebody has typed or was sent
//! - [`visit`]: somebody in a poll of somebody else's, for `join`, `vote` and `results`
//! - [`host`]: an owner that runs for months
//! - [`view`] and [`table`]: a poll as a value for programs, and for people
//! - [`kept`]: an identity and its polls in a file, and what a folder has
//! - [`logging`] and [`say`]: what is said, and where

mod cli;
mod failure;
mod folder;
mod host;
mod join;
mod kept;
mod link;
mod logging;
mod network;
mod results;
mod say;
mod table;
mod time;
mod view;
mod visit;
mod vote;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let Cli { command, log } = Cli::parse();
    let asks_for_json = command.asks_for_json();
    match run(command, &log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell(asks_for_json);
            ExitCode::from(failure.code())
        }
    }
}

fn run(command: Command, log: &cli::Log) -> Result<(), Failure> {
    let log = logging::begin(log, matches!(command, Command::Host(_)))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    runtime.block_on(async {
        match command {
            Command::Host(args) => host::run(*args, log).await,
            Command::Join(args) => join::run(args).await,
            Command::Vote(args) => vote::run(args).await,
            Command::Results(args) => results::run(args).await,
            Command::Polls(args) => kept::polls(args).await,
            Command::Export(args) => kept::export(args).await,
            Command::Import(args) => kept::import(args).await,
        }
    })
}
