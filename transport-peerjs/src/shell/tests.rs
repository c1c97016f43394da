//! The shell, on a backend that does what a test says.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test is about the calls that it names"
)]

#[cfg(feature = "tracing")]
mod diagnostics;
mod fake;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use hustings_room::transport::{SendOutcome, TransportEvent};
use hustings_room::{DownReason, LinkId, Moment};
use serde_json::json;

use self::fake::{Call, Fake, Side, address, messages};
use super::Shell;
use super::backend::{Backend, Input, RtcInput};
use super::channels::COUNT_EVERY;
use super::reentry::Reentrant;
use crate::config::WireLimits;
use crate::wire::testing::chromium_sdp;
use crate::wire::{ChannelKind, RegistrationState, RtcId, SocketId};

const SECOND: Duration = Duration::from_secs(1);

fn limits() -> WireLimits {
    WireLimits {
        max_queued_bytes: 100_000,
        max_dialled_frame_bytes: 400_000,
        channel_high_water: 80_000,
        channel_low_water: 20_000,
        ..WireLimits::default()
    }
}

fn lost(link: LinkId, why: &str) -> TransportEvent {
    let reason = DownReason::Lost(why.into());
    TransportEvent::LinkDown { link, reason }
}

/// The bytes of all sends among these calls.
fn sent(calls: &[Call]) -> usize {
    let sizes = calls.iter().filter_map(|call| match call {
        Call::Send(_, len) => Some(*len),
        _ => None,
    });
    sizes.sum()
}

/// A backend with threads of its own can have its shell on any of them.
#[allow(dead_code, reason = "it is checked by being compiled")]
fn a_shell_is_send<B: Backend + Send>()
where
    B::Channel: Send,
{
    fn is_send<T: Send>() {}
    is_send::<Shell<B>>();
}

mod reentry {
    use super::*;

    #[test]
    fn a_call_that_calls_back_is_done_before_that_is_handled() {
        let side = Side::registered(limits());
        side.state.borrow_mut().script = Some(Box::new(|call| match call {
            Call::Offer(rtc) => vec![Input::Rtc(
                *rtc,
                RtcInput::Description(chromium_sdp([1; 32])),
            )],
            _ => Vec::new(),
        }));
        let link = LinkId::dialled(1);
        side.shell.act(|shell| shell.dial(link, &address(2)));
        // The offer was made of what came during the first call, but after the second.
        let calls = side.calls();
        assert!(
            matches!(&calls[..], [Call::Offer(RtcId(1)), Call::LowWater(RtcId(1), 20_000),
                Call::SendSocket(text)] if text.contains("OFFER")),
            "{calls:?}"
        );
    }

    #[test]
    fn a_link_goes_down_inside_of_its_own_send() {
        let (side, link, rtc) = Side::dialled(limits());
        side.state.borrow_mut().script = Some(Box::new(move |call| match call {
            Call::Send(..) => vec![Input::Rtc(rtc, RtcInput::ChannelClosed)],
            _ => Vec::new(),
        }));
        assert_eq!(side.send(link, 10), SendOutcome::Queued);
        assert_eq!(side.calls(), [Call::Send(rtc, 10), Call::Close(rtc)]);
        let reason = DownReason::ClosedByPeer;
        assert_eq!(side.events(), [TransportEvent::LinkDown { link, reason }]);
    }

    #[test]
    fn a_timer_that_fires_while_it_is_set_is_served() {
        let side = Side::new(limits());
        let mut fires = 1;
        side.state.borrow_mut().script = Some(Box::new(move |call| match call {
            Call::Timer(Some(_)) if fires > 0 => {
                fires -= 1;
                vec![Input::SocketOpen(SocketId(1))]
            }
            _ => Vec::new(),
        }));
        side.shell.act(Shell::run);
        let calls = side.calls();
        assert!(
            matches!(&calls[..], [Call::OpenSocket(_), Call::SendSocket(_)]),
            "{calls:?}"
        );
    }

    #[test]
    fn what_was_reported_before_a_failure_is_handled_before_it() {
        let (side, link, rtc) = Side::dialled(limits());
        {
            let mut state = side.state.borrow_mut();
            state.script = Some(Box::new(move |call| match call {
                Call::Send(..) => messages(5)
                    .into_iter()
                    .map(|message| Input::Rtc(rtc, RtcInput::Message(message)))
                    .collect(),
                _ => Vec::new(),
            }));
            state.failing = Some((Call::Send(rtc, 10), "the channel is full"));
        }
        side.send(link, 10);
        let events = side.events();
        assert!(
            matches!(&events[0], TransportEvent::Frame { .. }),
            "{events:?}"
        );
        assert_eq!(events[1..], [lost(link, "the channel is full")]);
    }

