//! A place among the tabs of a profile: a lock that a page gives up while it is away.
//!
//! A page that is left for another may be kept whole, to be shown again by the back button, and it
//! keeps its locks (Chromium 148): nobody else would get them, and nobody could do anything about
//! it. So a page gives them up when it goes into this cache. When it is back it takes them again,
//! and if somebody else has them by then, its place is lost.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::channel::oneshot;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{EventTarget, PageTransitionEvent};

use super::TabError;
use super::locks::{Held, WebLocks};
use crate::{Batch, Durability, Store, StoreError};

/// A place that this page has until it is dropped, or lost.
pub(super) struct Place {
    shared: Rc<Shared>,
    listeners: Vec<Listener>,
}

struct Shared {
    name: String,
    state: RefCell<State>,
}

enum State {
    Here(#[expect(dead_code, reason = "it is held")] Held),
    /// Given up, or asked for again; with those who wait to know which.
    Away(Vec<oneshot::Sender<()>>),
    Lost,
}

impl Place {
    /// Takes the place of this name; `None` while another tab has it.
    pub(super) async fn try_take(name: String) -> Result<Option<Self>, TabError> {
        let held = try_hold(&name).await?;
        Ok(held.map(|held| Self::new(name, held)))
    }

    fn new(name: String, held: Held) -> Self {
        let state = RefCell::new(State::Here(held));
        let shared = Rc::new(Shared { name, state });
        let (going, coming) = (Rc::clone(&shared), Rc::clone(&shared));
        let listeners = vec![
            Listener::new("pagehide", move || going.leave()),
            Listener::new("pageshow", move || coming.come_back()),
        ];
        Self { shared, listeners }
    }

    /// A store that writes only while this place is held.
    pub(super) fn guard<S: Store>(&self, store: S) -> Guarded<S> {
        let place = Rc::clone(&self.shared);
        Guarded { store, place }
    }
}

/// Takes the lock of this name; `None` while another tab has it.
async fn try_hold(name: &str) -> Result<Option<Held>, TabError> {
    WebLocks::of_the_page()?.try_hold(name).await
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
        f.debug_tuple("Place").field(&self.shared.name).finish()
    }
}

impl Shared {
    fn leave(&self) {
        let mut state = self.state.borrow_mut();
        if let State::Here(_) = *state {
            *state = State::Away(Vec::new());
        }
    }

    fn come_back(self: &Rc<Self>) {
        if !matches!(*self.state.borrow(), State::Away(_)) {
            return;
        }
        let place = Rc::clone(self);
        spawn_local(async move {
            let held = try_hold(&place.name).await;
            // It may have been dropped, or have gone away once more, in the meantime.
            let is_away = matches!(*place.state.borrow(), State::Away(_));
            match held {
                Ok(Some(held)) if is_away => place.settle(State::Here(held)),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => place.settle(State::Lost),
            }
        });
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
/// commit waits then until the page has them again. If another tab has taken them, it fails with
/// [`StoreError::TakenOver`], and nothing is written: a driver ends, and its room says why.
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

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        if !self.place.is_held().await {
            return Err(StoreError::TakenOver);
        }
        self.store.commit(batch, durability).await
    }
}

/// A listener to the page's going into its cache, or coming back, until it is dropped.
struct Listener {
    kind: &'static str,
    closure: Closure<dyn Fn(JsValue)>,
}

impl Listener {
    fn new(kind: &'static str, heard: impl Fn() + 'static) -> Self {
        let closure = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
            let event = event.dyn_ref::<PageTransitionEvent>();
            // Any other page that goes is gone, and so are its locks.
            if event.is_some_and(PageTransitionEvent::persisted) {
                heard();
            }
        });
        let this = Self { kind, closure };
        this.with_window(|window, function| {
            // It cannot fail with a function.
            let _ = window.add_event_listener_with_callback(kind, function);
        });
        this
    }

    /// A worker has no window, and is in no such cache.
    fn with_window(&self, then: impl FnOnce(&EventTarget, &js_sys::Function)) {
        if let Some(window) = js_sys::global().dyn_ref::<EventTarget>() {
            then(window, self.closure.as_ref().unchecked_ref());
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.with_window(|window, function| {
            let _ = window.remove_event_listener_with_callback(self.kind, function);
        });
    }
}
