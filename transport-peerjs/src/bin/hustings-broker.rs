//! A signalling server to run: `hustings-broker --port 9000`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use hustings_transport_peerjs::broker::{Broker, BrokerConfig, BrokerError};
use tracing::level_filters::LevelFilter;

/// Introduces peers that speak PeerJS to each other. What they say afterwards never comes by here.
#[derive(Parser)]
#[command(name = "hustings-broker", version)]
struct Args {
    /// The address to listen at; `::` is every interface
    #[arg(long, default_value_t = IpAddr::V6(Ipv6Addr::UNSPECIFIED))]
    host: IpAddr,
    /// The port to listen at; 0 is any free one
    #[arg(long, short, default_value_t = 9000)]
    port: u16,
    /// The path to be mounted at
    #[arg(long, default_value = "/")]
    path: String,
    /// The API key, which is no secret
    #[arg(long, short, default_value = "peerjs")]
    key: String,
    /// Serve the pages of an app at `/`, too: a folder with an index.html
    #[arg(long, value_name = "DIR")]
    pages: Option<PathBuf>,
    /// Let everybody list who is registered
    #[arg(long)]
    allow_discovery: bool,
    /// The seconds of silence after which a peer is dropped; hidden tabs speak once a minute
    #[arg(long, default_value_t = 150)]
    alive_timeout: u64,
    /// The seconds that a message waits for a peer who is not there
    #[arg(long, default_value_t = 5)]
    expire_after: u64,
    /// The seconds that an id is kept for its last holder; 0 frees it as soon as the socket is gone
    #[arg(long, default_value_t = 120)]
    reserve_for: u64,
    /// The seconds that an id is kept for whoever has shown the key that it is
    #[arg(long, default_value_t = 24 * 60 * 60)]
    reserve_proven_for: u64,
    /// A name by which clients reach it, with the port unless that is 80 or 443; may be repeated.
    /// Signatures for other names prove nothing. Without any, each client's own Host header counts
    #[arg(long, value_name = "HOST")]
    public_host: Vec<String>,
    /// The address of a proxy in front of it, whose X-Forwarded-For is believed; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    trusted_proxy: Vec<IpAddr>,
    /// Write events of this level and above to the standard error: error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL")]
    log: Option<LevelFilter>,
}

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

async fn run(args: Args) -> Result<(), BrokerError> {
    let config = BrokerConfig {
        path: args.path,
        key: args.key,
        allow_discovery: args.allow_discovery,
        alive_timeout: Duration::from_secs(args.alive_timeout),
        expire_after: Duration::from_secs(args.expire_after),
        reserve_for: Duration::from_secs(args.reserve_for),
        reserve_proven_for: Duration::from_secs(args.reserve_proven_for),
        public_hosts: args.public_host,
        pages: args.pages,
        trusted_proxies: args.trusted_proxy,
        ..BrokerConfig::default()
    };
    let broker = Broker::bind(SocketAddr::new(args.host, args.port), config).await?;
    println!("listening at {}", broker.local_addr());
    broker.serve(stop()).await
}

/// Done when somebody presses Ctrl-C or the process is told to end.
async fn stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = interrupted.await;
}
