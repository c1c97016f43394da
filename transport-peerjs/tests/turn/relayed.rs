//! What it is for: datagrams that arrive.

use std::net::SocketAddr;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout};

use crate::served::{PATIENCE, config, open_config, serve};
use crate::user::{By, User};

/// Two users on one server, who know each other by their relayed addresses alone.
async fn two_meet(first: By, second: By) {
    let served = serve(config()).await;
    let (mut a, a_at) = User::allocated(first, served.turn, &served.credentials("a").await).await;
    let (mut b, b_at) = User::allocated(second, served.turn, &served.credentials("b").await).await;
    assert!(a.permit(b_at).await && b.permit(a_at).await);
    a.send(b_at, b"by an indication").await;
    assert_eq!(b.receive().await, (a_at, b"by an indication".to_vec()));
    // Both ends of this one have a channel, the other one has not yet.
    assert!(b.bind(a_at).await);
    b.send(a_at, b"one of them").await;
    assert_eq!(a.receive().await, (b_at, b"one of them".to_vec()));
    assert!(a.bind(b_at).await);
    // Of all lengths that the padding of a stream makes a difference to, and the largest.
    for length in [0, 1, 2, 3, 4, 5, 1_200, 1_500] {
        let data: Vec<u8> = (0..length)
            .map(|n| u8::try_from(n % 251).unwrap())
            .collect();
        if length > 0 {
            a.send(b_at, &data).await;
            assert_eq!(b.receive().await, (a_at, data.clone()));
            b.send(a_at, &data).await;
            assert_eq!(a.receive().await, (b_at, data));
        }
    }
    assert_eq!(served.count("allocations").await, 2);
    assert_eq!(served.count("relayed_datagrams_total").await, 16);
    assert_eq!(served.count("relayed_bytes_total").await, 27 + 2 * 2_715);
    a.delete().await;
    served.until("allocations", 1).await;
    is_free(a_at).await;
    served.end().await;
}

/// Waits until nobody has this address.
async fn is_free(address: SocketAddr) {
    let end = Instant::now() + PATIENCE;
    while UdpSocket::bind(address).await.is_err() {
        assert!(Instant::now() < end, "somebody has {address}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn two_users_meet_by_udp() {
    two_meet(By::Udp, By::Udp).await;
}

#[tokio::test]
async fn two_users_meet_by_tcp() {
    two_meet(By::Tcp, By::Tcp).await;
}

#[tokio::test]
async fn a_user_by_tcp_meets_one_by_udp() {
    two_meet(By::Tcp, By::Udp).await;
}

#[tokio::test]
async fn a_user_meets_somebody_who_needs_no_relay() {
    let served = serve(open_config()).await;
    let who = served.credentials("a").await;
    let (mut user, relayed) = User::allocated(By::Udp, served.turn, &who).await;
    let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = other.local_addr().unwrap();
    assert!(user.permit(at).await);
    user.send(at, b"out").await;
    let mut buffer = [0; 64];
    let came = timeout(PATIENCE, other.recv_from(&mut buffer)).await;
    let (length, from) = came.unwrap().unwrap();
    assert_eq!((&buffer[..length], from), (&b"out"[..], relayed));
    other.send_to(b"in", relayed).await.unwrap();
    assert_eq!(user.receive().await, (at, b"in".to_vec()));
    assert!(user.bind(at).await);
    other.send_to(b"by a channel", relayed).await.unwrap();
    assert_eq!(user.receive().await, (at, b"by a channel".to_vec()));
    served.end().await;
}

#[tokio::test]
async fn nobody_else_gets_through() {
    let served = serve(open_config()).await;
    let (mut a, a_at) = User::allocated(By::Udp, served.turn, &served.credentials("a").await).await;
    let (mut b, b_at) = User::allocated(By::Udp, served.turn, &served.credentials("b").await).await;
    // The one who sends has asked for it, the one who is sent to has not.
    assert!(a.permit(b_at).await);
    a.send(b_at, b"x").await;
    served.until("lost_total{kind=\"permission\"}", 1).await;
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    stranger.send_to(b"x", b_at).await.unwrap();
    served.until("lost_total{kind=\"permission\"}", 2).await;
    assert!(b.permit(a_at).await);
    a.send(b_at, b"y").await;
    assert_eq!(b.receive().await, (a_at, b"y".to_vec()));
    served.end().await;
}

#[tokio::test]
async fn nothing_is_left_when_it_ends() {
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    let served = serve(config()).await;
    let turn = served.turn;
    let mut users = Vec::new();
    for (by, name) in [(By::Udp, "a"), (By::Tcp, "b"), (By::Tcp, "c")] {
        let who = served.credentials(name).await;
        users.push(User::allocated(by, turn, &who).await);
    }
    assert_eq!(served.count("connections").await, 2);
    // One of them goes by itself.
    users.pop();
    served.until("connections", 1).await;
    served.until("allocations", 2).await;
    served.end().await;
    // What has ended is counted until it was looked at once more.
    for _ in 0..1_000 {
        if tasks() == before {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(tasks(), before);
    for address in users.iter().map(|(_, relayed)| *relayed).chain([turn]) {
        UdpSocket::bind(address).await.expect("the port is free");
    }
}
