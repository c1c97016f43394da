//! The page's own events.

use wasm_bindgen::JsCast;
use web_sys::{EventTarget, PageTransitionEvent, RtcDataChannel, VisibilityState, Window};

use super::listener::Listener;
use crate::shell::backend::Input;
use crate::shell::reentry::Reporter;

/// Listens to the page, for as long as the result is kept.
pub(super) fn listen(window: &Window, reporter: &Reporter<RtcDataChannel>) -> Vec<Listener> {
    let on = |target: &EventTarget, kind, input: Input<RtcDataChannel>| {
        let reporter = reporter.clone();
        Listener::new(target, kind, move |_| reporter.report(input.clone()))
    };
    let mut listeners = vec![
        // Chromium's `beforeunload` does not come for every tab that is closed. Scripts may not run
        // after it, and a page that comes back from the back/forward cache has lost its sockets.
        on(window, "pagehide", Input::Suspended("the page went away")),
        on(window, "online", Input::Wake),
    ];
    let back = reporter.clone();
    listeners.push(Listener::new(window, "pageshow", move |event| {
        let from_cache = event
            .dyn_ref::<PageTransitionEvent>()
            .is_some_and(PageTransitionEvent::persisted);
        if from_cache {
            back.report(Input::Seen);
        }
    }));
    if let Some(document) = window.document() {
        let (reporter, page) = (reporter.clone(), document.clone());
        listeners.push(Listener::new(&document, "visibilitychange", move |_| {
            if page.visibility_state() == VisibilityState::Visible {
                reporter.report(Input::Seen);
            }
        }));
    }
    listeners
}
