//! The bound of what waits to be sent.

use super::Harness;
use super::stage::{Stage, text};
use crate::transport::SendOutcome;

/// A link whose other end does not read is blocked in the end, not before its bound, and says once
/// that it has room. What was taken arrives, and nothing of what was not.
pub async fn a_blocked_link_says_once_that_it_is_writable<H: Harness>(harness: H) {
    let bounds = harness.bounds();
    let size = (bounds.queue / 8).clamp(1, bounds.acceptor_frame);
    let (mut stage, link) = Stage::linked(harness).await;
    stage.hold(0);
    let taken = stage.fill(1, link.inn, size);
    // What a transport adds to frames waits with them.
    assert!(
        (taken + 1) * size > bounds.queue,
        "{taken} frames of {size} bytes are all, below the bound"
    );
    let again = stage.try_send(1, link.inn, text(1, 0));
    assert_eq!(again, SendOutcome::Blocked, "while there is no room");
    stage.release(0);
    for number in 0..taken {
        let arrived = stage.frame(0).await;
        assert!(arrived == (link.out, text(size, number)), "{number}");
    }
    assert_eq!(stage.writable(1).await, link.inn);
    stage.send(1, link.inn, text(9, 9));
    assert_eq!(stage.frame(0).await, (link.out, text(9, 9)));
    // Once, however often it was blocked.
    stage.is_quiet().await;
}

/// However long it is: only what waits already counts.
pub async fn below_the_bound_a_frame_of_any_size_is_taken<H: Harness>(harness: H) {
    let bounds = harness.bounds();
    let (mut stage, link) = Stage::linked(harness).await;
    stage.hold(0);
    let below = (bounds.queue / 2).min(bounds.acceptor_frame);
    let large = bounds.acceptor_frame.min(2 * bounds.queue + 1);
    stage.send(1, link.inn, text(below, 1));
    stage.send(1, link.inn, text(large, 2));
    stage.release(0);
    assert!(stage.frame(0).await == (link.out, text(below, 1)));
    assert!(stage.frame(0).await == (link.out, text(large, 2)));
    stage.is_quiet().await;
}

/// A broadcast names the links without room, and every other one gets the frame.
pub async fn a_broadcast_names_the_links_that_are_blocked<H: Harness>(harness: H) {
    let bounds = harness.bounds();
    let size = (bounds.queue / 8).clamp(1, bounds.acceptor_frame);
    let mut stage = Stage::of(3, harness).await;
    let (slow, quick) = (stage.link(1, 0).await, stage.link(2, 0).await);
    stage.hold(1);
    let taken = stage.fill(0, slow.inn, size);
    let to = [slow.inn, quick.inn];
    let blocked = stage.broadcast(0, &to, None, &text(50, 1));
    assert_eq!(blocked, [slow.inn]);
    // Who is left out is not blocked, either.
    assert_eq!(stage.broadcast(0, &to, Some(slow.inn), &text(60, 2)), []);
    for (size, variant) in [(50, 1), (60, 2)] {
        let arrived = stage.frame(2).await;
        assert_eq!(arrived, (quick.out, text(size, variant)));
    }
    stage.release(1);
    for number in 0..taken {
        assert!(stage.frame(1).await == (slow.out, text(size, number)));
    }
    assert_eq!(stage.writable(0).await, slow.inn);
    stage.is_quiet().await;
}
