//! Dialling, order, bounds and good endings, to the millisecond and the byte. The part that is
//! every transport's is in `contract.rs`.

mod common;

use bytes::Bytes;
use common::*;
use hustings_room::transport::{SendOutcome, TransportEvent};
use hustings_room::{DownReason, LinkId};
use hustings_transport_mem::{AddressTaken, Latency, Network};

#[test]
fn a_dial_takes_one_latency_to_arrive_and_one_to_be_answered() {
    let mut pair = Pair::new();
    pair.network.dial(pair.a, LINK, &address(2), pair.now);
    assert_eq!(pair.network.next_at(), Some(at(10)));
    assert!(pair.pass(9).is_empty());

    let events = pair.pass(1);
    assert!(is_up(&events[0].1, ACCEPTED));
    assert_eq!((events.len(), events[0].0), (1, pair.b));
    assert_eq!(
        pair.network.send(pair.a, LINK, frame(0), pair.now),
        SendOutcome::Gone
    );

    let events = pair.pass(10);
    assert!(is_up(&events[0].1, LINK));
    assert_eq!((events.len(), events[0].0), (1, pair.a));
    assert_eq!(pair.network.next_at(), None);
}

#[test]
fn both_ends_bind_the_same_channel_and_no_two_links_do() {
    let mut pair = Pair::new();
    pair.network.dial(pair.a, LINK, &address(2), pair.now);
    pair.network
        .dial(pair.a, LinkId::dialled(2), &address(2), pair.now);
    let mut bindings = Vec::new();
    for (_, event) in pair.run() {
        let TransportEvent::LinkUp { binding, .. } = event else {
            panic!("{event:?}")
        };
        assert_eq!(binding.local, binding.remote);
        bindings.push(binding.local);
    }
    let [b1, b2, a1, a2] = bindings.try_into().unwrap();
    assert_eq!((&a1, &a2), (&b1, &b2));
    assert_ne!(a1, a2);
}

#[test]
fn frames_of_a_link_keep_their_order_and_those_of_two_links_may_not() {
    let latency = Latency {
        min: millis(1),
        max: millis(100),
    };
    let mut pair = Pair::with_latency(latency);
    let second = LinkId::dialled(2);
    pair.network.dial(pair.a, LINK, &address(2), pair.now);
    pair.network.dial(pair.a, second, &address(2), pair.now);
    pair.run();
    for n in 0..100 {
        let link = if n % 2 == 0 { LINK } else { second };
        assert_eq!(
            pair.network.send(pair.a, link, frame(n), pair.now),
            SendOutcome::Queued
        );
    }
    let number = |(_, event)| {
        let TransportEvent::Frame { frame, .. } = event else {
            panic!("{event:?}")
        };
        usize::from(frame[7])
    };
    let arrived: Vec<usize> = pair.run().into_iter().map(number).collect();
    let of = |parity| arrived.iter().filter(move |n| *n % 2 == parity);
    assert!(of(0).is_sorted() && of(1).is_sorted());
    assert!(!arrived.is_sorted());
    assert_eq!(arrived.len(), 100);
}

#[test]
fn without_latency_everything_is_due_at_once_in_the_order_of_sending() {
    let mut pair = Pair::with_latency(Latency::ZERO);
    pair.connect();
    pair.send(0..3);
    assert_eq!(pair.network.next_at(), Some(pair.now));
    assert_eq!(pair.due_at_b(), [0, 1, 2].map(|n| frame_event(ACCEPTED, n)));
}

#[test]
fn a_shorter_latency_overtakes_nothing_on_its_link() {
    let mut pair = Pair::connected();
    pair.send(0..1);
    pair.network.set_latency(Latency::ZERO);
    pair.send(1..2);
    assert!(pair.due().is_empty());
    pair.pass(10);
    pair.send(2..3);
    assert_eq!(pair.due_at_b(), [frame_event(ACCEPTED, 2)]);
}

