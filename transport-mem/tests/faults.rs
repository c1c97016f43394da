//! The faults, and what each does to the two ends of a link.

mod common;

use common::*;
use hustings_room::transport::{SendOutcome, TransportEvent};
use hustings_room::{DownReason, LinkId};
use hustings_transport_mem::{Direction, Faults, Latency, Network};

#[test]
fn a_cut_loses_what_is_on_its_way_and_tells_both_ends_once() {
    let mut pair = Pair::connected();
    pair.send(0..2);
    pair.now = pair.now + millis(5);
    pair.send(2..4);
    pair.now = pair.now + millis(5);
    pair.network.cut(&address(2), &address(1), pair.now);
    assert_eq!(
        pair.network.send(pair.a, LINK, frame(9), pair.now),
        SendOutcome::Gone
    );
    let events = pair.run();
    // A prefix: what had arrived stays.
    assert_eq!(
        events[..2],
        [0, 1].map(|n| (pair.b, frame_event(ACCEPTED, n)))
    );
    assert!(events[2].0 == pair.a && is_lost(&events[2].1, LINK));
    assert!(events[3].0 == pair.b && is_lost(&events[3].1, ACCEPTED));
    assert_eq!(events.len(), 4);
}

#[test]
fn a_cut_link_is_one_of_several() {
    let mut pair = Pair::connected();
    let second = LinkId::dialled(2);
    pair.network.dial(pair.a, second, &address(2), pair.now);
    pair.run();
    pair.network.cut_link(pair.b, ACCEPTED, pair.now);
    assert_eq!(pair.run().len(), 2);
    assert_eq!(
        pair.network.send(pair.a, LINK, frame(0), pair.now),
        SendOutcome::Gone
    );
    assert_eq!(
        pair.network.send(pair.a, second, frame(0), pair.now),
        SendOutcome::Queued
    );
}

#[test]
fn what_a_cut_lost_does_not_hurry_the_next_link() {
    let mut pair = Pair::connected();
    pair.send(0..1);
    pair.network.cut_link(pair.a, LINK, pair.now);
    assert_eq!(pair.due().len(), 2);
    pair.pass(5);
    pair.network
        .dial(pair.a, LinkId::dialled(2), &address(2), pair.now);
    assert!(pair.pass(9).is_empty());
    assert_eq!(pair.pass(1).len(), 1);
}

#[test]
fn a_cut_ends_a_dial_too() {
    let mut pair = Pair::new();
    pair.network.dial(pair.a, LINK, &address(2), pair.now);
    pair.network.cut(&address(1), &address(2), pair.now);
    let events = pair.run();
    assert!(is_dial_failed(&events[0].1, LINK));
    assert_eq!(events.len(), 1);
}

#[test]
fn a_half_open_link_swallows_one_direction_and_tells_nobody() {
    let mut pair = Pair::connected();
    pair.send(0..1);
    pair.network
        .half_open(pair.a, LINK, Direction::Outgoing, pair.now);
    pair.send(1..2);
    assert_eq!(pair.answer(5), SendOutcome::Queued);
    assert_eq!(pair.run(), [(pair.a, frame_event(LINK, 5))]);
    pair.now = at(3_600_000);
    assert!(pair.run().is_empty());

    pair.network.cut(&address(1), &address(2), pair.now);
    assert_eq!(pair.run().len(), 2);
}

#[test]
fn the_directions_are_seen_from_the_process_that_is_named() {
    let mut pair = Pair::connected();
    pair.network
        .half_open(pair.a, LINK, Direction::Incoming, pair.now);
    pair.send(0..1);
    pair.answer(1);
    assert_eq!(pair.run(), [(pair.b, frame_event(ACCEPTED, 0))]);
    pair.network
        .half_open(pair.b, ACCEPTED, Direction::Both, pair.now);
    pair.send(2..3);
    assert!(pair.run().is_empty());
}

