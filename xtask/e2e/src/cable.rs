//! The network of somebody who has a terminal, which can be taken away.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::group::Group;

/// The secret of the server that relays.
const SECRET: &str = "a cable's";

/// A name that this server takes until the year 2100, and the password that goes with it: a hash of
/// the name with the secret, as for coturn's `use-auth-secret`.
const NAME: &str = "4102444800:cable";
const PASSWORD: &str = "268R9vgz4xdmuUW7ebDToY3FP4s=";

/// The largest datagram that there is.
const DATAGRAM: usize = 1 << 16;

/// A cable to the signalling server and to a server that relays. Whoever hangs on it tells others
/// to reach them by that one alone, so that there is no other way to them or from them.
///
/// While it is cut nobody is told so, as with real ones: datagrams get lost, and what goes by TCP
/// waits.
#[derive(Debug)]
pub struct Cable {
    is_cut: watch::Sender<bool>,
    signalling: SocketAddr,
    turn: SocketAddr,
    /// The server that relays.
    _relay: Group,
    _carrying: JoinSet<()>,
}

impl Cable {
    /// Lays one to the signalling server at this port of this machine. The server that relays is at
    /// the machine's own address, and lets people reach that.
    pub(crate) async fn lay(
        broker: &Path,
        relay: Ipv4Addr,
        signalling: u16,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(broker);
        command
            .args(["--host", "127.0.0.1", "--port", "0"])
            .args(["--turn", &format!("{relay}:0")])
            .args(["--turn-secret", SECRET])
            .args(["--turn-allow", &format!("{relay}/32")]);
        let turn = |line: &str| line.strip_prefix("TURN at ")?.parse::<SocketAddr>().ok();
        let started = Group::start(command, turn).await;
        let (group, far) = started.context("the server that relays")?;
        let is_cut = watch::Sender::new(false);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (near, turn) = (listener.local_addr()?, socket.local_addr()?);
        let signalling = (Ipv4Addr::LOCALHOST, signalling).into();
        let mut carrying = JoinSet::new();
        carrying.spawn(carry_streams(listener, signalling, is_cut.subscribe()));
        carrying.spawn(carry_datagrams(socket, far, is_cut.subscribe()));
        Ok(Self {
            is_cut,
            signalling: near,
            turn,
            _relay: group,
            _carrying: carrying,
        })
    }

    /// Cuts it.
    pub fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Mends it.
    pub fn mend(&self) {
        self.is_cut.send_replace(false);
    }

    /// The signalling server, for whoever hangs on it.
    pub(crate) fn server(&self) -> String {
        format!("http://{}/", self.signalling)
    }

    /// The other settings of a command that hangs on it.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let turn = format!("turn:{}?transport=udp", self.turn);
        let servers = json!([{ "urls": turn, "username": NAME, "credential": PASSWORD }]);
        vec![
            ("HUSTINGS_ICE_SERVERS", servers.to_string()),
            ("HUSTINGS_RELAY_ONLY", "true".into()),
        ]
    }
}

/// Carries what comes by TCP.
async fn carry_streams(listener: TcpListener, to: SocketAddr, is_cut: watch::Receiver<bool>) {
    let mut carrying = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let is_cut = is_cut.clone();
        carrying.spawn(async move {
            // Whoever is not there closes the other side, too.
            if let Ok(far) = TcpStream::connect(to).await {
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                tokio::select! {
                    _ = carry(near_in, far_out, is_cut.clone()) => {}
                    _ = carry(far_in, near_out, is_cut) => {}
                }
            }
        });
    }
}

/// Carries one direction of a stream, until its end.
async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut is_cut: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut bytes = [0; 4096];
    loop {
        let length = from.read(&mut bytes).await?;
        is_cut.wait_for(|is_cut| !is_cut).await?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&bytes[..length]).await?;
    }
}

/// Carries datagrams: each that comes from somebody else here goes on from another port.
async fn carry_datagrams(near: UdpSocket, to: SocketAddr, is_cut: watch::Receiver<bool>) {
    let near = Arc::new(near);
    let mut ways: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut answers = JoinSet::new();
    let mut bytes = vec![0; DATAGRAM];
    // A port that nobody listens at any more is an error of the socket's, and none here.
    loop {
        let Ok((length, from)) = near.recv_from(&mut bytes).await else {
            continue;
        };
        let way = match ways.get(&from) {
            Some(way) => Arc::clone(way),
            None => {
                let Ok(way) = way_to(to).await else { continue };
                let answer = answer(Arc::clone(&way), Arc::clone(&near), from, is_cut.clone());
                answers.spawn(answer);
                ways.insert(from, Arc::clone(&way));
                way
            }
        };
        if !*is_cut.borrow() {
            // One that is lost is lost.
            let _ = way.send(&bytes[..length]).await;
        }
    }
}

async fn way_to(far: SocketAddr) -> std::io::Result<Arc<UdpSocket>> {
    let way = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    way.connect(far).await?;
    Ok(Arc::new(way))
}

/// Carries what comes back.
async fn answer(
    way: Arc<UdpSocket>,
    near: Arc<UdpSocket>,
    to: SocketAddr,
    is_cut: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; DATAGRAM];
    loop {
        let Ok(length) = way.recv(&mut bytes).await else {
            continue;
        };
        if !*is_cut.borrow() {
            let _ = near.send_to(&bytes[..length], to).await;
        }
    }
}
