//! Virtual time, and the runtime that goes by it.

mod common;

use std::cell::RefCell;
use std::rc::Rc;

use common::{at, millis};
use futures::FutureExt;
use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use hustings_room::clock::Clock;
use hustings_transport_mem::{Stuck, VirtualClock, VirtualRuntime};

#[test]
fn sleepers_wake_in_the_order_of_deadline_and_registration() {
    let (clock, mut pool) = (VirtualClock::new(), LocalPool::new());
    let woken = Rc::new(RefCell::new(Vec::new()));
    for (name, deadline) in [("c", 30), ("a", 10), ("b", 20), ("a2", 10), ("d", 31)] {
        let (clock, woken) = (clock.clone(), Rc::clone(&woken));
        let sleeper = async move {
            clock.sleep_until(at(deadline)).await;
            woken.borrow_mut().push(name);
        };
        pool.spawner().spawn_local(sleeper).unwrap();
    }
    pool.run_until_stalled();
    assert!(woken.borrow().is_empty());
    clock.advance_to(at(30));
    pool.run_until_stalled();
    assert_eq!(*woken.borrow(), ["a", "a2", "b", "c"]);
    assert_eq!(clock.next_deadline(), Some(at(31)));
}

#[test]
fn time_moves_only_when_told_and_never_back() {
    let clock = VirtualClock::new();
    assert_eq!(clock.now(), at(0));
    assert!(!clock.advance_to_next());
    clock.advance_by(millis(50));
    clock.advance_to(at(40));
    assert_eq!(clock.clone().now(), at(50));
    assert_eq!(clock.sleep_until(at(50)).now_or_never(), Some(()));
    let mut sleep = clock.sleep_until(at(51));
    assert_eq!((&mut sleep).now_or_never(), None);
    clock.advance_to(at(u64::MAX));
    assert_eq!(sleep.now_or_never(), Some(()));
}

#[test]
fn a_dropped_sleep_is_forgotten() {
    let clock = VirtualClock::new();
    let mut sleep = clock.sleep_until(at(10));
    assert_eq!(clock.next_deadline(), None);
    assert_eq!((&mut sleep).now_or_never(), None);
    assert_eq!((&mut sleep).now_or_never(), None);
    assert_eq!(clock.next_deadline(), Some(at(10)));
    drop(sleep);
    assert_eq!(clock.next_deadline(), None);
}

#[test]
fn each_timer_goes_off_at_its_own_moment() {
    let mut runtime = VirtualRuntime::new();
    let seen = Rc::new(RefCell::new(Vec::new()));
    for period in [7, 10] {
        let (clock, seen) = (runtime.clock().clone(), Rc::clone(&seen));
        runtime.spawn(async move {
            loop {
                clock.sleep_until(clock.now() + millis(period)).await;
                seen.borrow_mut().push((clock.now().as_millis(), period));
            }
        });
    }
    runtime.run_for(millis(20));
    assert_eq!(*seen.borrow(), [(7, 7), (10, 10), (14, 7), (20, 10)]);
    assert_eq!(runtime.clock().now(), at(20));

    let clock = runtime.clock().clone();
    let until = runtime.block_on(clock.sleep_until(at(30)), millis(10));
    assert_eq!(until, Ok(()));
    assert_eq!(seen.borrow()[4..], [(21, 7), (28, 7), (30, 10)]);
}

#[test]
fn what_is_never_done_is_an_error() {
    let mut runtime = VirtualRuntime::new();
    runtime.clock().advance_to(at(5));
    let never = std::future::pending::<()>();
    assert_eq!(
        runtime.block_on(never, millis(10)),
        Err(Stuck::Deadlock { at: at(5) })
    );

    let clock = runtime.clock().clone();
    let late = clock.sleep_until(at(16));
    assert_eq!(
        runtime.block_on(late, millis(10)),
        Err(Stuck::OutOfTime { limit: at(15) })
    );
    assert_eq!(clock.now(), at(15));
}

#[test]
fn a_task_ends_with_its_handle() {
    let mut runtime = VirtualRuntime::new();
    let clock = runtime.clock().clone();
    let hour = clock.sleep_until(at(3_600_000));
    let handle = runtime.spawn_with_handle(hour);
    runtime.run_for(millis(1));
    assert!(clock.next_deadline().is_some());
    drop(handle);
    runtime.run_for(millis(1));
    assert_eq!(clock.next_deadline(), None);

    let seven = runtime.spawn_with_handle(async { 7 });
    assert_eq!(runtime.block_on(seven, millis(0)), Ok(7));
}