#[test]
fn a_healed_link_goes_on_if_it_has_no_gap() {
    let mut pair = Pair::connected();
    pair.network
        .half_open(pair.a, LINK, Direction::Both, pair.now);
    pair.pass(60_000);
    pair.network.heal(pair.b, ACCEPTED, pair.now);
    pair.send(0..1);
    assert_eq!(pair.run(), [(pair.b, frame_event(ACCEPTED, 0))]);
}

#[test]
fn a_healed_link_is_lost_if_it_has_a_gap() {
    let mut pair = Pair::connected();
    pair.network
        .half_open(pair.a, LINK, Direction::Both, pair.now);
    pair.send(0..1);
    pair.pass(60_000);
    pair.network.heal(pair.b, ACCEPTED, pair.now);
    pair.network.heal(pair.b, ACCEPTED, pair.now);
    let events = pair.run();
    assert!(is_lost(&events[0].1, LINK) && is_lost(&events[1].1, ACCEPTED));
    assert_eq!(events.len(), 2);
}

#[test]
fn what_vanishes_is_never_acknowledged_so_the_link_fills_up() {
    let mut pair = Pair::connected();
    pair.network.set_queue_limit(20);
    pair.network
        .half_open(pair.a, LINK, Direction::Outgoing, pair.now);
    pair.send(0..3);
    assert_eq!(
        pair.network.send(pair.a, LINK, frame(3), pair.now),
        SendOutcome::Blocked
    );
    assert!(pair.run().is_empty());
}

#[test]
fn the_other_end_of_a_half_open_link_does_not_hear_of_a_hangup_before_it_heals() {
    let mut pair = Pair::connected();
    pair.network
        .half_open(pair.a, LINK, Direction::Both, pair.now);
    pair.network.hangup(pair.a, LINK, pair.now);
    assert!(pair.run().is_empty());
    assert_eq!(pair.answer(0), SendOutcome::Queued);
    pair.network.heal(pair.b, ACCEPTED, pair.now);
    let events = pair.run();
    assert!(is_lost(&events[0].1, ACCEPTED));
    assert_eq!(events.len(), 1);
}

#[test]
fn a_stalled_reader_fills_the_link_of_the_writer() {
    let mut pair = Pair::connected();
    pair.network.set_queue_limit(20);
    pair.network.stall(pair.b, ACCEPTED, pair.now);
    pair.send(0..3);
    assert!(pair.pass(1_000).is_empty());
    assert_eq!(pair.network.next_at(), None);
    assert_eq!(
        pair.network.send(pair.a, LINK, frame(3), pair.now),
        SendOutcome::Blocked
    );
    // The other direction is as it was.
    pair.answer(7);
    assert_eq!(pair.run(), [(pair.a, frame_event(LINK, 7))]);

    pair.network.resume(pair.b, ACCEPTED, pair.now);
    let writable = (pair.a, TransportEvent::Writable { link: LINK });
    let frames = [0, 1, 2].map(|n| (pair.b, frame_event(ACCEPTED, n)));
    let events = pair.due();
    assert_eq!(events[..3], frames);
    assert_eq!(events[3..], [writable]);
}

#[test]
fn a_stall_holds_up_what_is_on_its_way() {
    let mut pair = Pair::connected();
    pair.send(0..1);
    pair.pass(5);
    pair.network.stall(pair.b, ACCEPTED, pair.now);
    assert!(pair.pass(1_000).is_empty());
    pair.network.resume(pair.b, ACCEPTED, pair.now);
    assert_eq!(pair.due_at_b(), [frame_event(ACCEPTED, 0)]);
}

#[test]
fn a_stall_holds_up_a_hangup_and_no_cut() {
    let mut pair = Pair::connected();
    pair.network.stall(pair.b, ACCEPTED, pair.now);
    pair.send(0..1);
    pair.network.hangup(pair.a, LINK, pair.now);
    assert!(pair.run().is_empty());
    pair.network.cut_link(pair.b, ACCEPTED, pair.now);
    let events = pair.run();
    assert!(is_lost(&events[0].1, ACCEPTED));
    assert_eq!(events.len(), 1);
}

