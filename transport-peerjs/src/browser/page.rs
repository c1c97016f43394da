//! What the page says of itself.

use std::rc::Weak;

use wasm_bindgen::JsCast;
use web_sys::{EventTarget, PageTransitionEvent, VisibilityState, Window};

use super::listener::Listener;
use super::shell::{Input, Shell};

/// Listens to the page, for as long as the result is kept.
pub(super) fn listen(window: &Window, shell: &Weak<Shell>) -> Vec<Listener> {
    let on = |target: &EventTarget, kind, input: Input| {
        let shell = shell.clone();
        Listener::new(target, kind, move |_| {
            if let Some(shell) = shell.upgrade() {
                shell.input(input.clone());
            }
        })
    };
    let mut listeners = vec![
        // Chromium's `beforeunload` does not come for every tab that is closed.
        on(window, "pagehide", Input::PageGone),
        on(window, "online", Input::Wake),
    ];
    let back = shell.clone();
    listeners.push(Listener::new(window, "pageshow", move |event| {
        let from_cache = event
            .dyn_ref::<PageTransitionEvent>()
            .is_some_and(PageTransitionEvent::persisted);
        if from_cache && let Some(shell) = back.upgrade() {
            shell.input(Input::Wake);
        }
    }));
    if let Some(document) = window.document() {
        let (shell, page) = (shell.clone(), document.clone());
        listeners.push(Listener::new(&document, "visibilitychange", move |_| {
            if page.visibility_state() == VisibilityState::Visible
                && let Some(shell) = shell.upgrade()
            {
                shell.input(Input::Wake);
            }
        }));
    }
    listeners
}
