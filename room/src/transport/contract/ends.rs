//! The ends of links.

use super::Harness;
use super::stage::{Stage, text};
use crate::LinkId;
use crate::transport::SendOutcome;

/// A side that hangs up hears nothing more of the link, and the other hears of its end once.
pub async fn a_hangup_ends_the_link_across_once<H: Harness>(harness: H) {
    let mut stage = Stage::of(2, harness).await;
    for is_dialler in [true, false] {
        let link = stage.link(0, 1).await;
        let (here, of_here, there, of_there) = if is_dialler {
            (0, link.out, 1, link.inn)
        } else {
            (1, link.inn, 0, link.out)
        };
        // On its way when the link is hung up.
        stage.send(there, of_there, text(100, 3));
        stage.hangup(here, of_here);
        let (down, _) = stage.down(there).await;
        assert_eq!(down, of_there);
        stage.is_quiet().await;
    }
}

/// Two who hang up on each other hear nothing more.
pub async fn hangups_that_cross_are_silent<H: Harness>(harness: H) {
    let (mut stage, link) = Stage::linked(harness).await;
    stage.hangup(0, link.out);
    stage.hangup(1, link.inn);
    // Neither is left: it may be told again and has nothing to say.
    stage.hangup(0, link.out);
    stage.is_quiet().await;
    stage.link(0, 1).await;
}

/// A hang-up waits for what was sent before it.
pub async fn what_was_queued_before_a_hangup_arrives<H: Harness>(harness: H) {
    let size = 10_000.min(harness.bounds().dialler_frame);
    let room = harness.bounds().queue / size;
    let mut stage = Stage::of(2, harness).await;
    // Less than a channel holds, and more.
    for frames in [1, 5, 50, 200].into_iter().filter(|frames| *frames <= room) {
        let link = stage.link(0, 1).await;
        for number in 0..frames {
            stage.send(0, link.out, text(size, number));
        }
        stage.hangup(0, link.out);
        for number in 0..frames {
            let arrived = stage.frame(1).await;
            assert_eq!(arrived, (link.inn, text(size, number)), "of {frames}");
        }
        assert_eq!(stage.down(1).await.0, link.inn);
    }
    stage.is_quiet().await;
}

/// There is nothing to send on after a link's end, at either side, nor on one that never was.
pub async fn a_link_that_has_ended_is_gone<H: Harness>(harness: H) {
    let (mut stage, link) = Stage::linked(harness).await;
    stage.hangup(0, link.out);
    let frame = || text(10, 0);
    assert_eq!(stage.try_send(0, link.out, frame()), SendOutcome::Gone);
    assert_eq!(stage.down(1).await.0, link.inn);
    assert_eq!(stage.try_send(1, link.inn, frame()), SendOutcome::Gone);
    let never = LinkId::dialled(1_000);
    assert_eq!(stage.try_send(0, never, frame()), SendOutcome::Gone);
    // To those who are gone nothing is sent and nothing is blocked.
    let live = stage.link(0, 1).await;
    let blocked = stage.broadcast(0, &[link.out, live.out], None, &frame());
    assert_eq!(blocked, []);
    assert_eq!(stage.frame(1).await, (live.inn, frame()));
    stage.is_quiet().await;
}

/// Each side across from a transport that is dropped hears of its link's end, once.
pub async fn a_dropped_transport_closes_every_link<H: Harness>(harness: H) {
    let mut stage = Stage::of(3, harness).await;
    let one = stage.link(1, 0).await;
    let other = stage.link(0, 2).await;
    stage.close(0);
    assert_eq!(stage.down(1).await.0, one.out);
    assert_eq!(stage.down(2).await.0, other.inn);
    stage.is_quiet().await;
}