#[test]
fn a_refused_address_is_unreachable_and_keeps_its_links() {
    let mut pair = Pair::connected();
    pair.network.refuse(&address(2), true);
    let second = LinkId::dialled(2);
    pair.network.dial(pair.a, second, &address(2), pair.now);
    let down = TransportEvent::LinkDown {
        link: second,
        reason: DownReason::Unreachable,
    };
    assert_eq!(pair.run(), [(pair.a, down)]);
    pair.send(0..1);
    assert_eq!(pair.run().len(), 1);

    pair.network.refuse(&address(2), false);
    pair.network
        .dial(pair.a, LinkId::dialled(3), &address(2), pair.now);
    assert_eq!(pair.run().len(), 2);
}

#[test]
fn a_dial_from_or_to_an_isolated_address_times_out() {
    for unplugged in [1, 2] {
        let mut pair = Pair::new();
        pair.network.isolate(&address(unplugged), true, pair.now);
        pair.network.dial(pair.a, LINK, &address(2), pair.now);
        assert!(pair.pass(14_999).is_empty());
        let events = pair.pass(1);
        assert!(is_dial_failed(&events[0].1, LINK));
        assert_eq!(events.len(), 1);
        assert_eq!(pair.network.next_at(), None);
    }
}

#[test]
fn a_dial_whose_answer_vanishes_times_out_too() {
    let mut pair = Pair::new();
    pair.network.set_dial_timeout(millis(100));
    pair.network.dial(pair.a, LINK, &address(2), pair.now);
    assert_eq!(pair.pass(10).len(), 1);
    pair.network
        .half_open(pair.b, ACCEPTED, Direction::Outgoing, pair.now);
    let events = pair.run();
    // The side that dialled gives up, and the other one can hear of that.
    assert!(events[0].0 == pair.a && is_dial_failed(&events[0].1, LINK));
    assert_eq!(events[1..], [(pair.b, closed(ACCEPTED))]);
    assert_eq!(pair.now, at(110));
}

#[test]
fn an_isolated_address_falls_silent_until_its_cable_is_back() {
    let mut pair = Pair::connected();
    let c = pair.network.attach(address(3)).unwrap();
    pair.network.dial(c, LINK, &address(2), pair.now);
    pair.run();

    pair.send(0..1);
    pair.network.isolate(&address(2), true, pair.now);
    assert_eq!(pair.answer(1), SendOutcome::Queued);
    assert!(pair.pass(60_000).is_empty());

    pair.network.isolate(&address(2), false, pair.now);
    let events = pair.run();
    assert!(is_lost(&events[0].1, LINK) && is_lost(&events[1].1, ACCEPTED));
    assert_eq!(events[2..], [(pair.b, TransportEvent::Wake)]);
    // Nothing had vanished on the link of c.
    assert_eq!(
        pair.network.send(c, LINK, frame(2), pair.now),
        SendOutcome::Queued
    );
    assert_eq!(pair.run(), [(pair.b, frame_event(LinkId::accepted(2), 2))]);
}

#[test]
fn isolation_outlasts_a_restart() {
    let mut pair = Pair::new();
    pair.network.isolate(&address(1), true, pair.now);
    pair.network.detach(pair.a, pair.now);
    pair.a = pair.network.attach(address(1)).unwrap();
    pair.network.dial(pair.a, LINK, &address(2), pair.now);
    assert!(pair.pass(1_000).is_empty());
}

#[test]
fn a_crash_is_noticed_after_the_detection_delay_and_frees_the_address_at_once() {
    let mut pair = Pair::connected();
    pair.network.set_detection(millis(700));
    pair.network.crash(pair.a, pair.now);
    let restarted = pair.network.attach(address(1)).unwrap();
    // What is sent to the dead process vanishes, and does not reach the next one.
    assert_eq!(pair.answer(0), SendOutcome::Queued);
    assert!(pair.pass(699).is_empty());
    let events = pair.pass(1);
    assert!(events[0].0 == pair.b && is_lost(&events[0].1, ACCEPTED));
    assert_eq!(events.len(), 1);

    pair.network.dial(restarted, LINK, &address(2), pair.now);
    assert!(is_up(&pair.run()[0].1, LinkId::accepted(2)));
}