    thread_local! {
        static LOOKED_AT: RefCell<Option<Rc<Reentrant<Fake>>>> = const { RefCell::new(None) };
    }

    /// Looks at the shell as soon as it is woken, as an executor may.
    struct Looks;

    impl Wake for Looks {
        fn wake(self: Arc<Self>) {
            LOOKED_AT.with_borrow_mut(|shell| {
                let shell = shell.take().expect("it is woken once");
                let mut cx = Context::from_waker(Waker::noop());
                assert!(shell.act(|shell| shell.poll_event(&mut cx)).is_ready());
            });
        }
    }

    #[test]
    fn whoever_is_woken_can_use_the_shell_at_once() {
        let (side, _, rtc) = Side::dialled(limits());
        let waker = Waker::from(Arc::new(Looks));
        let mut cx = Context::from_waker(&waker);
        assert!(
            side.shell
                .act(|shell| shell.poll_event(&mut cx))
                .is_pending()
        );
        LOOKED_AT.set(Some(Rc::clone(&side.shell)));
        side.frame(rtc, 10);
        assert!(LOOKED_AT.take().is_none());
        assert_eq!(side.event(), None);
    }

    #[test]
    fn it_wakes_once_for_many_events() {
        let (side, link, rtc) = Side::dialled(limits());
        let before = side.woken();
        side.state.borrow_mut().script = Some(Box::new(move |call| match call {
            Call::Send(..) => (0..3)
                .flat_map(|_| messages(5))
                .map(|message| Input::Rtc(rtc, RtcInput::Message(message)))
                .collect(),
            _ => Vec::new(),
        }));
        side.send(link, 10);
        assert_eq!(side.woken(), before + 1);
        assert_eq!(side.events().len(), 3);
    }
}

mod inbox {
    use super::*;

    /// Frames that come before a link is lost because nobody takes them.
    fn bound(side: &Side, link: LinkId, rtc: RtcId, len: usize) -> usize {
        for came in 0..10_000 {
            side.frame(rtc, len);
            if side.calls().contains(&Call::Close(rtc)) {
                let mut events = side.events();
                let down = events.pop();
                assert_eq!(down, Some(lost(link, "it sends faster than is read")));
                assert_eq!(
                    events.len(),
                    came + 1,
                    "what came is not lost with the link"
                );
                return came;
            }
        }
        panic!("it is never lost")
    }

    #[test]
    fn a_stranger_can_have_less_wait_than_somebody_who_was_dialled() {
        let (side, link, rtc) = Side::accepted(limits());
        let stranger = bound(&side, link, rtc, 936);
        let (side, link, rtc) = Side::dialled(limits());
        let dialled = bound(&side, link, rtc, 936);
        // Each costs 64 bytes more, and one beyond the bound is taken.
        assert_eq!((stranger, dialled), (101, 401));
    }

    #[test]
    fn frames_of_nothing_count() {
        let (side, link, rtc) = Side::accepted(limits());
        assert_eq!(bound(&side, link, rtc, 0), 100_000 / 64 + 1);
    }

    #[test]
    fn what_is_taken_makes_room() {
        let (side, _, rtc) = Side::accepted(limits());
        for _ in 0..1_000 {
            side.frame(rtc, 936);
            assert!(matches!(side.event(), Some(TransportEvent::Frame { .. })));
        }
        assert_eq!(side.calls(), []);
    }
}

mod counting {
    use super::*;

    #[test]
    fn the_platform_is_asked_now_and_then_only() {
        let (side, link, rtc) = Side::dialled(WireLimits {
            channel_high_water: 10_000_000,
            ..limits()
        });
        side.state.borrow_mut().asked = 0;
        let messages = 4 * COUNT_EVERY / 1_000;
        for _ in 0..messages {
            side.send(link, 1_000);
            side.state.borrow_mut().held.insert(rtc, 0);
        }
        assert_eq!(side.state.borrow().asked, 3, "for {messages} messages");
    }

    #[test]
    fn many_messages_are_counted_once_after_the_last() {
        let (side, link, rtc) = Side::dialled(WireLimits {
            channel_high_water: 10_000_000,
            ..limits()
        });
        side.send(link, COUNT_EVERY);
        side.state.borrow_mut().asked = 0;
        side.send(link, 500_000);
        assert_eq!(side.state.borrow().asked, 1);
        assert!(side.calls().len() > 20);
        assert!(side.state.borrow().held[&rtc] > 500_000);
    }

