//! Two programs behind a NAT each, in networks that are made for the test: by `ip netns` and `nft`,
//! which want root. Where that cannot be, the tests say so in one sentence and pass.
//!
//! ```text
//!   a 10.1.0.2 -- 10.1.0.1 nat 203.0.113.10 --+
//!                                             +-- bridge, with the broker: 203.0.113.1
//!   b 10.2.0.2 -- 10.2.0.1 nat 203.0.113.20 --+
//! ```

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hustings_protocol::Address;
use hustings_room::LinkId;
use hustings_room::transport::{Transport, TransportEvent};
use hustings_transport_peerjs::broker::{BrokerConfig, TurnConfig};
use hustings_transport_peerjs::{Config, IceServer, Listen};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::rooms::{host_a_poll, join_and_vote};
use crate::side::{Side, Signalling, soon};

/// The way in which a NAT gives ports to what passes it.
#[derive(Clone, Copy)]
enum Nat {
    /// The port that it came from, wherever it goes to: whoever knows it from one can tell others.
    Same,
    /// Another one for each destination.
    Random,
}

/// The networks. Dropping it takes them away.
struct Net {
    prefix: String,
    made: Vec<String>,
}

impl Net {
    /// Makes the networks, or says why that cannot be.
    fn make(nat: Nat) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut net = Self {
            prefix: format!("hustings-{}-{number}", process::id()),
            made: Vec::new(),
        };
        net.build(nat)?;
        Ok(net)
    }

    fn build(&mut self, nat: Nat) -> Result<(), String> {
        for name in ["net", "nat-a", "nat-b", "a", "b"] {
            let name = self.name(name);
            run("ip", &format!("netns add {name}"))?;
            run("ip", &format!("-n {name} link set lo up"))?;
            self.made.push(name);
        }
        let net = self.name("net");
        run("ip", &format!("-n {net} link add hub0 type bridge"))?;
        run("ip", &format!("-n {net} addr add 203.0.113.1/24 dev hub0"))?;
        run("ip", &format!("-n {net} link set hub0 up"))?;
        for (side, number) in [("a", 1), ("b", 2)] {
            let (peer, box_) = (self.name(side), self.name(&format!("nat-{side}")));
            let out = format!("link add to-{side} type veth peer name wan0 netns {box_}");
            run("ip", &format!("-n {net} {out}"))?;
            run("ip", &format!("-n {net} link set to-{side} master hub0 up"))?;
            let public = format!("203.0.113.{number}0/24");
            run("ip", &format!("-n {box_} addr add {public} dev wan0"))?;
            run("ip", &format!("-n {box_} link set wan0 up"))?;
            let inside = format!("link add lan0 type veth peer name eth0 netns {peer}");
            run("ip", &format!("-n {box_} {inside}"))?;
            run(
                "ip",
                &format!("-n {box_} addr add 10.{number}.0.1/24 dev lan0"),
            )?;
            run("ip", &format!("-n {box_} link set lan0 up"))?;
            run(
                "ip",
                &format!("-n {peer} addr add 10.{number}.0.2/24 dev eth0"),
            )?;
            run("ip", &format!("-n {peer} link set eth0 up"))?;
            run(
                "ip",
                &format!("-n {peer} route add default via 10.{number}.0.1"),
            )?;
            let forward = format!("netns exec {box_} tee /proc/sys/net/ipv4/ip_forward");
            run_with("ip", &forward, "1")?;
            let ports = match nat {
                Nat::Same => "",
                Nat::Random => "fully-random",
            };
            // What comes unasked gets lost without a trace, as at a box that people have.
            let rules = format!(
                "table ip nat {{
                    chain post {{
                        type nat hook postrouting priority 100;
                        oifname wan0 masquerade {ports}
                    }}
                    chain in {{
                        type filter hook input priority 0;
                        iifname wan0 ct state new drop
                    }}
                }}"
            );
            run_with("ip", &format!("netns exec {box_} nft -f -"), &rules)?;
        }
        Ok(())
    }

    fn name(&self, part: &str) -> String {
        format!("{}-{part}", self.prefix)
    }

    /// Does something in one of the networks, on a thread of its own.
    fn within<F>(&self, part: &str, run: impl FnOnce() -> F + Send + 'static) -> JoinHandle<()>
    where
        F: Future<Output = ()>,
    {
        let path = format!("/run/netns/{}", self.name(part));
        thread::spawn(move || {
            let network = File::open(path).unwrap();
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(network.as_fd(), kind).unwrap();
            // Its threads are where this one is.
            let runtime = Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build();
            runtime.unwrap().block_on(run());
        })
    }

    /// Somebody's machine has another address, and does not have the one before.
    fn moves(&self, part: &str, from: &str, to: &str) -> impl FnOnce() + Send + use<> {
        let (name, from, to) = (self.name(part), from.to_owned(), to.to_owned());
        move || {
            run("ip", &format!("-n {name} addr del {from}/24 dev eth0")).unwrap();
            run("ip", &format!("-n {name} addr add {to}/24 dev eth0")).unwrap();
            let gateway = to.rsplit_once('.').unwrap().0.to_owned() + ".1";
            run("ip", &format!("-n {name} route add default via {gateway}")).unwrap();
        }
    }

    /// Brokers in the midst of all, for as long as what it returns is kept.
    fn brokers(&self) -> Brokers {
        let (tell, told) = oneshot::channel();
        let (end, ended) = oneshot::channel::<()>();
        let serving = self.within("net", async move || {
            let plain = BrokerConfig::default();
            let plain = Signalling::start_at("203.0.113.1:9000", plain).await;
            let relaying = BrokerConfig {
                turn: TurnConfig {
                    listen: vec![([203, 0, 113, 1], 3478).into()],
                    allow: vec!["203.0.113.0/24".parse().unwrap()],
                    ..TurnConfig::default()
                },
                ..BrokerConfig::default()
            };
            let relaying = Signalling::start_at("203.0.113.1:9001", relaying).await;
            let configs = (plain.config(), relaying.config());
            assert!(tell.send(configs).is_ok());
            let _ = ended.await;
        });
        let (plain, relaying) = told.blocking_recv().unwrap();
        Brokers {
            plain,
            relaying,
            serving: Some((end, serving)),
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.made {
            let _ = run("ip", &format!("netns del {name}"));
        }
    }
}

/// A broker that does nothing but introduce peers, and one that hands them its relay.
struct Brokers {
    plain: Config,
    relaying: Config,
    serving: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Drop for Brokers {
    fn drop(&mut self) {
        if let Some((end, serving)) = self.serving.take() {
            drop(end);
            let _ = serving.join();
        }
    }
}

/// The same, by which one hears how one is seen from outside.
fn with_stun(config: &Config) -> Config {
    let mut config = Config {
        ice_servers: vec![IceServer::new("stun:203.0.113.1:3478")],
        ..config.clone()
    };
    // Long enough for what comes about, and not for what never does.
    config.timing.connect_timeout = Duration::from_secs(8);
    config
}

fn run(program: &str, args: &str) -> Result<(), String> {
    run_with(program, args, "")
}

/// Runs a program with this to read.
fn run_with(program: &str, args: &str, input: &str) -> Result<(), String> {
    let command = format!("`{program} {args}`");
    let failed = |error: io::Error| format!("{command} does not run: {error}");
    let mut child = Command::new(program)
        .args(args.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let stdin = child.stdin.take();
    let mut stdin = stdin.expect("it was piped");
    // A program that has failed does not read.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command} fails: {}", why.trim()))
}

/// Makes the networks, or says that the test is left out.
fn make(nat: Nat) -> Option<Net> {
    match Net::make(nat) {
        Ok(net) => Some(net),
        Err(why) => {
            eprintln!("LEFT OUT, networks cannot be made on this machine: {why}");
            None
        }
    }
}

/// Somebody in `a` is dialled from `b`. Returns whether they meet.
fn meet(net: &Net, config: &Config) -> bool {
    let (tell, told) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let own = config.clone();
    let owner = net.within("a", async move || {
        let mut owner = Side::open(&own, &Listen::default()).await;
        tell.send(owner.address).unwrap();
        let does_meet: bool = ended.await.unwrap();
        if does_meet {
            let link = owner.up().await;
            assert_eq!(owner.frame().await, (link, "hello".into()));
            owner.send(link, "and hello");
            assert_eq!(owner.down().await.0, link);
        }
    });
    let address: Address = told.blocking_recv().unwrap();
    let (tell, told) = oneshot::channel();
    let own = config.clone();
    let other = net.within("b", async move || {
        let mut other = Side::open(&own, &Listen::default()).await;
        let link = LinkId::dialled(1);
        other.transport.dial(link, &address);
        let does_meet = matches!(other.event().await, TransportEvent::LinkUp { .. });
        tell.send(does_meet).unwrap();
        end.send(does_meet).unwrap();
        if does_meet {
            other.send(link, "hello");
            assert_eq!(other.frame().await, (link, "and hello".into()));
            other.transport.hangup(link);
            let gone = other.transport.status().gone();
            drop(other);
            soon("going", gone).await;
        }
    });
    let does_meet = told.blocking_recv().unwrap();
    other.join().unwrap();
    owner.join().unwrap();
    does_meet
}

#[test]
fn two_behind_nats_that_keep_their_ports_meet_by_stun() {
    let Some(net) = make(Nat::Same) else {
        return;
    };
    let brokers = net.brokers();
    let mut alone = with_stun(&brokers.plain);
    alone.ice_servers.clear();
    assert!(!meet(&net, &alone));
    assert!(meet(&net, &with_stun(&brokers.plain)));
}

#[test]
fn two_behind_nats_that_do_not_let_them_meet_vote_by_the_relay() {
    let Some(net) = make(Nat::Random) else {
        return;
    };
    let brokers = net.brokers();
    assert!(!meet(&net, &with_stun(&brokers.plain)));
    assert!(meet(&net, &with_stun(&brokers.relaying)));

    let config = brokers.relaying.clone();
    let (tell, told) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let own = config.clone();
    let owner = net.within("a", async move || host_a_poll(&own, tell, ended).await);
    let poll = told.blocking_recv().unwrap();
    let moves = net.moves("b", "10.2.0.2", "10.2.0.3");
    let voter = net.within("b", async move || {
        join_and_vote(&config, poll, moves).await;
        end.send(()).unwrap();
    });
    voter.join().unwrap();
    owner.join().unwrap();
}
