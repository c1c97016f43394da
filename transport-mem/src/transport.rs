//! The [`Transport`] over the network.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use hustings_protocol::Address;
use hustings_room::clock::{Clock, Sleep};
use hustings_room::transport::{SendOutcome, Transport, TransportError, TransportEvent};
use hustings_room::{LinkId, Moment};

use crate::endpoint::{AddressTaken, Endpoint};
use crate::faults::{Direction, Faults};
use crate::link::Latency;
use crate::network::Network;
use crate::trace::trace;

/// A [`Network`] that many tasks or threads share, and the clock it goes by.
///
/// Clones are handles to the same network. The clock is any: a
/// [`VirtualClock`](crate::VirtualClock) for tests, the machine's for a demonstration.
///
/// The faults are those of [`Network`], at the moment the clock shows; a process goes by its
/// address here. A lock that a panicking task has left behind is taken over: the network is
/// consistent after each of its calls.
#[derive(Clone)]
pub struct MemoryNet {
    shared: Arc<Mutex<Shared>>,
    clock: Arc<dyn Clock>,
}

struct Shared {
    network: Network,
    /// By the slot of the endpoint: who waits for its next event.
    wakers: Vec<Option<Waker>>,
}

impl Shared {
    /// Takes the wakers of those who should look again. They are woken after the lock is released.
    fn take_wakers(&mut self, woken: &mut Vec<Waker>) {
        while let Some(slot) = self.network.processes.next_touched() {
            woken.extend(self.wakers.get_mut(slot as usize).and_then(Option::take));
        }
    }
}

impl MemoryNet {
    /// An empty network that goes by `clock`. All its randomness comes from `seed`.
    #[must_use]
    pub fn new(seed: u64, latency: Latency, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            network: Network::new(seed, latency),
            wakers: Vec::new(),
        };
        Self {
            shared: Arc::new(Mutex::new(shared)),
            clock,
        }
    }

    /// Starts a process at `address`.
    ///
    /// # Errors
    ///
    /// [`AddressTaken`] while another process is there.
    pub fn transport(&self, address: Address) -> Result<MemTransport, AddressTaken> {
        let endpoint = self.change(|network, _| network.attach(address))?;
        let net = self.clone();
        Ok(MemTransport {
            net,
            endpoint,
            sleep: None,
            woken: Vec::new(),
            failed: false,
            #[cfg(feature = "tracing")]
            traced: crate::trace::links::Links::default(),
        })
    }

    /// [`Network::set_latency`].
    pub fn set_latency(&self, latency: Latency) {
        self.change(|network, _| network.set_latency(latency));
    }

    /// [`Network::set_queue_limit`].
    pub fn set_queue_limit(&self, bytes: usize) {
        self.change(|network, _| network.set_queue_limit(bytes));
    }

    /// [`Network::set_detection`].
    pub fn set_detection(&self, delay: Duration) {
        self.change(|network, _| network.set_detection(delay));
    }

    /// [`Network::set_dial_timeout`].
    pub fn set_dial_timeout(&self, delay: Duration) {
        self.change(|network, _| network.set_dial_timeout(delay));
    }

    /// [`Network::set_faults`].
    pub fn set_faults(&self, faults: Faults) {
        self.change(|network, _| network.set_faults(faults));
    }

    /// [`Network::links`]: all links of the process at `of`.
    #[must_use]
    pub fn links(&self, of: &Address) -> Vec<LinkId> {
        self.at(of, |network, endpoint, _| network.links(endpoint))
            .unwrap_or_default()
    }

    /// [`Network::links_to`]: those links of the process at `of` that lead to `address`.
    #[must_use]
    pub fn links_to(&self, of: &Address, address: &Address) -> Vec<LinkId> {
        self.at(of, |network, endpoint, _| {
            network.links_to(endpoint, address)
        })
        .unwrap_or_default()
    }

    /// [`Network::crash`]. The [`MemTransport`] that was at the address then only says that it
    /// [`Failed`](TransportEvent::Failed).
    pub fn crash(&self, address: &Address) {
        self.at(address, Network::crash);
    }

    /// [`Network::cut`].
    pub fn cut(&self, a: &Address, b: &Address) {
        self.change(|network, now| network.cut(a, b, now));
    }

    /// [`Network::cut_link`].
    pub fn cut_link(&self, of: &Address, link: LinkId) {
        self.at(of, |network, endpoint, now| {
            network.cut_link(endpoint, link, now)
        });
    }

    /// [`Network::half_open`].
    pub fn half_open(&self, of: &Address, link: LinkId, direction: Direction) {
        self.at(of, |network, endpoint, now| {
            network.half_open(endpoint, link, direction, now)
        });
    }

    /// [`Network::heal`].
    pub fn heal(&self, of: &Address, link: LinkId) {
        self.at(of, |network, endpoint, now| {
            network.heal(endpoint, link, now)
        });
    }

    /// [`Network::stall`].
    pub fn stall(&self, reader: &Address, link: LinkId) {
        self.at(reader, |network, endpoint, now| {
            network.stall(endpoint, link, now)
        });
    }

    /// [`Network::resume`].
    pub fn resume(&self, reader: &Address, link: LinkId) {
        self.at(reader, |network, endpoint, now| {
            network.resume(endpoint, link, now)
        });
    }

    /// [`Network::refuse`].
    pub fn refuse(&self, address: &Address, refuse: bool) {
        self.change(|network, _| network.refuse(address, refuse));
    }

    /// [`Network::isolate`].
    pub fn isolate(&self, address: &Address, isolate: bool) {
        self.change(|network, now| network.isolate(address, isolate, now));
    }

    fn at<R>(
        &self,
        address: &Address,
        change: impl FnOnce(&mut Network, Endpoint, Moment) -> R,
    ) -> Option<R> {
        self.change(|network, now| {
            let endpoint = network.endpoint_at(address)?;
            Some(change(network, endpoint, now))
        })
    }

    fn change<R>(&self, change: impl FnOnce(&mut Network, Moment) -> R) -> R {
        let mut woken = Vec::new();
        self.change_with(&mut woken, |shared, now| change(&mut shared.network, now))
    }

    /// Changes the network under the lock, and then, without it, wakes whom that concerns.
    fn change_with<R>(
        &self,
        woken: &mut Vec<Waker>,
        change: impl FnOnce(&mut Shared, Moment) -> R,
    ) -> R {
        let now = self.clock.now();
        let result = {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            let result = change(&mut shared, now);
            shared.take_wakers(woken);
            result
        };
        for waker in woken.drain(..) {
            waker.wake();
        }
        result
    }
}

