//! The suite that holds every transport to the contract of [`Transport`].
//!
//! A transport supplies a [`Harness`] and calls [`transport_contract!`](crate::transport_contract),
//! which makes one test of each case. The suite knows no executor and no clock: a case is one
//! future, which polls a transport only when that has woken its task, and waits with the harness's
//! [`sleep`](Harness::sleep). So it runs in virtual time, on threads, and in a browser alike.
//!
//! Beside what a case is about, everything that a transport says in it is held against what it may
//! say: no link comes up twice, nothing is said of a link that has ended or was hung up.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use hustings_protocol::{Address, PeerId};
//! use hustings_room::clock::Clock;
//! use hustings_room::transport::contract::{Bounds, Harness, frames_arrive_whole};
//! use hustings_transport_mem::{Latency, MemTransport, MemoryNet, VirtualClock, VirtualRuntime};
//!
//! struct InMemory {
//!     net: MemoryNet,
//!     clock: VirtualClock,
//!     addresses: u8,
//! }
//!
//! impl Harness for InMemory {
//!     type Transport = MemTransport;
//!
//!     async fn open(&mut self) -> (MemTransport, Address) {
//!         let address = self.nobody();
//!         (self.net.transport(address).expect("it is free"), address)
//!     }
//!     fn nobody(&mut self) -> Address {
//!         self.addresses += 1;
//!         Address::Owner(PeerId::from_bytes([self.addresses; 32]))
//!     }
//!     async fn sleep(&self, duration: Duration) {
//!         self.clock.sleep_until(self.clock.now() + duration).await;
//!     }
//!     fn bounds(&self) -> Bounds {
//!         Bounds { dialler_frame: 1 << 20, acceptor_frame: 1 << 20, queue: 1 << 20, links: 8 }
//!     }
//! }
//!
//! fn run(case: impl AsyncFnOnce(InMemory)) {
//!     let mut runtime = VirtualRuntime::new();
//!     let clock = runtime.clock().clone();
//!     let net = MemoryNet::new(1, Latency::ZERO, Arc::new(clock.clone()));
//!     let case = case(InMemory { net, clock, addresses: 0 });
//!     runtime.block_on(case, Duration::from_secs(3_600)).expect("it comes to an end");
//! }
//!
//! // One case by hand; in a test module, `transport_contract!(InMemory, #[test], run)` makes a
//! // test of each.
//! run(frames_arrive_whole::<InMemory>);
//! ```

mod bounds;
mod ends;
mod frames;
mod links;
mod stage;

use std::future::Future;
use std::time::Duration;

use hustings_protocol::Address;

use super::Transport;

pub use bounds::*;
pub use ends::*;
pub use frames::*;
pub use links::*;

/// A network for one case: transports that can reach each other, and the time that they go by.
pub trait Harness: Sized {
    /// The transport.
    type Transport: Transport;

    /// Opens a transport at an address that nobody has had before. Resolves once others can dial
    /// it.
    fn open(&mut self) -> impl Future<Output = (Self::Transport, Address)>;

    /// An address at which nobody is.
    fn nobody(&mut self) -> Address;

    /// Lets time pass, whichever it is that the transport goes by.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()>;

    /// The bounds of the transports of [`open`](Harness::open).
    fn bounds(&self) -> Bounds;
}

/// The bounds of a transport, as it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The longest frame, in bytes, that whoever dialled may send.
    pub dialler_frame: usize,
    /// The longest frame, in bytes, that whoever accepted may send.
    pub acceptor_frame: usize,
    /// While more bytes than this wait on a link, it is blocked.
    pub queue: usize,
    /// The most links that are asked of it at a time; at least three.
    pub links: usize,
}

/// Makes a test of each case of the [contract](crate::transport::contract).
///
/// - `transport_contract!(MyHarness, #[test], run)`: functions, where `run` is a
///   `fn(impl AsyncFnOnce(MyHarness))` that runs a case to its end
/// - `transport_contract!(MyHarness, #[wasm_bindgen_test], async run)`: async functions, for a test
///   attribute that takes those, where `run` is an async function
///
/// The suite itself ends a case that takes too long, so `run` need not.
///
/// The functions have the names of the cases, so each call stands in a module of its own.
#[macro_export]
macro_rules! transport_contract {
    (@case (async $run:path) $harness:ty, $test:meta, $name:ident) => {
        #[$test]
        async fn $name() {
            $run($crate::transport::contract::$name::<$harness>).await;
        }
    };
    (@case ($run:path) $harness:ty, $test:meta, $name:ident) => {
        #[$test]
        fn $name() {
            $run($crate::transport::contract::$name::<$harness>);
        }
    };
    (@all $how:tt $harness:ty, $test:meta, $($name:ident)*) => {
        $($crate::transport_contract!(@case $how $harness, $test, $name);)*
    };
    (@list $how:tt $harness:ty, $test:meta) => {
        $crate::transport_contract!(@all $how $harness, $test,
            a_dial_comes_up_at_both_ends
            both_ends_bind_the_same_channel
            a_dial_to_nobody_ends_once
            a_dial_that_was_hung_up_is_silent_here
            two_that_dial_each_other_have_two_links
            many_links_at_once
            a_hangup_ends_the_link_across_once
            hangups_that_cross_are_silent
            what_was_queued_before_a_hangup_arrives
            a_link_that_has_ended_is_gone
            a_dropped_transport_closes_every_link
            frames_arrive_whole
            frames_keep_their_order_both_ways
            a_frame_stays_on_its_link
            a_broadcast_is_a_send_to_each_but_one
            an_event_wakes_the_task
            a_blocked_link_says_once_that_it_is_writable
            below_the_bound_a_frame_of_any_size_is_taken
            a_broadcast_names_the_links_that_are_blocked
        );
    };
    ($harness:ty, #[$test:meta], async $run:path) => {
        $crate::transport_contract!(@list (async $run) $harness, $test);
    };
    ($harness:ty, #[$test:meta], $run:path) => {
        $crate::transport_contract!(@list ($run) $harness, $test);
    };
}
