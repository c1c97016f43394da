//! Dials, and the links that come of them.

use super::Harness;
use super::stage::{Link, Stage};
use crate::transport::{SendOutcome, TransportEvent};

/// A dial ends in `LinkUp` at both sides, under ids of the right kind, and carries frames.
pub async fn a_dial_comes_up_at_both_ends<H: Harness>(harness: H) {
    let mut stage = Stage::of(2, harness).await;
    let out = stage.dial(0, 1);
    let (up, _) = stage.up(0).await;
    assert_eq!(up, out, "the link that came up was dialled");
    let (inn, _) = stage.up(1).await;
    assert!(inn.is_accepted(), "{inn} was accepted");
    let link = Link {
        dialler: 0,
        out,
        acceptor: 1,
        inn,
    };
    stage.greet(link).await;
    stage.is_quiet().await;
}

/// The local part of each end is the remote part of the other, and it is not empty.
pub async fn both_ends_bind_the_same_channel<H: Harness>(harness: H) {
    let mut stage = Stage::of(2, harness).await;
    for _ in 0..2 {
        stage.dial(0, 1);
        let (_, dialler) = stage.up(0).await;
        let (_, acceptor) = stage.up(1).await;
        assert_eq!(dialler.local, acceptor.remote, "the dialler's");
        assert_eq!(dialler.remote, acceptor.local, "the acceptor's");
        assert!(!dialler.local.is_empty() && !dialler.remote.is_empty());
    }
}

/// A dial that nobody answers ends in one `LinkDown`.
pub async fn a_dial_to_nobody_ends_once<H: Harness>(harness: H) {
    let mut stage = Stage::of(1, harness).await;
    let nobody = stage.harness.nobody();
    let link = stage.dial_address(0, &nobody);
    let (down, _) = stage.down(0).await;
    assert_eq!(down, link);
    let sent = stage.try_send(0, link, "nobody".into());
    assert_eq!(sent, SendOutcome::Gone, "a failed dial is no link");
    stage.is_quiet().await;
}

/// A dial that is given up is not spoken of again here; if it has come up across, it ends there.
pub async fn a_dial_that_was_hung_up_is_silent_here<H: Harness>(harness: H) {
    let mut stage = Stage::of(2, harness).await;
    let out = stage.dial(0, 1);
    stage.hangup(0, out);
    match &stage.events_of(1).await[..] {
        [] => {}
        [
            TransportEvent::LinkUp { link: up, .. },
            TransportEvent::LinkDown { link: down, .. },
        ] => assert_eq!(up, down),
        events => panic!("{events:?}"),
    }
    stage.link(0, 1).await;
}

/// Two dials that cross are two links.
pub async fn two_that_dial_each_other_have_two_links<H: Harness>(harness: H) {
    let mut stage = Stage::of(2, harness).await;
    let dialled = [stage.dial(0, 1), stage.dial(1, 0)];
    let mut accepted = dialled;
    for (side, out) in dialled.into_iter().enumerate() {
        for _ in 0..2 {
            let (link, _) = stage.up(side).await;
            if link.is_accepted() {
                accepted[side] = link;
            } else {
                assert_eq!(link, out);
            }
        }
    }
    for (dialler, acceptor) in [(0, 1), (1, 0)] {
        let link = Link {
            dialler,
            out: dialled[dialler],
            acceptor,
            inn: accepted[acceptor],
        };
        stage.greet(link).await;
    }
    stage.is_quiet().await;
}

/// One address takes many links at once, and each works.
pub async fn many_links_at_once<H: Harness>(harness: H) {
    let count = harness.bounds().links;
    let mut stage = Stage::of(1 + count, harness).await;
    let dialled: Vec<_> = (1..=count).map(|side| stage.dial(side, 0)).collect();
    let mut accepted = Vec::new();
    for _ in 0..count {
        accepted.push(stage.up(0).await.0);
    }
    for (side, out) in (1..).zip(&dialled) {
        assert_eq!(stage.up(side).await.0, *out);
        // Who has which link is known by what arrives on it.
        stage.send(side, *out, format!("side {side}").into());
    }
    let mut heard = Vec::new();
    for _ in 0..count {
        let (link, frame) = stage.frame(0).await;
        stage.send(0, link, frame.clone());
        assert!(accepted.contains(&link));
        heard.push(link);
    }
    heard.sort_unstable();
    heard.dedup();
    assert_eq!(heard.len(), count, "each dial has a link of its own");
    for (side, out) in (1..).zip(dialled) {
        let (link, frame) = stage.frame(side).await;
        assert_eq!((link, frame), (out, format!("side {side}").into()));
    }
    stage.is_quiet().await;
}