    #[test]
    fn a_blocked_link_is_writable_once_its_channel_has_room() {
        let (side, link, rtc) = Side::dialled(limits());
        while side.send(link, 10_000) == SendOutcome::Queued {}
        assert_eq!(side.events(), []);
        let held = side.state.borrow().held[&rtc];
        assert!(held >= 80_000, "{held}");
        side.calls();
        side.holds(rtc, 10_000);
        let calls = side.calls();
        assert!(sent(&calls) >= 20_000, "{calls:?}");
        assert_eq!(side.events(), [TransportEvent::Writable { link }]);
    }
}

mod stalls {
    use super::*;

    /// A side whose channel holds as much as it should, and more waits.
    fn full() -> (Side, LinkId, RtcId) {
        let (side, link, rtc) = Side::accepted(limits());
        while side.send(link, 10_000) == SendOutcome::Queued {}
        // From now on it is known what the channel holds, and that does not get less by itself.
        side.rtc(rtc, RtcInput::Buffered);
        side.calls();
        (side, link, rtc)
    }

    #[test]
    fn a_count_that_stands_still_is_woken_by_one_more_message() {
        let (side, _, rtc) = full();
        side.after(SECOND - Duration::from_millis(1));
        assert_eq!(side.calls(), []);
        side.after(Duration::from_millis(1));
        let calls = side.calls();
        assert!(matches!(calls[..], [Call::Send(..)]), "{calls:?}");
        // It counts again: everything that waits follows.
        side.holds(rtc, 0);
        assert!(sent(&side.calls()) > 0);
    }

    #[test]
    fn it_is_tried_again_each_second() {
        let (side, ..) = full();
        let nudges: Vec<_> = (0..4)
            .map(|_| {
                side.after(SECOND);
                side.calls().len()
            })
            .collect();
        // Then nothing is left to send.
        assert_eq!(nudges, [1, 1, 0, 0]);
    }

    #[test]
    fn a_count_that_moves_is_left_alone() {
        let (side, _, rtc) = full();
        for held in [79_000, 78_000, 77_000] {
            side.after(SECOND / 2);
            side.state.borrow_mut().held.insert(rtc, held);
            side.rtc(rtc, RtcInput::Buffered);
            side.calls();
        }
        side.after(SECOND / 2);
        assert_eq!(side.calls(), []);
    }

    #[test]
    fn the_timer_is_set_for_it() {
        let (side, _, rtc) = full();
        side.rtc(rtc, RtcInput::Buffered);
        assert_eq!(side.timer(), Some(Moment::START + SECOND));
    }

    #[test]
    fn a_channel_that_is_to_be_closed_is_closed_though_its_count_stands_still() {
        let (side, link, rtc) = Side::accepted(limits());
        side.send(link, 30_000);
        side.shell.act(|shell| shell.hangup(link));
        assert!(!side.calls().contains(&Call::CloseChannel(rtc)));
        side.after(SECOND);
        assert_eq!(side.calls(), [Call::CloseChannel(rtc)]);
    }
}

mod ends {
    use super::*;

    #[test]
    fn a_hangup_sends_what_waits_then_waits_for_the_channel_then_closes() {
        let (side, link, rtc) = Side::dialled(limits());
        side.send(link, 90_000);
        let first = sent(&side.calls());
        side.frame(rtc, 10);
        side.shell.act(|shell| shell.hangup(link));
        assert_eq!(side.events(), [], "nothing more is heard of it");
        side.holds(rtc, 50_000);
        let calls = side.calls();
        // Six pieces make 90,000, with a flag each, and the length in the first.
        assert_eq!(first + sent(&calls), 90_010);
        assert_eq!(calls.last(), Some(&Call::LowWater(rtc, 0)));
        side.holds(rtc, 1);
        assert_eq!(side.calls(), []);
        side.holds(rtc, 0);
        assert_eq!(side.calls(), [Call::CloseChannel(rtc)]);
        side.rtc(rtc, RtcInput::ChannelClosed);
        assert_eq!(side.calls(), [Call::Close(rtc)]);
        assert_eq!(side.events(), []);
        assert_eq!(side.shell.read(Shell::connections), 0);
    }

    #[test]
    fn an_empty_channel_is_closed_at_once() {
        let (side, link, rtc) = Side::dialled(limits());
        side.shell.act(|shell| shell.hangup(link));
        assert_eq!(
            side.calls(),
            [Call::LowWater(rtc, 0), Call::CloseChannel(rtc)]
        );
    }

