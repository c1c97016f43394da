//! The bounds of each peer and of all of them.

use hustings_transport_peerjs::broker::{TurnConfig, TurnLimits};
use tokio::net::UdpSocket;
use turn_client_proto::types::message::ALLOCATE;
use turn_client_proto::types::stun::message::{Message, MessageWrite, MessageWriteVec};

use crate::raw::{Raw, code};
use crate::served::{Served, config, open_config, serve};
use crate::user::{By, User};

async fn with(limits: TurnLimits) -> Served {
    serve(TurnConfig {
        limits,
        ..open_config()
    })
    .await
}

#[tokio::test]
async fn a_peer_has_so_many_allocations_and_no_more() {
    let served = with(TurnLimits {
        max_allocations_each: 2,
        ..TurnLimits::default()
    })
    .await;
    let who = served.credentials("a").await;
    let (mut first, _) = User::allocated(By::Udp, served.turn, &who).await;
    let _second = User::allocated(By::Tcp, served.turn, &who).await;
    let mut third = Raw::new(served.turn, &who).await;
    assert_eq!(code(&third.allocate().await), Some(486));
    // Of another peer there is one.
    let other = served.credentials("b").await;
    let _other = User::allocated(By::Udp, served.turn, &other).await;
    assert_eq!(served.count("refused_total{kind=\"quota\"}").await, 1);
    // And one more of the first when one has ended.
    first.delete().await;
    served.until("allocations", 2).await;
    assert_eq!(code(&third.allocate().await), None);
    served.end().await;
}

#[tokio::test]
async fn there_are_so_many_allocations_and_no_more() {
    let served = with(TurnLimits {
        // Half of them are for one network address.
        max_allocations: 4,
        ..TurnLimits::default()
    })
    .await;
    let mut users = Vec::new();
    for name in ["a", "b"] {
        let who = served.credentials(name).await;
        users.push(User::allocated(By::Udp, served.turn, &who).await);
    }
    let mut third = Raw::new(served.turn, &served.credentials("c").await).await;
    assert_eq!(code(&third.allocate().await), Some(508));
    assert_eq!(served.count("refused_total{kind=\"full\"}").await, 1);
    served.end().await;
}

#[tokio::test]
async fn a_range_of_ports_can_be_full() {
    // Somebody else has the only one.
    let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let served = serve(TurnConfig {
        ports: port..=port,
        ..config()
    })
    .await;
    let who = served.credentials("a").await;
    let mut raw = Raw::new(served.turn, &who).await;
    assert_eq!(code(&raw.allocate().await), Some(508));
    drop(taken);
    let (_user, relayed) = User::allocated(By::Udp, served.turn, &who).await;
    assert_eq!(relayed.port(), port);
    served.end().await;
}

#[tokio::test]
async fn an_allocation_has_so_many_permissions_and_no_more() {
    let served = with(TurnLimits {
        max_permissions_each: 2,
        ..TurnLimits::default()
    })
    .await;
    let who = served.credentials("a").await;
    let (mut user, _) = User::allocated(By::Udp, served.turn, &who).await;
    for (address, is_granted) in [
        ("1.1.1.1:1", true),
        ("1.1.1.2:1", true),
        ("1.1.1.3:1", false),
    ] {
        assert_eq!(user.permit(address.parse().unwrap()).await, is_granted);
    }
    assert_eq!(served.count("permissions").await, 2);
    user.delete().await;
    served.until("permissions", 0).await;
    served.end().await;
}

#[tokio::test]
async fn what_is_more_than_a_peers_bytes_is_lost() {
    let served = with(TurnLimits {
        // So little that none of it comes back during the test.
        bytes_per_second: 1,
        byte_burst: 3_500,
        ..TurnLimits::default()
    })
    .await;
    let (mut a, a_at) = User::allocated(By::Udp, served.turn, &served.credentials("a").await).await;
    let (mut b, b_at) = User::allocated(By::Udp, served.turn, &served.credentials("b").await).await;
    assert!(a.permit(b_at).await && b.permit(a_at).await);
    for _ in 0..5 {
        a.send(b_at, &[7; 1_000]).await;
    }
    served.until("lost_total{kind=\"rate\"}", 2).await;
    assert_eq!(served.count("relayed_datagrams_total").await, 3);
    for _ in 0..3 {
        assert_eq!(b.receive().await.1.len(), 1_000);
    }
    served.end().await;
}

#[tokio::test]
async fn what_is_too_large_is_lost() {
    let served = serve(open_config()).await;
    let who = served.credentials("a").await;
    let (mut user, relayed) = User::allocated(By::Udp, served.turn, &who).await;
    let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    assert!(user.permit(other.local_addr().unwrap()).await);
    other.send_to(&[1; 1_501], relayed).await.unwrap();
    served.until("lost_total{kind=\"size\"}", 1).await;
    other.send_to(&[1; 1_500], relayed).await.unwrap();
    assert_eq!(user.receive().await.1.len(), 1_500);
    served.end().await;
}

#[tokio::test]
async fn a_stranger_is_not_answered_without_end() {
    let served = with(TurnLimits {
        stranger_answers_per_second: 1,
        ..TurnLimits::default()
    })
    .await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let asks = Message::builder_request(ALLOCATE, MessageWriteVec::new()).finish();
    for _ in 0..100 {
        socket.send_to(&asks, served.turn).await.unwrap();
    }
    served
        .until("refused_total{kind=\"no credentials\"}", 100)
        .await;
    let mut answers = 0;
    while socket.try_recv(&mut [0; 512]).is_ok() {
        answers += 1;
    }
    // One, and another for each second that a busy machine has taken.
    assert!((1..50).contains(&answers), "{answers}");
    // Whoever has credentials is asked once, and known from then on.
    served.end().await;
}

#[tokio::test]
async fn a_connection_by_tcp_takes_a_place() {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    let served = with(TurnLimits {
        // Half of them are for one network address.
        max_tcp: 2,
        ..TurnLimits::default()
    })
    .await;
    let first = TcpStream::connect(served.turn).await.unwrap();
    served.until("connections", 1).await;
    let mut second = TcpStream::connect(served.turn).await.unwrap();
    assert_eq!(second.read(&mut [0; 8]).await.unwrap_or(0), 0);
    served.until("refused_total{kind=\"crowded\"}", 1).await;
    drop(first);
    served.until("connections", 0).await;
    // Then there is a place for another.
    let _third = TcpStream::connect(served.turn).await.unwrap();
    served.until("connections", 1).await;
    served.end().await;
}

#[tokio::test]
async fn a_message_by_tcp_that_is_too_large_ends_its_connection() {
    let served = serve(config()).await;
    let who = served.credentials("a").await;
    let (user, _) = User::allocated(By::Tcp, served.turn, &who).await;
    // The beginning of one of 64 KiB. Who has an allocation may be silent otherwise.
    user.ends_with(&[0, 3, 0xff, 0xfc]).await;
    served.until("connections", 0).await;
    assert_eq!(served.count("allocations").await, 0);
    served.end().await;
}
