//! The page's going away, and its coming back.

use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::EventTarget;

/// A listener to an event of the window, until it is dropped.
pub(super) struct Listener {
    kind: &'static str,
    closure: Closure<dyn Fn()>,
}

impl Listener {
    /// The page goes: for good, or into the cache from which the back button shows it again.
    pub(super) fn going(heard: impl Fn() + 'static) -> Self {
        Self::new("pagehide", heard)
    }

    /// The page is shown, for the first time or again.
    pub(super) fn coming(heard: impl Fn() + 'static) -> Self {
        Self::new("pageshow", heard)
    }

    fn new(kind: &'static str, heard: impl Fn() + 'static) -> Self {
        let closure = Closure::<dyn Fn()>::new(heard);
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
