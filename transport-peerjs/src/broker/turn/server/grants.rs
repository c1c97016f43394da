//! The requests of clients, once they have shown who they are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use turn_types::AddressFamily;
use turn_types::attribute::{
    ChannelNumber, EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport, XorPeerAddress,
    XorRelayedAddress,
};
use turn_types::stun::attribute::{AttributeType, ErrorCode, XorMappedAddress};
use turn_types::stun::message::Message;
use turn_types::stun::prelude::{Attribute, AttributeFromRaw, AttributeStaticType};

use hustings_protocol::Short;

use super::super::allocation::{Allocation, Client, Denied, Permissions, Task, Way};
use super::super::replies::Reply;
use super::super::table::{NoRoom, Table};
use super::{Refusal, Server, Shown, locked, unknown};

/// The time that an allocation has if its client asks for none, or for less, in seconds.
const LIFETIME: u32 = 10 * 60;
/// The longest time that it gets at once.
const MAX_LIFETIME: u32 = 60 * 60;
/// The channels' numbers, by RFC 8656, and those of RFC 5766, which clients still use.
const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x7fff;

impl Server {
    pub(super) fn allocate(
        self: &Arc<Self>,
        shown: &Shown<'_>,
        client: &Client,
        way: &Way,
        now: Instant,
    ) -> Result<Vec<u8>, Refusal> {
        let message = shown.message;
        let known = [
            RequestedTransport::TYPE,
            RequestedAddressFamily::TYPE,
            Lifetime::TYPE,
            EvenPort::TYPE,
        ];
        check_attributes(shown, &known)?;
        let mut table = locked(&self.table);
        if let Some(allocation) = table.get(client, now) {
            // A request that came twice has one answer.
            if allocation.request == message.transaction_id()
                && allocation.username == shown.username
            {
                return Ok(granted(shown, allocation, client, now));
            }
            return Err(("mismatch", shown.refuse(ErrorCode::ALLOCATION_MISMATCH)));
        }
        table.remove(client);
        let Ok(transport) = message.attribute::<RequestedTransport>() else {
            return Err(("malformed", shown.refuse(ErrorCode::BAD_REQUEST)));
        };
        if transport.protocol() != RequestedTransport::UDP {
            let code = ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL;
            return Err(("unsupported", shown.refuse(code)));
        }
        let is_v4 = match message.attribute::<RequestedAddressFamily>() {
            Ok(requested) => requested.family() == AddressFamily::IPV4,
            Err(_) => true,
        };
        let Some(outside) = self.ports.outside(is_v4) else {
            let code = ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED;
            return Err(("unsupported", shown.refuse(code)));
        };
        let even_port = message.attribute::<EvenPort>();
        // Ports in pairs are for media, of which there is none.
        if even_port.as_ref().is_ok_and(|even| even.requested()) {
            return Err((
                "unsupported",
                shown.refuse(ErrorCode::INSUFFICIENT_CAPACITY),
            ));
        }
        let peer = &shown.claim.peer;
        let (held, bounds) = table.make_room(client, peer, now).map_err(|no| match no {
            NoRoom::Quota => ("quota", shown.refuse(ErrorCode::ALLOCATION_QUOTA_REACHED)),
            NoRoom::Full => ("full", shown.refuse(ErrorCode::INSUFFICIENT_CAPACITY)),
        })?;
        let (socket, relayed) = match self.ports.open(outside, even_port.is_ok()) {
            Ok((socket, relayed)) => (Arc::new(socket), relayed),
            Err(error) => {
                table.give_up(peer);
                tracing::warn!(%error, "no socket to relay from");
                return Err(("full", shown.refuse(ErrorCode::INSUFFICIENT_CAPACITY)));
            }
        };
        let listening = Arc::clone(self).listen(*client, Arc::clone(&socket));
        let allocation = Allocation {
            username: shown.username.clone(),
            peer: peer.clone(),
            way: way.clone(),
            socket,
            relayed,
            request: message.transaction_id(),
            until: now + lifetime(message),
            bounds,
            permissions: Permissions::default(),
            _task: Task(self.spawn(listening)),
            _held: held,
        };
        let answer = granted(shown, &allocation, client, now);
        table.insert(*client, allocation);
        tracing::debug!(peer = %Short::of(peer), "relays");
        self.counts.made();
        Ok(answer)
    }

    pub(super) fn refresh(
        &self,
        shown: &Shown<'_>,
        client: &Client,
        now: Instant,
    ) -> Result<Vec<u8>, Refusal> {
        check_attributes(shown, &[Lifetime::TYPE, RequestedAddressFamily::TYPE])?;
        let mut table = locked(&self.table);
        let allocation = own(&mut table, shown, client, now)?;
        if let Ok(requested) = shown.message.attribute::<RequestedAddressFamily>()
            && (requested.family() == AddressFamily::IPV4) != allocation.relayed.is_ipv4()
        {
            let code = ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH;
            return Err(("mismatch", shown.refuse(code)));
        }
        let asked = shown.message.attribute::<Lifetime>();
        let lifetime = if asked.is_ok_and(|asked| asked.seconds() == 0) {
            table.remove(client);
            Duration::ZERO
        } else {
            let lifetime = lifetime(shown.message);
            allocation.until = now + lifetime;
            lifetime
        };
        let answer = Reply::success(shown.message).with(&seconds(lifetime));
        Ok(answer.signed(&shown.claim.key))
    }