#[test]
fn a_frame_travels_without_a_copy() {
    let mut pair = Pair::connected();
    let payload = Bytes::from(vec![7; 200]);
    pair.network
        .broadcast(pair.a, &[LINK], None, &payload, &mut Vec::new(), pair.now);
    let events = pair.run();
    let (_, TransportEvent::Frame { frame, .. }) = &events[0] else {
        panic!("{events:?}")
    };
    assert_eq!(frame.as_ptr(), payload.as_ptr());
}

#[test]
fn nobody_at_the_address_is_unreachable() {
    let mut pair = Pair::new();
    pair.network.dial(pair.a, LINK, &address(3), pair.now);
    let down = TransportEvent::LinkDown {
        link: LINK,
        reason: DownReason::Unreachable,
    };
    assert_eq!(pair.run(), [(pair.a, down)]);
    assert_eq!(pair.now, at(20));
    assert!(pair.network.links(pair.a).is_empty());
}

#[test]
fn an_address_is_taken_until_its_process_ends() {
    let mut pair = Pair::connected();
    assert_eq!(
        pair.network.attach(address(1)),
        Err(AddressTaken(address(1)))
    );
    pair.network.detach(pair.a, pair.now);
    let restarted = pair.network.attach(address(1)).unwrap();
    assert_ne!(restarted, pair.a);
    assert_eq!(
        pair.network.send(pair.a, LINK, frame(0), pair.now),
        SendOutcome::Gone
    );
    assert!(pair.network.links(restarted).is_empty());
}

#[test]
fn a_link_id_is_used_once() {
    let mut pair = Pair::connected();
    pair.network.dial(pair.a, LINK, &address(2), pair.now);
    pair.network
        .dial(pair.a, LinkId::accepted(9), &address(2), pair.now);
    assert!(pair.run().is_empty());
    assert_eq!(pair.network.links(pair.a), [LINK]);
}

#[test]
fn a_process_can_dial_itself() {
    let mut pair = Pair::new();
    pair.network.dial(pair.a, LINK, &address(1), pair.now);
    assert_eq!(pair.run().len(), 2);
    pair.send(0..1);
    assert_eq!(pair.run(), [(pair.a, frame_event(ACCEPTED, 0))]);
    pair.network.hangup(pair.a, LINK, pair.now);
    assert_eq!(pair.run(), [(pair.a, closed(ACCEPTED))]);
}

#[test]
fn a_queue_is_bounded_and_says_when_it_has_drained() {
    let mut pair = Pair::connected();
    pair.network.set_queue_limit(80);
    let twenty = Bytes::from_static(&[0; 20]);
    let mut outcomes = Vec::new();
    for _ in 0..7 {
        outcomes.push(pair.network.send(pair.a, LINK, twenty.clone(), pair.now));
    }
    assert_eq!(outcomes[..5], [SendOutcome::Queued; 5]);
    assert_eq!(outcomes[5..], [SendOutcome::Blocked; 2]);

    // The frames count until b takes them.
    pair.now = at(1_000);
    for _ in 0..2 {
        assert!(pair.network.poll_endpoint(pair.b, pair.now).is_some());
        assert_eq!(pair.network.poll_endpoint(pair.a, pair.now), None);
    }
    assert!(pair.network.poll_endpoint(pair.b, pair.now).is_some());
    let writable = Some(TransportEvent::Writable { link: LINK });
    assert_eq!(pair.network.poll_endpoint(pair.a, pair.now), writable);
    // Once however many were blocked, and not for what never was.
    assert_eq!(pair.run().len(), 2);
    assert_eq!(
        pair.network.send(pair.a, LINK, twenty, pair.now),
        SendOutcome::Queued
    );
    assert_eq!(pair.run().len(), 1);
}

#[test]
fn empty_frames_count_too() {
    let mut pair = Pair::connected();
    pair.network.set_queue_limit(1);
    for outcome in [
        SendOutcome::Queued,
        SendOutcome::Queued,
        SendOutcome::Blocked,
    ] {
        assert_eq!(
            pair.network.send(pair.a, LINK, Bytes::new(), pair.now),
            outcome
        );
    }
}