impl fmt::Debug for MemoryNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryNet").finish_non_exhaustive()
    }
}

/// One process's access to a [`MemoryNet`].
///
/// Dropping it closes its links in good order ([`Network::detach`]), as the contract of
/// [`Transport`] has it; [`kill`](Self::kill) does not ([`Network::crash`]).
///
/// An event that is on its way is waited for through the network's clock. An event wakes the task
/// it is for and no other.
pub struct MemTransport {
    net: MemoryNet,
    endpoint: Endpoint,
    /// Until the next arrival.
    sleep: Option<(Moment, Sleep)>,
    /// Empty between calls; its memory is used again.
    woken: Vec<Waker>,
    /// Set once `Failed` was reported.
    failed: bool,
    #[cfg(feature = "tracing")]
    traced: crate::trace::links::Links,
}

impl MemTransport {
    /// Ends the process as a crash does, see [`Network::crash`].
    pub fn kill(self) {
        self.net
            .change(|network, now| network.crash(self.endpoint, now));
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut Network, Endpoint, Moment) -> R) -> R {
        let endpoint = self.endpoint;
        self.net.change_with(&mut self.woken, |shared, now| {
            act(&mut shared.network, endpoint, now)
        })
    }
}

/// The outcome of one look at the inbox.
enum Look {
    Event(TransportEvent),
    /// Nothing yet; something may arrive then.
    Wait(Option<Moment>),
    /// There is no such process any more.
    Dead,
}

impl Transport for MemTransport {
    fn dial(&mut self, link: LinkId, to: &Address) {
        trace! { self.traced.dial(link, to) }
        self.act(|network, endpoint, now| network.dial(endpoint, link, to, now));
    }

    fn send(&mut self, link: LinkId, frame: Bytes) -> SendOutcome {
        let outcome = self.act(|network, endpoint, now| network.send(endpoint, link, frame, now));
        if outcome == SendOutcome::Blocked {
            trace! { self.traced.blocked(link) }
        }
        outcome
    }

    fn broadcast(
        &mut self,
        links: &[LinkId],
        except: Option<LinkId>,
        frame: &Bytes,
        full: &mut Vec<LinkId>,
    ) {
        let _before = full.len();
        self.act(|network, endpoint, now| {
            network.broadcast(endpoint, links, except, frame, full, now);
        });
        trace! {
            for link in &full[_before..] {
                self.traced.blocked(*link);
            }
        }
    }

    fn hangup(&mut self, link: LinkId) {
        trace! { self.traced.hang_up(link) }
        self.act(|network, endpoint, now| network.hangup(endpoint, link, now));
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        loop {
            let endpoint = self.endpoint;
            let look = self.net.change_with(&mut self.woken, |shared, now| {
                shared.look(endpoint, now, cx.waker())
            });
            let next = match look {
                Look::Event(event) => {
                    trace! { self.traced.event(&event) }
                    return Poll::Ready(event);
                }
                Look::Wait(next) => next,
                Look::Dead if self.failed => return Poll::Pending,
                Look::Dead => {
                    self.failed = true;
                    let reason = "this process was killed".to_owned();
                    let event = TransportEvent::Failed(TransportError::Other(reason));
                    trace! { self.traced.event(&event) }
                    return Poll::Ready(event);
                }
            };
            let Some(next) = next else {
                self.sleep = None;
                return Poll::Pending;
            };
            let armed = self.sleep.take().filter(|(until, _)| *until == next);
            let (_, mut sleep) = armed.unwrap_or_else(|| (next, self.net.clock.sleep_until(next)));
            if sleep.as_mut().poll(cx).is_pending() {
                self.sleep = Some((next, sleep));
                return Poll::Pending;
            }
        }
    }
}

impl Shared {
    fn look(&mut self, endpoint: Endpoint, now: Moment, waker: &Waker) -> Look {
        if let Some(event) = self.network.poll_endpoint(endpoint, now) {
            return Look::Event(event);
        }
        if self.network.processes.get(endpoint).is_none() {
            return Look::Dead;
        }
        let slot = endpoint.slot as usize;
        if self.wakers.len() <= slot {
            self.wakers.resize(slot + 1, None);
        }
        match &mut self.wakers[slot] {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        Look::Wait(self.network.processes.next_expected(endpoint, now))
    }
}

impl Drop for MemTransport {
    fn drop(&mut self) {
        self.act(|network, endpoint, now| network.detach(endpoint, now));
    }
}

impl fmt::Debug for MemTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemTransport")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
