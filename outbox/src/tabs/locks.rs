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
pub(super) struct Lock {
    release: Function,
}

impl WebLocks {
    /// `None` if this browser has none, or none for this page: one that is neither https nor
    /// localhost.
    pub(super) fn of_the_page() -> Option<Self> {
        let manager = navigator("locks")?;
        let request = Reflect::get(&manager, &"request".into()).ok()?;
        let request = request.dyn_into().ok()?;
        Some(Self { manager, request })
    }

    /// Takes the lock; `None` while another tab has it. A lock that is granted too late is free
    /// again at once.
    pub(super) async fn try_hold(&self, name: &str) -> Result<Option<Lock>, TabError> {
        match in_time(self.ask(name)).await {
            Some(answer) => Ok(answer?),
            None => Err(TabError::Unanswered(name.to_owned())),
        }
    }

    async fn ask(&self, name: &str) -> Result<Option<Lock>, NoLocks> {
        let refused = |thrown: JsValue| NoLocks(describe(&thrown));
        let options = Object::new();
        Reflect::set(&options, &"ifAvailable".into(), &true.into()).map_err(refused)?;

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
            let held = release.map(|release| Lock { release });
            // If the caller is gone, `Lock` comes back in the error and is dropped, which frees the
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

impl Drop for Lock {
    fn drop(&mut self) {
        // The function that resolves a promise does not throw.
        let _ = self.release.call0(&JsValue::UNDEFINED);
    }
}