    #[test]
    fn whoever_leaves_frees_the_id_first_and_stays_until_everything_is_sent() {
        let (side, link, rtc) = Side::dialled(limits());
        side.send(link, 10);
        side.calls();
        let state = Rc::clone(&side.state);
        let (left, reporter) = side.leave();
        let calls = std::mem::take(&mut state.borrow_mut().calls);
        assert_eq!(calls[..2], [Call::CloseSocket, Call::LowWater(rtc, 0)]);
        assert!(left.upgrade().is_some(), "it still sends");
        state.borrow_mut().held.insert(rtc, 0);
        reporter.report(Input::Rtc(rtc, RtcInput::Buffered));
        reporter.report(Input::Rtc(rtc, RtcInput::ChannelClosed));
        assert!(left.upgrade().is_none(), "it is over");
        reporter.report(Input::Wake);
    }

    #[test]
    fn whoever_leaves_does_not_wait_for_ever() {
        let (side, link, _) = Side::dialled(limits());
        side.send(link, 10);
        let state = Rc::clone(&side.state);
        let (left, reporter) = side.leave();
        state.borrow_mut().pass(Duration::from_secs(10));
        reporter.report(Input::Timeout);
        assert!(left.upgrade().is_none());
    }

    #[test]
    fn a_link_that_comes_up_when_everybody_has_left_is_hung_up() {
        let side = Side::registered(limits());
        side.offer();
        let rtc = RtcId(1);
        side.rtc(rtc, RtcInput::Description(chromium_sdp([1; 32])));
        let state = Rc::clone(&side.state);
        let (left, reporter) = side.leave();
        state.borrow_mut().calls.clear();
        reporter.report(Input::Rtc(rtc, RtcInput::Channel(ChannelKind::RELIABLE)));
        assert!(state.borrow().calls.contains(&Call::CloseChannel(rtc)));
        reporter.report(Input::Rtc(rtc, RtcInput::ChannelClosed));
        assert!(left.upgrade().is_none());
    }

    #[test]
    fn a_page_that_goes_away_takes_everything_with_it() {
        let (side, link, rtc) = Side::dialled(limits());
        side.report(Input::Suspended("the page went away"));
        assert_eq!(side.calls(), [Call::Close(rtc), Call::CloseSocket]);
        assert_eq!(side.events(), [lost(link, "the page went away")]);
        // It comes back.
        side.report(Input::Wake);
        assert_eq!(side.calls(), [Call::OpenSocket(SocketId(2))]);
        assert_eq!(side.events(), [TransportEvent::Wake]);
    }

    #[test]
    fn whoever_was_replaced_comes_back_when_it_is_seen_or_asked_to() {
        let claims: [fn(&Side); 2] = [
            |side| side.report(Input::Seen),
            |side| side.shell.act(Shell::claim),
        ];
        for claim in claims {
            let side = Side::registered(limits());
            side.report(Input::SocketClosed(SocketId(1), Some(4001)));
            let state = side.shell.read(Shell::registration);
            assert!(
                matches!(state, RegistrationState::Yielded { .. }),
                "{state:?}"
            );
            side.calls();
            claim(&side);
            let state = side.shell.read(Shell::registration);
            assert_eq!(state, RegistrationState::Connecting);
            assert!(side.calls().contains(&Call::OpenSocket(SocketId(2))));
        }
    }
}

mod failures {
    use super::*;

    #[test]
    fn a_peer_connection_that_cannot_be_made_ends_its_dial() {
        let side = Side::registered(limits());
        let (rtc, why) = (RtcId(1), "too many of them");
        side.state.borrow_mut().failing = Some((Call::Offer(rtc), why));
        let link = LinkId::dialled(1);
        side.shell.act(|shell| shell.dial(link, &address(2)));
        // It is not closed, since there never was one.
        assert_eq!(side.calls(), [Call::Offer(rtc)]);
        let reason = DownReason::DialFailed(why.into());
        assert_eq!(side.events(), [TransportEvent::LinkDown { link, reason }]);
    }

    #[test]
    fn a_socket_that_cannot_be_opened_is_tried_again() {
        let side = Side::new(limits());
        side.state.borrow_mut().failing = Some((Call::OpenSocket(SocketId(1)), "not from here"));
        side.shell.act(Shell::run);
        let RegistrationState::Disconnected { retry_at, .. } = side.shell.read(Shell::registration)
        else {
            panic!("{:?}", side.shell.read(Shell::registration));
        };
        assert_eq!(side.timer(), Some(retry_at));
        side.calls();
        side.after(retry_at - Moment::START);
        assert_eq!(side.calls(), [Call::OpenSocket(SocketId(2))]);
    }

