//! A signalling server to run: `hustings-broker --port 9000`.

mod args;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use hustings_transport_peerjs::broker::Broker;

use self::args::Args;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(level) = args.log {
        // The standard output is for the address that is listened at.
        tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(std::io::stderr)
            .init();
    }
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let stop = stop()?;
    let address = args.address();
    let config = args.into_config();
    raise_descriptors(config.descriptors());
    let broker = Broker::bind(address, config).await?;
    say_hello(&broker);
    broker.serve(stop).await;
    Ok(())
}

/// The first line is for programs, which may then read no more.
fn say_hello(broker: &Broker) {
    let limits = broker.limits();
    let (sockets, others) = (limits.max_sockets, limits.max_connections);
    let at_most = sockets.saturating_add(others);
    println!("listening at {}", broker.local_addr());
    let _ = writeln!(
        std::io::stdout(),
        "at most {at_most} connections: {sockets} sockets and {others} others"
    );
    for address in broker.turn_addrs() {
        let _ = writeln!(std::io::stdout(), "TURN at {address}");
    }
}

/// Asks the system for as many file descriptors as there may be connections.
fn raise_descriptors(wanted: u64) {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        if limit.current.is_some_and(|current| current < wanted) {
            limit.current = Some(limit.maximum.map_or(wanted, |max| max.min(wanted)));
            // Without them it has fewer connections, and says so.
            let _ = setrlimit(Resource::Nofile, limit);
        }
    }
    #[cfg(not(unix))]
    let _ = wanted;
}

/// Listens for Ctrl-C and for being told to end, from now on. Before this either ends the process
/// at once, so it is called before anybody is told where to connect.
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = terminated.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
