//! The transport: wake-ups, time, and what a process that ends leaves behind.
#![allow(clippy::unwrap_used)] // Only fixtures and checks.

mod common;

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;
use std::thread;

use common::*;
use futures::executor::block_on;
use futures::task::{ArcWake, waker};
use hustings_room::clock::{Clock, SystemClock};
use hustings_room::transport::{SendOutcome, Transport, TransportError, TransportEvent};
use hustings_room::{DownReason, LinkId, Moment};
use hustings_transport_mem::{
    AddressTaken, Direction, Latency, MemTransport, MemoryNet, VirtualClock, VirtualRuntime,
};

struct Counter(AtomicUsize);

impl ArcWake for Counter {
    fn wake_by_ref(counter: &Arc<Self>) {
        counter.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A transport with a task of its own, polled by hand.
struct Process {
    transport: MemTransport,
    wakes: Arc<Counter>,
}

impl Process {
    fn new(net: &MemoryNet, n: u8) -> Self {
        let transport = net.transport(address(n)).unwrap();
        Self {
            transport,
            wakes: Arc::new(Counter(AtomicUsize::new(0))),
        }
    }

    /// Everything there is, and then waits.
    fn events(&mut self) -> Vec<TransportEvent> {
        let waker = waker(Arc::clone(&self.wakes));
        let mut cx = Context::from_waker(&waker);
        let mut events = Vec::new();
        while let std::task::Poll::Ready(event) = self.transport.poll_event(&mut cx) {
            events.push(event);
        }
        self.wakes.0.store(0, Ordering::SeqCst);
        events
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::SeqCst)
    }
}

fn net(latency: Latency) -> (MemoryNet, VirtualClock) {
    let clock = VirtualClock::new();
    (MemoryNet::new(7, latency, Arc::new(clock.clone())), clock)
}

#[test]
fn an_event_wakes_the_process_it_is_for_and_no_other() {
    let (net, _clock) = net(Latency::ZERO);
    let [mut a, mut b, mut c] = [1, 2, 3].map(|n| Process::new(&net, n));
    for process in [&mut a, &mut b, &mut c] {
        assert!(process.events().is_empty());
    }
    a.transport.dial(LINK, &address(2));
    assert_eq!([&a, &b, &c].map(Process::wakes), [1, 1, 0]);
    assert!(is_up(&b.events()[0], ACCEPTED) && is_up(&a.events()[0], LINK));

    let mut full = Vec::new();
    a.transport.broadcast(&[LINK], None, &frame(0), &mut full);
    a.transport.broadcast(&[LINK], None, &frame(1), &mut full);
    assert_eq!([&a, &b, &c].map(Process::wakes), [0, 1, 0]);
    assert_eq!(b.events(), [0, 1].map(|n| frame_event(ACCEPTED, n)));
    assert_eq!(full, []);
}

#[test]
fn what_is_on_its_way_is_waited_for_with_the_clock() {
    let (net, clock) = net(Latency::fixed(millis(10)));
    let [mut a, mut b, mut c] = [1, 2, 3].map(|n| Process::new(&net, n));
    assert!(c.events().is_empty());
    a.transport.dial(LINK, &address(2));
    assert!(a.events().is_empty() && b.events().is_empty());
    assert_eq!(clock.next_deadline(), Some(at(10)));

    clock.advance_to(at(10));
    assert!(is_up(&b.events()[0], ACCEPTED));
    assert!(a.events().is_empty());
    clock.advance_to(at(20));
    assert_eq!((a.wakes(), c.wakes()), (1, 0));
    assert!(is_up(&a.events()[0], LINK));
    assert_eq!(clock.next_deadline(), None);

    // A frame that will be there sooner than the one that is waited for.
    a.transport.send(LINK, frame(0));
    assert!(b.events().is_empty());
    net.set_latency(Latency::fixed(millis(1)));
    c.transport.dial(LINK, &address(2));
    assert_eq!(b.wakes(), 1);
    assert!(b.events().is_empty());
    assert_eq!(clock.next_deadline(), Some(at(21)));
    clock.advance_to(at(21));
    assert!(is_up(&b.events()[0], LinkId::accepted(2)));
    assert_eq!(clock.next_deadline(), Some(at(30)));
}

#[test]
fn an_address_is_taken_until_its_transport_is_dropped() {
    let (net, _clock) = net(Latency::ZERO);
    let first = net.transport(address(1)).unwrap();
    assert_eq!(
        net.transport(address(1)).unwrap_err(),
        AddressTaken(address(1))
    );
    drop(first);
    assert!(net.transport(address(1)).is_ok());
}

#[test]
fn a_killed_transport_is_missed_after_the_detection_delay() {
    let (net, clock) = net(Latency::ZERO);
    net.set_detection(millis(500));
    let [mut a, mut b] = [1, 2].map(|n| Process::new(&net, n));
    a.transport.dial(LINK, &address(2));
    b.events();
    a.events();
    a.transport.kill();
    assert!(net.transport(address(1)).is_ok());
    assert!(b.events().is_empty());
    assert_eq!(clock.next_deadline(), Some(at(500)));
    clock.advance_to_next();
    assert!(is_lost(&b.events()[0], ACCEPTED));
}

#[test]
fn a_transport_whose_process_was_crashed_says_so_once() {
    let (net, _clock) = net(Latency::ZERO);
    let mut a = Process::new(&net, 1);
    assert!(a.events().is_empty());
    net.crash(&address(1));
    assert_eq!(a.wakes(), 1);
    let mut next = Process::new(&net, 1);
    assert!(next.events().is_empty());
    let events = a.events();
    assert!(matches!(
        events[..],
        [TransportEvent::Failed(TransportError::Other(_))]
    ));
    assert_eq!(a.transport.send(LINK, frame(0)), SendOutcome::Gone);
    // Its end is no news for the process that has the address now.
    drop(a);
    next.transport.dial(LINK, &address(1));
    assert_eq!(next.events().len(), 2);
}

#[test]
fn faults_reach_the_tasks_they_concern() {
    let (net, clock) = net(Latency::ZERO);
    let [mut a, mut b] = [1, 2].map(|n| Process::new(&net, n));
    a.transport.dial(LINK, &address(2));
    b.events();
    a.events();

    net.set_queue_limit(4);
    net.stall(&address(2), ACCEPTED);
    a.transport.send(LINK, frame(0));
    assert_eq!(a.transport.send(LINK, frame(1)), SendOutcome::Blocked);
    assert!(b.events().is_empty());
    net.resume(&address(2), ACCEPTED);
    assert_eq!(b.wakes(), 1);
    assert_eq!(b.events(), [frame_event(ACCEPTED, 0)]);
    assert_eq!(a.events(), [TransportEvent::Writable { link: LINK }]);

    assert_eq!(net.links_to(&address(2), &address(1)), [ACCEPTED]);
    net.half_open(&address(2), ACCEPTED, Direction::Both);
    a.transport.send(LINK, frame(1));
    assert!(b.events().is_empty());
    net.heal(&address(2), ACCEPTED);
    assert!(is_lost(&a.events()[0], LINK) && is_lost(&b.events()[0], ACCEPTED));
    assert_eq!(net.links(&address(1)), []);

    net.refuse(&address(2), true);
    let second = LinkId::dialled(2);
    a.transport.dial(second, &address(2));
    assert!(matches!(a.events()[..], [TransportEvent::LinkDown { link, .. }] if link == second));
    net.refuse(&address(2), false);

    net.isolate(&address(1), true);
    let third = LinkId::dialled(3);
    a.transport.dial(third, &address(2));
    assert!(a.events().is_empty());
    clock.advance_by(millis(15_000));
    assert!(is_dial_failed(&a.events()[0], third));
    net.isolate(&address(1), false);
    assert_eq!(a.events(), [TransportEvent::Wake]);

    let fourth = LinkId::dialled(4);
    a.transport.dial(fourth, &address(2));
    assert_eq!(a.events().len(), 1);
    net.cut_link(&address(1), fourth);
    net.cut(&address(1), &address(2));
    assert!(is_lost(&a.events()[0], fourth));
}

/// A hub that answers, and clients that each send on a schedule of their own.
fn trace(seed: u64) -> Vec<(Moment, u8, TransportEvent)> {
    let mut runtime = VirtualRuntime::new();
    let clock = runtime.clock().clone();
    let latency = Latency {
        min: millis(5),
        max: millis(90),
    };
    let net = MemoryNet::new(seed, latency, Arc::new(clock.clone()));
    let trace = Rc::new(RefCell::new(Vec::new()));

    let mut hub = net.transport(address(0)).unwrap();
    let (hub_clock, hub_trace) = (clock.clone(), Rc::clone(&trace));
    runtime.spawn(async move {
        loop {
            let event = poll_fn(|cx| hub.poll_event(cx)).await;
            hub_trace
                .borrow_mut()
                .push((hub_clock.now(), 0, event.clone()));
            if let TransportEvent::Frame { link, frame } = event {
                hub.send(link, frame);
            }
        }
    });
    for n in 1..=20 {
        let mut client = net.transport(address(n)).unwrap();
        let (clock, trace) = (clock.clone(), Rc::clone(&trace));
        runtime.spawn(async move {
            client.dial(LINK, &address(0));
            loop {
                let event = poll_fn(|cx| client.poll_event(cx)).await;
                trace.borrow_mut().push((clock.now(), n, event));
                clock.sleep_until(clock.now() + millis(n.into())).await;
                client.send(LINK, frame(n.into()));
            }
        });
    }
    runtime.run_for(millis(1_000));
    trace.take()
}

#[test]
fn the_same_seed_gives_the_same_trace_to_the_tasks() {
    let first = trace(1);
    assert!(first.len() > 200);
    assert_eq!(first, trace(1));
    assert_ne!(first, trace(2));
}

#[test]
fn the_clock_may_be_the_machines() {
    let net = MemoryNet::new(7, Latency::fixed(millis(2)), Arc::new(SystemClock::new()));
    let mut a = net.transport(address(1)).unwrap();
    let mut b = net.transport(address(2)).unwrap();
    let started = SystemClock::new();
    a.dial(LINK, &address(2));
    assert!(is_up(&block_on(poll_fn(|cx| b.poll_event(cx))), ACCEPTED));
    assert!(is_up(&block_on(poll_fn(|cx| a.poll_event(cx))), LINK));
    a.send(LINK, frame(0));
    assert_eq!(
        block_on(poll_fn(|cx| b.poll_event(cx))),
        frame_event(ACCEPTED, 0)
    );
    assert!(started.now() >= at(6 - 2));
}

#[test]
fn threads_lose_no_wake_up() {
    const FRAMES: usize = 20_000;
    let (net, _clock) = net(Latency::ZERO);
    net.set_queue_limit(1_000);
    let mut receiver = net.transport(address(2)).unwrap();
    let mut sender = net.transport(address(1)).unwrap();

    let receiving = thread::spawn(move || {
        let mut expected = 0;
        loop {
            match block_on(poll_fn(|cx| receiver.poll_event(cx))) {
                TransportEvent::LinkUp { .. } => {}
                event @ TransportEvent::Frame { .. } => {
                    assert_eq!(event, frame_event(ACCEPTED, expected));
                    expected += 1;
                }
                TransportEvent::LinkDown {
                    link: ACCEPTED,
                    reason: DownReason::ClosedByPeer,
                } => {
                    return expected;
                }
                event @ (TransportEvent::LinkDown { .. }
                | TransportEvent::Writable { .. }
                | TransportEvent::Wake
                | TransportEvent::Failed(_)) => panic!("{event:?}"),
            }
        }
    });
    sender.dial(LINK, &address(2));
    assert!(is_up(&block_on(poll_fn(|cx| sender.poll_event(cx))), LINK));
    for n in 0..FRAMES {
        while sender.send(LINK, frame(n)) == SendOutcome::Blocked {
            let event = block_on(poll_fn(|cx| sender.poll_event(cx)));
            assert_eq!(event, TransportEvent::Writable { link: LINK });
        }
    }
    drop(sender);
    assert_eq!(receiving.join().unwrap(), FRAMES);
}
