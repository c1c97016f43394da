//! Somebody with an identity, a token and a store, and the settings that all of them share.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::Result;
use hustings_outbox::{Identity, MemoryStore};
use hustings_protocol::{Address, DeviceId, RoomId};
use hustings_room::Config as RoomConfig;
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, Hosting, Room};
use hustings_room::transport::Transport;
use hustings_transport_peerjs::{Config, Listen, PeerJs, Token};

/// Most links of an owner: more than there are people.
const MAX_LINKS: usize = 10_000;

pub(crate) struct Person {
    identity: Identity,
}

impl Person {
    pub(crate) fn new() -> Result<Self> {
        let device = DeviceId::from_bytes(random()?);
        let identity = Identity::from_seed(random()?, device);
        Ok(Self { identity })
    }

    pub(crate) fn owner_address(&self) -> Address {
        Address::Owner(self.identity.peer_id())
    }

    pub(crate) fn participant_address(&self) -> Address {
        Address::Participant(self.identity.peer_id(), self.identity.device())
    }

    /// Hosts over a transport, on a task.
    pub(crate) fn host(
        &self,
        transport: impl Transport + Send + 'static,
    ) -> Result<Hosting<MemoryStore>> {
        let config = RoomConfig {
            max_links: MAX_LINKS,
            ..RoomConfig::default()
        };
        let setup = driver::setup(&self.identity, config)?;
        let (hosting, driver) =
            driver::host(setup, transport, MemoryStore::new(), SystemClock::new());
        tokio::spawn(driver.run());
        Ok(hosting)
    }

    /// Joins over a transport, on a task.
    pub(crate) async fn join(
        &self,
        room: RoomId,
        transport: impl Transport + Send + 'static,
    ) -> Result<Room> {
        let setup = driver::setup(&self.identity, RoomConfig::default())?;
        let (store, clock) = (MemoryStore::new(), SystemClock::new());
        let (room, driver) = driver::join(setup, room, transport, store, clock).await?;
        tokio::spawn(driver.run());
        Ok(room)
    }
}

/// A transport over real WebRTC, by a signalling server on this machine.
pub(crate) fn transport(port: u16, address: &Address) -> Result<PeerJs> {
    let config = Config {
        host: Ipv4Addr::LOCALHOST.to_string(),
        port,
        ice_servers: Vec::new(),
        ..Config::native()
    };
    let listen = Listen {
        port: 0,
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
    };
    let token = Token::from_random(random()?);
    let clock = SystemClock::new();
    Ok(PeerJs::open_at(&listen, &config, address, &token, clock)?)
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    Ok(bytes)
}
