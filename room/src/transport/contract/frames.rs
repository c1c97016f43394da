//! Frames on links.

use super::Harness;
use super::stage::{Stage, text};

/// A frame of any size arrives as it was sent, both ways.
pub async fn frames_arrive_whole<H: Harness>(harness: H) {
    // Around what WebRTC stacks agree on for one message, and what a snapshot may have.
    const SIZES: [usize; 9] = [
        1,
        300,
        (16 << 10) - 1,
        16 << 10,
        (16 << 10) + 1,
        40_000,
        256 << 10,
        1 << 20,
        usize::MAX,
    ];
    let bounds = harness.bounds();
    let (mut stage, link) = Stage::linked(harness).await;
    for size in SIZES {
        let size = size.min(bounds.dialler_frame).min(1 << 20);
        stage.send(0, link.out, text(size, 1));
        assert!(stage.frame(1).await == (link.inn, text(size, 1)), "{size}");
    }
    for size in SIZES {
        let size = size.min(bounds.acceptor_frame).min(1 << 20);
        stage.send(1, link.inn, text(size, 2));
        assert!(stage.frame(0).await == (link.out, text(size, 2)), "{size}");
    }
    stage.is_quiet().await;
}

/// Small and large ones do not overtake each other, while both sides send.
pub async fn frames_keep_their_order_both_ways<H: Harness>(harness: H) {
    let bounds = harness.bounds();
    let largest = bounds.dialler_frame.min(bounds.acceptor_frame);
    let size = |number: usize| (number * number % 5_000 * (1 + number % 7) + 1).min(largest);
    // As many as there is sure to be room for.
    let mut room = bounds.queue;
    let fits = |number: &usize| {
        room = room.saturating_sub(size(*number));
        room > 0
    };
    let count = (0..300).take_while(fits).count();
    let (mut stage, link) = Stage::linked(harness).await;
    for number in 0..count {
        stage.send(0, link.out, text(size(number), number));
        stage.send(1, link.inn, text(size(number), number + 1));
    }
    for number in 0..count {
        let up = (link.inn, text(size(number), number));
        assert!(stage.frame(1).await == up, "up, {number}");
        let down = (link.out, text(size(number), number + 1));
        assert!(stage.frame(0).await == down, "down, {number}");
    }
    stage.is_quiet().await;
}

/// Two links between the same two carry each what was sent on it, in its order.
pub async fn a_frame_stays_on_its_link<H: Harness>(harness: H) {
    const FRAMES: usize = 20;
    let mut stage = Stage::of(2, harness).await;
    let links = [stage.link(0, 1).await, stage.link(0, 1).await];
    for number in 0..FRAMES {
        for (which, link) in links.iter().enumerate() {
            stage.send(0, link.out, text(2 + number, which));
        }
    }
    let mut next = [0; 2];
    for _ in 0..2 * FRAMES {
        let (on, frame) = stage.frame(1).await;
        let which = links.iter().position(|link| link.inn == on);
        let which = which.expect("it is one of the two");
        assert_eq!(frame, text(2 + next[which], which), "on link {which}");
        next[which] += 1;
    }
    stage.is_quiet().await;
}

/// A broadcast reaches everybody once but the one who is left out, in order with sends.
pub async fn a_broadcast_is_a_send_to_each_but_one<H: Harness>(harness: H) {
    let mut stage = Stage::of(4, harness).await;
    let mut links = Vec::new();
    for side in 1..4 {
        links.push(stage.link(side, 0).await);
    }
    let ids: Vec<_> = links.iter().map(|link| link.inn).collect();
    stage.send(0, ids[0], text(20, 0));
    let blocked = stage.broadcast(0, &ids, Some(ids[1]), &text(30, 1));
    assert_eq!(blocked, []);
    for id in &ids {
        stage.send(0, *id, text(40, 2));
    }
    for (link, sizes) in links.iter().zip([&[20, 30, 40][..], &[40], &[30, 40]]) {
        for size in sizes {
            let frame = text(*size, size / 10 - 2);
            assert_eq!(stage.frame(link.dialler).await, (link.out, frame));
        }
    }
    // To nobody at all.
    assert_eq!(stage.broadcast(0, &[], None, &text(5, 0)), []);
    assert_eq!(stage.broadcast(0, &ids[..1], Some(ids[0]), &text(5, 0)), []);
    stage.is_quiet().await;
}

/// A task that waits is woken for a frame, for a link, and for its end, each after it had long been
/// waiting. (The stage polls nobody who was not woken, in every case.)
pub async fn an_event_wakes_the_task<H: Harness>(harness: H) {
    let mut stage = Stage::of(2, harness).await;
    stage.is_quiet().await;
    let link = stage.link(0, 1).await;
    stage.is_quiet().await;
    stage.send(1, link.inn, text(10, 0));
    assert_eq!(stage.frame(0).await, (link.out, text(10, 0)));
    stage.is_quiet().await;
    stage.hangup(1, link.inn);
    assert_eq!(stage.down(0).await.0, link.out);
}
