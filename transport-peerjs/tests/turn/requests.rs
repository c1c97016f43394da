//! Who is answered, and how.

use std::net::SocketAddr;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use tokio::net::UdpSocket;
use turn_client_proto::types::AddressFamily;
use turn_client_proto::types::attribute::{
    ChannelNumber, Data, EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport,
    XorPeerAddress, XorRelayedAddress,
};
use turn_client_proto::types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND};
use turn_client_proto::types::stun::attribute::XorMappedAddress;
use turn_client_proto::types::stun::message::{
    BINDING, Message, MessageWrite, MessageWriteExt, MessageWriteVec, TransactionId,
};

use crate::raw::{Raw, code};
use crate::served::{SECRET, Served, config, open_config, serve};
use crate::user::{By, User};

/// Credentials that the broker has not handed out.
fn made(secret: &str, name: &str) -> (String, String) {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(name.as_bytes());
    (name.to_owned(), BASE64.encode(&mac.finalize().into_bytes()))
}

async fn is_refused(served: &Served, who: &(String, String), kind: &str) {
    let name = format!("refused_total{{kind=\"{kind}\"}}");
    let before = served.count_or_none(&name).await;
    // A stranger's own fault is told as to any stranger, and without a signature.
    let mut raw = Raw::new(served.turn, who).await;
    assert_eq!(code(&raw.allocate().await), Some(401), "{who:?}");
    assert_eq!(served.count(&name).await, before + 1);
    assert_eq!(served.count("allocations").await, 0);
}

#[tokio::test]
async fn forged_and_expired_credentials_are_worth_nothing() {
    let served = serve(config()).await;
    let far = "99999999999";
    is_refused(&served, &made(SECRET, "1000:a"), "expired credentials").await;
    let forged = made("another", &format!("{far}:a"));
    is_refused(&served, &forged, "wrong credentials").await;
    is_refused(&served, &made(SECRET, "a"), "wrong credentials").await;
    is_refused(
        &served,
        &made(SECRET, &format!("{far}:a b--")),
        "wrong credentials",
    )
    .await;
    // Those of another peer, under this one's name, or for longer.
    let (name, password) = served.credentials("a").await;
    let longer = (format!("9{name}"), password.clone());
    is_refused(&served, &longer, "wrong credentials").await;
    let others = (name.replace(":a", ":b"), password);
    is_refused(&served, &others, "wrong credentials").await;
    // And those that are right, so that it is not something else that keeps them out.
    let right = made(SECRET, &format!("{far}:a"));
    User::allocated(By::Udp, served.turn, &right).await;
    served.end().await;
}

#[tokio::test]
async fn a_nonce_is_its_clients_alone() {
    let served = serve(config()).await;
    let who = served.credentials("a").await;
    let mut first = Raw::new(served.turn, &who).await;
    let mut second = Raw::new(served.turn, &who).await;
    second.with_nonce(first.nonce());
    let answer = second.allocate().await;
    assert_eq!(code(&answer), Some(438));
    assert_eq!(code(&first.allocate().await), None);
    served.end().await;
}

#[tokio::test]
async fn anybody_is_told_their_address() {
    let served = serve(config()).await;
    let raw = Raw::new(served.turn, &served.credentials("a").await).await;
    let request = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
    let answer = raw.send(&request).await;
    let message = Message::from_bytes(&answer).unwrap();
    let mapped = message.attribute::<XorMappedAddress>().unwrap();
    let mapped = mapped.addr(message.transaction_id());
    assert_eq!(mapped, raw.socket.local_addr().unwrap());
    served.end().await;
}

fn relayed(answer: &[u8]) -> SocketAddr {
    let message = Message::from_bytes(answer).unwrap();
    let relayed = message.attribute::<XorRelayedAddress>().unwrap();
    relayed.addr(message.transaction_id())
}

fn lifetime(answer: &[u8]) -> u32 {
    let message = Message::from_bytes(answer).unwrap();
    message.attribute::<Lifetime>().unwrap().seconds()
}

#[tokio::test]
async fn a_request_that_comes_twice_has_one_answer() {
    let served = serve(config()).await;
    let raw = Raw::new(served.turn, &served.credentials("a").await).await;
    let udp = RequestedTransport::new(RequestedTransport::UDP);
    let request = raw.signed(ALLOCATE, &[&udp]);
    let first = raw.send(&request).await;
    let second = raw.send(&request).await;
    assert_eq!(relayed(&first), relayed(&second));
    assert_eq!(served.count("made_total").await, 1);
    // Another one is another.
    let other = raw.request(ALLOCATE, &[&udp]).await;
    assert_eq!(code(&other), Some(437));
    served.end().await;
}

#[tokio::test]
async fn an_allocation_lasts_as_long_as_is_asked_for_within_bounds() {
    let served = serve(config()).await;
    let mut raw = Raw::new(served.turn, &served.credentials("a").await).await;
    let nothing = raw.request(REFRESH, &[]).await;
    assert_eq!(code(&nothing), Some(437));
    assert_eq!(lifetime(&raw.allocate().await), 600);
    for (asked, given) in [(1, 600), (1_000, 1_000), (100_000, 3_600)] {
        let answer = raw.request(REFRESH, &[&Lifetime::new(asked)]).await;
        assert_eq!(lifetime(&answer), given);
    }
    let of_v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
    assert_eq!(code(&raw.request(REFRESH, &[&of_v6]).await), Some(443));
    assert_eq!(
        lifetime(&raw.request(REFRESH, &[&Lifetime::new(0)]).await),
        0
    );
    assert_eq!(served.count("allocations").await, 0);
    assert_eq!(code(&raw.request(REFRESH, &[]).await), Some(437));
    served.end().await;
}