    pub(super) fn permit(
        &self,
        shown: &Shown<'_>,
        client: &Client,
        now: Instant,
    ) -> Result<Vec<u8>, Refusal> {
        let message = shown.message;
        check_attributes(shown, &[XorPeerAddress::TYPE])?;
        let mut table = locked(&self.table);
        let allocation = own(&mut table, shown, client, now)?;
        let mut addresses = Vec::new();
        for (_, attribute) in message.iter_attributes() {
            if attribute.get_type() != XorPeerAddress::TYPE {
                continue;
            }
            let Ok(address) = XorPeerAddress::from_raw(attribute) else {
                return Err(("malformed", shown.refuse(ErrorCode::BAD_REQUEST)));
            };
            let address = address.addr(message.transaction_id());
            self.check_address(shown, address, allocation)?;
            addresses.push(address.ip());
        }
        if addresses.is_empty() {
            return Err(("malformed", shown.refuse(ErrorCode::BAD_REQUEST)));
        }
        let Allocation {
            permissions,
            bounds,
            ..
        } = allocation;
        let granted = permissions.permit(&addresses, bounds, now);
        granted.map_err(|denied| refuse(shown, denied))?;
        Ok(Reply::success(message).signed(&shown.claim.key))
    }

    pub(super) fn bind(
        &self,
        shown: &Shown<'_>,
        client: &Client,
        now: Instant,
    ) -> Result<Vec<u8>, Refusal> {
        let message = shown.message;
        check_attributes(shown, &[XorPeerAddress::TYPE, ChannelNumber::TYPE])?;
        let mut table = locked(&self.table);
        let allocation = own(&mut table, shown, client, now)?;
        let number = message.attribute::<ChannelNumber>();
        let number = number.map(|number| number.channel());
        let number = number.ok().filter(|number| CHANNELS.contains(number));
        let (Some(number), Ok(address)) = (number, message.attribute::<XorPeerAddress>()) else {
            return Err(("malformed", shown.refuse(ErrorCode::BAD_REQUEST)));
        };
        let address = address.addr(message.transaction_id());
        self.check_address(shown, address, allocation)?;
        let Allocation {
            permissions,
            bounds,
            ..
        } = allocation;
        let granted = permissions.bind(number, address, bounds, now);
        granted.map_err(|denied| refuse(shown, denied))?;
        Ok(Reply::success(message).signed(&shown.claim.key))
    }

    /// Sees that datagrams may be exchanged with an address. Those that are relayed from are among
    /// them: other clients are there, and nothing else is reached at them.
    fn check_address(
        &self,
        shown: &Shown<'_>,
        address: SocketAddr,
        allocation: &Allocation,
    ) -> Result<(), Refusal> {
        if address.is_ipv4() != allocation.relayed.is_ipv4() {
            let code = ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH;
            return Err(("mismatch", shown.refuse(code)));
        }
        let is_relayed = self.ports.told().any(|told| told == address.ip());
        if !is_relayed && !self.networks.may_reach(address.ip()) {
            return Err(("network", shown.refuse(ErrorCode::FORBIDDEN)));
        }
        Ok(())
    }
}

/// The client's own allocation.
fn own<'a>(
    table: &'a mut Table,
    shown: &Shown<'_>,
    client: &Client,
    now: Instant,
) -> Result<&'a mut Allocation, Refusal> {
    let Some(allocation) = table.get(client, now) else {
        return Err(("mismatch", shown.refuse(ErrorCode::ALLOCATION_MISMATCH)));
    };
    if allocation.username != shown.username {
        return Err(("mismatch", shown.refuse(ErrorCode::WRONG_CREDENTIALS)));
    }
    Ok(allocation)
}

fn refuse(shown: &Shown<'_>, denied: Denied) -> Refusal {
    match denied {
        Denied::Full => ("full", shown.refuse(ErrorCode::INSUFFICIENT_CAPACITY)),
        Denied::Taken => ("mismatch", shown.refuse(ErrorCode::BAD_REQUEST)),
    }
}

fn check_attributes(shown: &Shown<'_>, known: &[AttributeType]) -> Result<(), Refusal> {
    let unknown = unknown(shown.message, known);
    if unknown.is_empty() {
        return Ok(());
    }
    let answer = Reply::unknown(shown.message, &unknown);
    Err(("unsupported", answer.signed(&shown.claim.key)))
}

/// The time that a request asks for, within bounds.
fn lifetime(message: &Message<'_>) -> Duration {
    let asked = message.attribute::<Lifetime>();
    let asked = asked.map_or(LIFETIME, |asked| asked.seconds());
    Duration::from_secs(asked.clamp(LIFETIME, MAX_LIFETIME).into())
}

fn seconds(lifetime: Duration) -> Lifetime {
    Lifetime::new(u32::try_from(lifetime.as_secs()).expect("it is an hour at most"))
}

/// The answer to a request for an allocation.
fn granted(shown: &Shown<'_>, allocation: &Allocation, client: &Client, now: Instant) -> Vec<u8> {
    let id = shown.message.transaction_id();
    Reply::success(shown.message)
        .with(&XorRelayedAddress::new(allocation.relayed, id))
        .with(&seconds(allocation.until.saturating_duration_since(now)))
        .with(&XorMappedAddress::new(client.remote(), id))
        .signed(&shown.claim.key)
}