#[test]
fn a_prefix_of_what_a_crashed_process_sent_arrives() {
    let mut lengths = Vec::new();
    for seed in 0..200 {
        let mut network = Network::new(seed, Latency::ZERO);
        let a = network.attach(address(1)).unwrap();
        let b = network.attach(address(2)).unwrap();
        network.dial(a, LINK, &address(2), at(0));
        while network.poll(at(0)).is_some() {}
        network.set_latency(Latency::fixed(millis(10)));
        for n in 0..3 {
            network.send(a, LINK, frame(n), at(0));
        }
        network.crash(a, at(5));
        let mut events = Vec::new();
        while let Some(now) = network.next_at() {
            events.extend(std::iter::from_fn(|| network.poll(now)));
        }
        let (end, down) = events.pop().unwrap();
        assert!(end == b && is_lost(&down, ACCEPTED));
        for (n, event) in events.iter().enumerate() {
            assert_eq!(*event, (b, frame_event(ACCEPTED, n)));
        }
        lengths.push(events.len());
    }
    for length in 0..=3 {
        assert!(
            lengths.contains(&length),
            "no seed lets {length} frames arrive"
        );
    }
}

#[test]
fn a_crash_loses_what_a_stalled_reader_held_up() {
    let mut pair = Pair::connected();
    pair.network.stall(pair.b, ACCEPTED, pair.now);
    pair.send(0..3);
    pair.network.crash(pair.a, pair.now);
    let events = pair.run();
    assert!(is_lost(&events[0].1, ACCEPTED));
    assert_eq!(events.len(), 1);
}

#[test]
fn a_crashed_process_takes_nothing_any_more() {
    let mut pair = Pair::with_latency(Latency::ZERO);
    pair.connect();
    pair.send(0..1);
    pair.network.crash(pair.b, pair.now);
    assert_eq!(pair.network.poll_endpoint(pair.b, pair.now), None);
    let events = pair.run();
    assert!(events[0].0 == pair.a && is_lost(&events[0].1, LINK));
    assert_eq!(events.len(), 1);
}

#[test]
fn drawn_faults_come_from_the_seed() {
    let trace = |seed, faults| {
        let mut network = Network::new(seed, Latency::ZERO);
        network.set_faults(faults);
        let a = network.attach(address(1)).unwrap();
        network.attach(address(2)).unwrap();
        let mut trace = Vec::new();
        for n in 0..20 {
            let link = LinkId::dialled(n);
            network.dial(a, link, &address(2), at(n));
            for n in 0..5 {
                network.send(a, link, frame(n), at(0));
            }
            trace.extend(std::iter::from_fn(|| network.poll(at(n))));
        }
        trace
    };
    let faults = Faults {
        cut_per_frame: 0.1,
        silence_per_frame: 0.05,
        refuse_per_dial: 0.3,
    };
    let first = trace(1, faults);
    assert_eq!(first, trace(1, faults));
    assert_ne!(first, trace(2, faults));

    let reason_of = |event: &TransportEvent| match event {
        TransportEvent::LinkDown { reason, .. } => Some(reason.clone()),
        TransportEvent::LinkUp { .. }
        | TransportEvent::Frame { .. }
        | TransportEvent::Writable { .. }
        | TransportEvent::Wake
        | TransportEvent::Failed(_) => None,
    };
    let reasons: Vec<_> = first
        .iter()
        .filter_map(|(_, event)| reason_of(event))
        .collect();
    assert!(reasons.contains(&DownReason::Unreachable));
    assert!(
        reasons
            .iter()
            .any(|reason| matches!(reason, DownReason::Lost(_)))
    );
    assert_eq!(trace(1, Faults::NONE).len(), 20 * (2 + 5));
}