#[tokio::test]
async fn an_allocation_is_used_with_the_credentials_that_it_was_made_with() {
    let served = serve(config()).await;
    let mut raw = Raw::new(served.turn, &served.credentials("a").await).await;
    assert_eq!(code(&raw.allocate().await), None);
    raw.become_other(&served.credentials("b").await);
    let peer = XorPeerAddress::new(([1, 1, 1, 1], 1).into(), TransactionId::generate());
    for (method, attributes) in [(REFRESH, &[][..]), (CREATE_PERMISSION, &[&peer as _])] {
        assert_eq!(code(&raw.request(method, attributes).await), Some(441));
    }
    served.end().await;
}

#[tokio::test]
async fn what_is_not_supported_is_said() {
    let served = serve(config()).await;
    let mut raw = Raw::new(served.turn, &served.credentials("a").await).await;
    let udp = RequestedTransport::new(RequestedTransport::UDP);
    let tcp = RequestedTransport::new(6);
    let of_v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
    let even = EvenPort::new(true);
    assert_eq!(code(&raw.request(ALLOCATE, &[]).await), Some(400));
    assert_eq!(code(&raw.request(ALLOCATE, &[&tcp]).await), Some(442));
    assert_eq!(
        code(&raw.request(ALLOCATE, &[&udp, &of_v6]).await),
        Some(440)
    );
    assert_eq!(
        code(&raw.request(ALLOCATE, &[&udp, &even]).await),
        Some(420)
    );
    assert_eq!(code(&raw.request(SEND, &[]).await), Some(400));
    assert_eq!(code(&raw.allocate().await), None);
    assert_eq!(code(&raw.request(CREATE_PERMISSION, &[]).await), Some(400));
    served.end().await;
}

/// A request of its own for each, as an address is written in terms of its request.
async fn binds(raw: &Raw, number: u16, peer: &str) -> Option<u16> {
    let number = ChannelNumber::new(number);
    // What is read is whatever comes of it in the request's own terms: an address of IPv4 that
    // differs from another one differs from it there, too.
    let peer = XorPeerAddress::new(peer.parse().unwrap(), TransactionId::from(0));
    code(&raw.request(CHANNEL_BIND, &[&number, &peer]).await)
}

#[tokio::test]
async fn a_channel_is_for_one_address_and_an_address_has_one_channel() {
    let served = serve(open_config()).await;
    let mut raw = Raw::new(served.turn, &served.credentials("a").await).await;
    assert_eq!(code(&raw.allocate().await), None);
    assert_eq!(binds(&raw, 0x4000, "1.1.1.1:1").await, None);
    assert_eq!(binds(&raw, 0x4000, "1.1.1.1:1").await, None);
    assert_eq!(binds(&raw, 0x4000, "1.1.1.1:2").await, Some(400));
    assert_eq!(binds(&raw, 0x4001, "1.1.1.1:1").await, Some(400));
    assert_eq!(binds(&raw, 0x4001, "1.1.1.1:2").await, None);
    assert_eq!(binds(&raw, 0x3fff, "1.1.1.1:3").await, Some(400));
    assert_eq!(binds(&raw, 0x8000, "1.1.1.1:3").await, Some(400));
    assert_eq!(binds(&raw, 0x4003, "[::1]:3").await, Some(443));
    served.end().await;
}

#[tokio::test]
async fn nothing_is_sent_to_whom_no_permission_is_for() {
    let served = serve(open_config()).await;
    let mut raw = Raw::new(served.turn, &served.credentials("a").await).await;
    assert_eq!(code(&raw.allocate().await), None);
    let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = other.local_addr().unwrap();
    let mut message = Message::builder_indication(SEND, MessageWriteVec::new());
    let peer = XorPeerAddress::new(at, message.transaction_id());
    message.add_attribute(&peer).unwrap();
    message.add_attribute(&Data::new(b"x")).unwrap();
    let bytes = message.finish();
    raw.socket.send_to(&bytes, served.turn).await.unwrap();
    served.until("lost_total{kind=\"permission\"}", 1).await;
    assert!(other.try_recv(&mut [0; 8]).is_err(), "nothing came");
    served.end().await;
}

#[tokio::test]
async fn what_is_no_message_is_ignored() {
    let served = serve(config()).await;
    let mut raw = Raw::new(served.turn, &served.credentials("a").await).await;
    for junk in [
        &b""[..],
        b"\0",
        b"\x40",
        b"\x40\0\xff\xff",
        b"\x80\x80",
        &[0xff; 1_500],
        &[0; 1_500],
    ] {
        raw.socket.send_to(junk, served.turn).await.unwrap();
    }
    // Its next answer is the one to this.
    assert_eq!(code(&raw.allocate().await), None);
    served.end().await;
}