    #[test]
    fn whoever_asks_has_the_server_tried_at_once_and_takes_nobodys_address() {
        for (code, is_yielded) in [(None, false), (Some(4001), true)] {
            let side = Side::registered(limits());
            side.report(Input::SocketClosed(SocketId(1), code));
            side.calls();
            side.shell.act(Shell::retry);
            let calls = side.calls();
            assert!(calls.contains(&Call::OpenSocket(SocketId(2))), "{calls:?}");
            // Dials that wait for the server are not all that there is to try again.
            assert_eq!(side.events(), [TransportEvent::Wake]);
            let state = side.shell.read(Shell::registration);
            let has_yielded = matches!(state, RegistrationState::Yielded { .. });
            assert_eq!(has_yielded, is_yielded, "it only asks if it is free");
        }
    }

    #[test]
    fn an_offer_that_is_refused_is_noticed_and_costs_no_connection() {
        let side = Side::registered(limits());
        side.server_says(
            &json!({ "type": "OFFER", "src": address(2).to_string(), "payload": {
                "sdp": { "type": "offer", "sdp": chromium_sdp([2; 32]) }, "type": "media",
                "connectionId": "mc_1",
            }}),
        );
        let calls = side.calls();
        assert!(
            matches!(&calls[..], [Call::SendSocket(said), Call::Notice] if said.contains("EXPIRE")),
            "{calls:?}"
        );
    }

    #[test]
    fn whoever_finds_no_room_is_remembered_and_others_are_not() {
        let side = Side::registered(WireLimits {
            max_connections: 1,
            ..limits()
        });
        side.server_says(
            &json!({ "type": "OFFER", "src": address(2).to_string(), "payload": {
                "sdp": { "type": "offer", "sdp": chromium_sdp([2; 32]) }, "type": "media",
                "connectionId": "mc_1",
            }}),
        );
        assert_eq!(side.shell.read(Shell::turned_away), None);
        side.offer();
        side.rtc(RtcId(1), RtcInput::Description(chromium_sdp([1; 32])));
        side.rtc(RtcId(1), RtcInput::Channel(ChannelKind::RELIABLE));
        side.rtc(RtcId(1), RtcInput::ChannelOpen);
        side.after(SECOND);
        side.server_says(
            &json!({ "type": "OFFER", "src": address(3).to_string(), "payload": {
                "sdp": { "type": "offer", "sdp": chromium_sdp([3; 32]) }, "type": "data",
                "connectionId": "dc_3", "reliable": true, "serialization": "raw",
            }}),
        );
        let now = Moment::START + SECOND;
        assert_eq!(side.shell.read(Shell::turned_away), Some(now));
    }

    #[test]
    fn a_channel_of_another_kind_is_refused() {
        let side = Side::registered(limits());
        side.offer();
        let rtc = RtcId(1);
        side.rtc(rtc, RtcInput::Description(chromium_sdp([1; 32])));
        side.calls();
        let lossy = ChannelKind {
            lossy: true,
            ..ChannelKind::RELIABLE
        };
        side.rtc(rtc, RtcInput::Channel(lossy));
        let calls = side.calls();
        assert_eq!(calls[0], Call::TakeChannel(rtc));
        assert_eq!(calls[2..], [Call::Notice, Call::Close(rtc)]);
    }
}

#[test]
fn servers_that_are_handed_out_are_there_before_the_dial_that_waits_for_them() {
    let side = Side::new(limits());
    side.shell.act(Shell::run);
    side.shell
        .act(|shell| shell.dial(LinkId::dialled(1), &address(2)));
    side.report(Input::SocketOpen(SocketId(1)));
    side.calls();
    side.server_says(&json!({ "type": "HUSTINGS-ICE", "payload": {
        "iceServers": [{ "urls": ["stun:a"] }, { "urls": ["stun:b"] }], "lifetime": 600,
    }}));
    side.server_says(&json!({ "type": "OPEN" }));
    // Beside those that it has by default.
    let expected = [Call::IceServers(3), Call::Offer(RtcId(1))];
    let of_interest = |call: &Call| matches!(call, Call::IceServers(_) | Call::Offer(_));
    let calls: Vec<_> = side.calls().into_iter().filter(of_interest).collect();
    assert_eq!(calls, expected);
}
