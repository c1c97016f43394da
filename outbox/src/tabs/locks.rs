//! The browser's Web Locks, as far as they are needed: exclusive ones, for which nobody waits longer
//! than the browser has for an answer.
//!
//! `web-sys` has them only behind a compiler flag that every consumer would have to set, so the one
//! method that is needed is called by its name.

use futures::channel::oneshot;
use futures::future::{Either, select};
use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};
use wasm_bindgen_futures::JsFuture;

use super::{NoLocks, TabError};
use crate::browser::{describe, in_time, navigator};

/// The locks of the page's origin.
pub(super) struct WebLocks {
    manager: JsValue,
    request: Function,
}

/// A lock as the browser has given it; it is free again when this is dropped.
pub(super) struct Held {
    release: Function,
}

impl WebLocks {
    pub(super) fn of_the_page() -> Result<Self, NoLocks> {
        let found = navigator("locks").and_then(|manager| {
            let request = Reflect::get(&manager, &"request".into()).ok()?;
            let request = request.dyn_into().ok()?;
            Some(Self { manager, request })
        });
        found.ok_or_else(|| {
            NoLocks(
                "this browser has no Web Locks, or the page is neither https nor localhost"
                    .to_owned(),
            )
        })
    }

    /// Waits until the lock is free. Whoever has it needs it for a moment; a tab that was frozen in
    /// this moment keeps it for as long as it is frozen.
    pub(super) async fn hold(&self, name: &str) -> Result<Held, TabError> {
        match self.answer(name, false).await? {
            Some(held) => Ok(held),
            None => Err(NoLocks(format!("the browser did not grant {name}")).into()),
        }
    }

    /// Takes the lock; `None` while another tab has it.
    pub(super) async fn try_hold(&self, name: &str) -> Result<Option<Held>, TabError> {
        self.answer(name, true).await
    }

    /// A lock that is granted later than this is free again at once.
    async fn answer(&self, name: &str, if_available: bool) -> Result<Option<Held>, TabError> {
        match in_time(self.ask(name, if_available)).await {
            Some(answer) => Ok(answer?),
            None => Err(TabError::Unanswered(name.to_owned())),
        }
    }

    async fn ask(&self, name: &str, if_available: bool) -> Result<Option<Held>, NoLocks> {
        let refused = |thrown: JsValue| NoLocks(describe(&thrown));
        let options = Object::new();
        Reflect::set(&options, &"ifAvailable".into(), &if_available.into()).map_err(refused)?;

        // The browser holds a lock until the promise that this function returns is settled. The
        // closure frees itself after its call, which may come after the caller is gone.
        let (answer, answered) = oneshot::channel();
        let granted = Closure::once_into_js(move |lock: JsValue| -> JsValue {
            if lock.is_null() {
                // A caller that is gone does not need to know.
                let _ = answer.send(None);
                return JsValue::UNDEFINED;
            }
            let mut release = None;
            let released = Promise::new(&mut |resolve, _| release = Some(resolve));
            let held = release.map(|release| Held { release });
            // If the caller is gone, `Held` comes back in the error and is dropped, which frees the
            // lock.
            let _ = answer.send(held);
            released.into()
        });
        let request = self
            .request
            .call3(&self.manager, &name.into(), &options, &granted)
            .map_err(refused)?;
        // The request itself ends only when the lock is freed, or when it fails.
        let request = JsFuture::from(request.unchecked_into::<Promise>());
        match select(answered, request).await {
            Either::Left((Ok(held), _)) => Ok(held),
            Either::Right((Err(thrown), _)) => Err(refused(thrown)),
            Either::Left((Err(_), _)) | Either::Right((Ok(_), _)) => {
                Err(NoLocks("the browser did not answer".to_owned()))
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The function that resolves a promise does not throw.
        let _ = self.release.call0(&JsValue::UNDEFINED);
    }
}