#[test]
fn a_hangup_takes_back_what_was_delivered_and_not_taken() {
    let mut pair = Pair::with_latency(Latency::ZERO);
    pair.connect();
    assert_eq!(pair.answer(0), SendOutcome::Queued);
    pair.network.hangup(pair.a, LINK, pair.now);
    assert_eq!(pair.run(), [(pair.b, closed(ACCEPTED))]);
}

#[test]
fn a_process_that_ends_in_good_order_closes_every_link_after_what_it_sent() {
    let mut pair = Pair::connected();
    let c = pair.network.attach(address(3)).unwrap();
    pair.network.dial(c, LINK, &address(1), pair.now);
    pair.run();
    pair.send(0..1);
    pair.network.detach(pair.a, pair.now);
    let expected = [
        (pair.b, frame_event(ACCEPTED, 0)),
        (pair.b, closed(ACCEPTED)),
        (c, closed(LINK)),
    ];
    let mut events = pair.run();
    events.sort_by_key(|(endpoint, _)| *endpoint);
    assert_eq!(events, expected);
}

#[test]
fn links_can_be_listed() {
    let mut pair = Pair::connected();
    assert_eq!(pair.network.links(pair.a), [LINK]);
    assert_eq!(pair.network.links_to(pair.b, &address(1)), [ACCEPTED]);
    assert_eq!(pair.network.links_to(pair.b, &address(3)), []);
    assert_eq!(pair.network.endpoint_at(&address(2)), Some(pair.b));
    pair.network.hangup(pair.a, LINK, pair.now);
    assert_eq!(pair.network.links(pair.a), []);
    assert_eq!(pair.network.links(pair.b), [ACCEPTED]);
    pair.run();
    assert_eq!(pair.network.links(pair.b), []);
}

#[test]
fn everybody_is_served_in_the_order_of_delivery() {
    let mut network = Network::new(1, Latency::ZERO);
    let hub = network.attach(address(0)).unwrap();
    let spokes: Vec<_> = (1..=5)
        .map(|n| network.attach(address(n)).unwrap())
        .collect();
    for spoke in &spokes {
        network.dial(*spoke, LINK, &address(0), at(0));
    }
    while network.poll(at(0)).is_some() {}

    // Interleaved, with one inbox that was partly emptied on the side.
    for round in 0..3 {
        for n in [3, 1, 5, 2, 4] {
            network.send(hub, LinkId::accepted(n), frame(round), at(round as u64));
        }
    }
    assert_eq!(
        network.poll_endpoint(spokes[2], at(2)),
        Some(frame_event(LINK, 0))
    );
    let order: Vec<_> = std::iter::from_fn(|| network.poll(at(2)))
        .map(|(to, _)| to)
        .collect();
    let expected = [1, 5, 2, 4, 3, 1, 5, 2, 4, 3, 1, 5, 2, 4].map(|n: usize| spokes[n - 1]);
    assert_eq!(order, expected);
}

#[test]
fn what_is_due_at_the_same_moment_arrives_in_the_order_of_sending() {
    let mut pair = Pair::connected();
    let second = LinkId::dialled(2);
    pair.network.dial(pair.a, second, &address(2), pair.now);
    pair.run();
    let links = [second, LINK, LINK, second, LINK];
    for (n, link) in links.into_iter().enumerate() {
        assert_eq!(
            pair.network.send(pair.a, link, frame(n), pair.now),
            SendOutcome::Queued
        );
    }
    let arrived: Vec<_> = pair.run().into_iter().map(|(_, event)| event).collect();
    let there = |link| {
        if link == LINK {
            ACCEPTED
        } else {
            LinkId::accepted(2)
        }
    };
    let expected: Vec<_> = links
        .into_iter()
        .enumerate()
        .map(|(n, link)| frame_event(there(link), n))
        .collect();
    assert_eq!(arrived, expected);
}

#[test]
fn a_clock_that_runs_backwards_changes_nothing() {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.network.send(pair.a, LINK, frame(0), at(0));
    assert_eq!(pair.network.now(), now);
    assert_eq!(pair.network.next_at(), Some(now + millis(10)));
    assert_eq!(pair.network.poll(at(3)), None);
    assert_eq!(pair.run(), [(pair.b, frame_event(ACCEPTED, 0))]);
}
