//! Strangers who send offers without end, through the signalling server, and people who come
//! meanwhile.

use std::time::Duration;

use hustings_room::LinkId;
use hustings_room::transport::Transport;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::js;
use crate::side::{Side, owner, participant, port, registered, sleep};

/// Sixty strangers, who together send fifty offers in a second. The description is a browser's
/// own, so that nothing can be said against it, and nobody is there to connect to. Resolves when
/// 400 have been sent, and goes on until 3,000 have or it is told to end.
const FLOOD: &str = "
    const [port, victim] = arg.split(' ');
    const strangers = await Promise.all([...Array(60)].map((_, n) => new Promise((resolve, reject) => {
        const id = `stranger${n}x${Date.now()}`;
        const socket = new WebSocket(`ws://127.0.0.1:${port}/peerjs?key=peerjs&id=${id}&token=t`);
        socket.onmessage = () => resolve(socket);
        socket.onerror = reject;
    })));
    const rtc = new RTCPeerConnection();
    rtc.createDataChannel('x');
    const sdp = await rtc.createOffer();
    rtc.close();
    let sent = 0;
    await new Promise(resolve => {
        const begun = performance.now();
        const timer = setInterval(() => {
            // Timers of a busy page come late.
            for (const due = (performance.now() - begun) / 20; sent < due; sent += 1) {
                const connectionId = `dc_${sent}`;
                strangers[sent % strangers.length].send(JSON.stringify({
                    type: 'OFFER', dst: victim, payload: {
                        sdp: { type: 'offer', sdp: sdp.sdp }, type: 'data', connectionId,
                        label: connectionId, reliable: true, serialization: 'raw',
                    },
                }));
            }
            if (sent >= 400) resolve();
            if (sent >= 3000) window.endFlood();
        }, 20);
        window.endFlood = () => {
            clearInterval(timer);
            for (const stranger of strangers) stranger.close();
        };
    });
";

#[wasm_bindgen_test]
async fn with_fifty_hostile_offers_a_second_the_first_dial_comes_up() {
    let mut acceptor = Side::open(owner());
    registered(&acceptor).await;
    js(&format!("{} {}", port(), acceptor.address), FLOOD).await;
    for _ in 0..5 {
        let mut person = Side::open(participant());
        registered(&person).await;
        let link = LinkId::dialled(1);
        person.transport.dial(link, &acceptor.address);
        assert_eq!(person.up().await.0, link);
        let (accepted, _) = acceptor.up().await;
        person.send(link, "there");
        assert_eq!(acceptor.frame().await, "there");
        acceptor.send(accepted, "and back");
        assert_eq!(person.frame().await, "and back");
        person.transport.hangup(link);
        acceptor.down().await;
        sleep(Duration::from_millis(500)).await;
    }
    js("", "window.endFlood()").await;
}
