//! A place among the tabs of a profile: something that one tab has, and gives up while it is away.
//!
//! A page that is left for another may be kept whole, to be shown again by the back button, and it
//! keeps its locks (Chromium 148): nobody else would get them, and nobody could do anything about
//! it. So a page gives them up when it goes. When it is back it takes them again, and if somebody
//! else has them by then, or has written in its place meanwhile, its place is lost.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::channel::oneshot;
use futures::lock::Mutex;
use wasm_bindgen_futures::spawn_local;

use super::TabError;
use super::claim::{Claim, Name};
use super::lease::Lease;
use super::locks::{Lock, WebLocks};
use super::page::Listener;
use crate::{Batch, Durability, Store, StoreError};

/// A place that this page has until it is dropped, or lost.
pub(super) struct Place {
    shared: Rc<Shared>,
    listeners: Vec<Listener>,
}

struct Shared {
    claim: Rc<Claim>,
    store: Rc<dyn Store>,
    state: RefCell<State>,
    /// The number of times that the page has gone: a lock that comes when it has gone once more
    /// comes too late.
    absences: Cell<u64>,
    /// Locked while the place is being taken again.
    coming: Mutex<()>,
}

enum State {
    Here(#[expect(dead_code, reason = "it is kept here, and ends with this")] Held),
    /// Given up, or asked for again; with those who wait to know which.
    Away(Vec<oneshot::Sender<()>>),
    Lost,
}

/// The browser's lock, or what serves as one where it has none.
enum Held {
    Lock(#[expect(dead_code, reason = "it is kept here, and ends with this")] Lock),
    Lease(#[expect(dead_code, reason = "it is kept here, and ends with this")] Lease),
}

impl Place {
    /// Takes the place of this name; `None` while another tab has it.
    pub(super) async fn try_take<S>(name: Name, store: &S) -> Result<Option<Self>, TabError>
    where
        S: Store + Clone + 'static,
    {
        let lock = match WebLocks::of_the_page() {
            Some(locks) => match locks.try_hold(&name.lock()).await? {
                Some(lock) => Some(Held::Lock(lock)),
                None => return Ok(None),
            },
            None => None,
        };
        let store: Rc<dyn Store> = Rc::new(store.clone());
        let claim = Rc::new(Claim::begin(name, &store).await?);
        let held = match lock {
            Some(lock) => Some(lock),
            None => Lease::try_take(&store, &claim).await?.map(Held::Lease),
        };
        Ok(held.map(|held| Self::new(claim, store, held)))
    }

    fn new(claim: Rc<Claim>, store: Rc<dyn Store>, held: Held) -> Self {
        let shared = Rc::new(Shared {
            claim,
            store,
            state: RefCell::new(State::Here(held)),
            absences: Cell::new(0),
            coming: Mutex::new(()),
        });
        let (going, coming) = (Rc::clone(&shared), Rc::clone(&shared));
        let listeners = vec![
            Listener::going(move || going.leave()),
            Listener::coming(move || coming.come_back()),
        ];
        Self { shared, listeners }
    }

    /// A store that writes only while this place is held.
    pub(super) fn guard<S: Store>(&self, store: S) -> Guarded<S> {
        let place = Rc::clone(&self.shared);
        Guarded { store, place }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.listeners.clear();
        // Whoever still has a guarded store does not write any more.
        self.shared.settle(State::Lost);
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place")
            .field(self.shared.claim.name())
            .finish()
    }
}

impl Shared {
    fn leave(&self) {
        self.absences.set(self.absences.get() + 1);
        let is_here = matches!(*self.state.borrow(), State::Here(_));
        if is_here {
            self.settle(State::Away(Vec::new()));
        }
    }

    fn come_back(self: &Rc<Self>) {
        let place = Rc::clone(self);
        spawn_local(async move {
            // An attempt that comes too late may have the lock still.
            let _one_at_a_time = place.coming.lock().await;
            let absence = place.absences.get();
            let is_away = || matches!(*place.state.borrow(), State::Away(_));
            if !is_away() {
                return;
            }
            let held = place.take_again().await;
            // It may have been dropped, or have gone away once more, in the meantime.
            if !is_away() || place.absences.get() != absence {
                return;
            }
            place.settle(match held {
                Ok(Some(held)) => State::Here(held),
                Ok(None) | Err(_) => State::Lost,
            });
        });
    }

    async fn take_again(&self) -> Result<Option<Held>, TabError> {
        if let Some(locks) = WebLocks::of_the_page() {
            let lock = locks.try_hold(&self.claim.name().lock()).await?;
            // Whether somebody has written here meanwhile shows in the first commit.
            return Ok(lock.map(Held::Lock));
        }
        let lease = Lease::take_again(&self.store, &self.claim).await?;
        Ok(lease.map(Held::Lease))
    }

    fn settle(&self, state: State) {
        let before = self.state.replace(state);
        if let State::Away(waiting) = before {
            for waiter in waiting {
                // One that is gone does not need to know.
                let _ = waiter.send(());
            }
        }
    }

    /// Waits until it is known whether this place is held, and says so.
    async fn is_held(&self) -> bool {
        loop {
            let known = match &mut *self.state.borrow_mut() {
                State::Here(_) => return true,
                State::Lost => return false,
                State::Away(waiting) => {
                    let (waiter, known) = oneshot::channel();
                    waiting.push(waiter);
                    known
                }
            };
            // It is sent before it is dropped.
            let _ = known.await;
        }
    }
}

/// A store that writes only while a tab has its [`Slot`](super::Slot) or its
/// [`HostingLock`](super::HostingLock).
///
/// A page that the browser has put away, and shows again by the back button, has given up both. A
/// commit waits then until the page has them again. If another tab has taken them, or has had them
/// and written meanwhile, or this one was frozen and is given up for dead, the commit fails with
/// [`StoreError::TakenOver`], and nothing is written: a driver ends, and its room says why.
///
/// The commit requires in its own transaction that the place is this tab's, so of two that take
/// themselves for its holder one writes, whatever the timing. A commit of an empty batch only asks.
#[derive(Clone)]
pub struct Guarded<S> {
    store: S,
    place: Rc<Shared>,
}

impl<S: fmt::Debug> fmt::Debug for Guarded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guarded").field(&self.store).finish()
    }
}

#[async_trait(?Send)]
impl<S: Store> Store for Guarded<S> {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.store.get(key).await
    }

    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.store.scan(range).await
    }

    async fn scan_each(
        &self,
        ranges: Vec<Range<Bytes>>,
    ) -> Result<Vec<Vec<(Bytes, Bytes)>>, StoreError> {
        self.store.scan_each(ranges).await
    }

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        if !self.place.is_held().await {
            return Err(StoreError::TakenOver);
        }
        let claim = &self.place.claim;
        let done = claim.commit(&self.store, batch, durability).await;
        if done == Err(StoreError::TakenOver) {
            self.place.settle(State::Lost);
        }
        done
    }
}
