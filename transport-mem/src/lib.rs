//! A seeded network inside one process, for tests, simulations and demonstrations.
//!
//! [`Network`] is the network itself: a queue of events in the order of their moments, with
//! latency, bounded links and faults of every kind that a link or a process can have. It never does
//! I/O, reads a clock or makes randomness that is not its seed's, and it has no tasks: a simulator
//! calls it. [`MemoryNet`] shares one between tasks, and a [`MemTransport`] is one process's
//! [`Transport`](hustings_room::transport::Transport) over it. [`VirtualClock`] and
//! [`VirtualRuntime`] run such tasks in virtual time, which never waits for real time.
//!
//! It never duplicates a frame, never lets frames of one link overtake each other, and never leaves
//! a gap in what a link delivers: these are the transport's promises, and what it breaks is
//! everything else. The same seed and the same calls give the same events.
//!
//! ```
//! use std::future::poll_fn;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use hustings_protocol::{Address, PeerId};
//! use hustings_room::LinkId;
//! use hustings_room::transport::{Transport, TransportEvent};
//! use hustings_transport_mem::{Latency, MemoryNet, VirtualRuntime};
//!
//! let mut runtime = VirtualRuntime::new();
//! let latency = Latency::fixed(Duration::from_millis(30));
//! let net = MemoryNet::new(7, latency, Arc::new(runtime.clock().clone()));
//! let [here, there] = [1, 2].map(|n| Address::Owner(PeerId::from_bytes([n; 32])));
//!
//! // A process that sends back whatever it gets.
//! let mut echo = net.transport(there)?;
//! runtime.spawn(async move {
//!     loop {
//!         if let TransportEvent::Frame { link, frame } = poll_fn(|cx| echo.poll_event(cx)).await {
//!             echo.send(link, frame);
//!         }
//!     }
//! });
//!
//! let mut transport = net.transport(here)?;
//! let link = LinkId::dialled(1);
//! transport.dial(link, &there);
//! let answer = async {
//!     loop {
//!         match poll_fn(|cx| transport.poll_event(cx)).await {
//!             TransportEvent::LinkUp { .. } => {
//!                 transport.send(link, Bytes::from_static(b"hello"));
//!             }
//!             event => break event,
//!         }
//!     }
//! };
//! let answer = runtime.block_on(answer, Duration::from_secs(1))?;
//! assert_eq!(answer, TransportEvent::Frame { link, frame: Bytes::from_static(b"hello") });
//! // The dial and its answer, the frame and its echo.
//! assert_eq!(runtime.clock().next_deadline(), None);
//! # use hustings_room::clock::Clock;
//! assert_eq!(runtime.clock().now().as_millis(), 4 * 30);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

mod agenda;
mod clock;
mod endpoint;
mod faults;
mod link;
mod network;
mod process;
mod runtime;
mod trace;
mod transport;
mod wires;

pub use clock::VirtualClock;
pub use endpoint::{AddressTaken, Endpoint};
pub use faults::{Direction, Faults};
pub use link::Latency;
pub use network::Network;
pub use runtime::{Stuck, VirtualRuntime};
pub use transport::{MemTransport, MemoryNet};

/// The crate's own front page: its code is compiled and run, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
