//! The networks that datagrams may go to and come from.

use tokio::net::UdpSocket;

use crate::served::{config, serve};
use crate::user::{By, User};

#[tokio::test]
async fn it_reaches_neither_its_machine_nor_private_networks() {
    let served = serve(config()).await;
    let who = served.credentials("a").await;
    let (mut user, relayed) = User::allocated(By::Udp, served.turn, &who).await;
    for address in [
        "10.0.0.1:1",
        "169.254.169.254:80",
        "100.64.0.1:1",
        "224.0.0.1:1",
    ] {
        let address = address.parse().unwrap();
        assert!(!user.permit(address).await, "{address}");
    }
    assert!(!user.bind("192.168.0.1:1".parse().unwrap()).await);
    assert_eq!(served.count("refused_total{kind=\"network\"}").await, 5);
    assert!(user.permit("1.1.1.1:1".parse().unwrap()).await);
    // The address that it relays from is this machine's, too: other users are there, who may be
    // reached, and other programs, who may not.
    let program = UdpSocket::bind((relayed.ip(), 0)).await.unwrap();
    let at = program.local_addr().unwrap();
    assert!(user.permit(at).await);
    user.send(at, b"out").await;
    served.until("lost_total{kind=\"network\"}", 1).await;
    program.send_to(b"in", relayed).await.unwrap();
    served.until("lost_total{kind=\"network\"}", 2).await;
    // Nor is TURN a way to itself.
    user.send(served.turn, b"in").await;
    served.until("lost_total{kind=\"network\"}", 3).await;
    let mut buffer = [0; 8];
    assert!(program.try_recv(&mut buffer).is_err(), "nothing came");
    served.end().await;
}
