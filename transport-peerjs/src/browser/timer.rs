//! The one timer of a transport.

use std::cell::Cell;
use std::rc::Weak;
use std::time::Duration;

use hustings_room::Moment;
use hustings_room::clock::{Clock, SystemClock};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::Window;

use super::shell::{Input, Shell};

/// Calls the shell at its deadline or before, never after it for longer than the browser holds timers
/// back. A call too early finds nothing due and asks for the next one, which is cheaper than to move
/// the browser's timer whenever the deadline moves.
pub(super) struct Timer {
    window: Window,
    closure: Closure<dyn Fn()>,
    armed: Cell<Option<(Moment, i32)>>,
}

impl Timer {
    pub(super) fn new(window: Window, shell: Weak<Shell>) -> Self {
        let closure = Closure::<dyn Fn()>::new(move || {
            if let Some(shell) = shell.upgrade() {
                shell.input(Input::Timeout);
            }
        });
        Self {
            window,
            closure,
            armed: Cell::new(None),
        }
    }

    /// It has fired.
    pub(super) fn fired(&self) {
        self.armed.set(None);
    }

    /// Sees that it fires at `deadline`, or before.
    pub(super) fn arm(&self, deadline: Option<Moment>, clock: &SystemClock) {
        let Some(deadline) = deadline else {
            return;
        };
        if let Some((at, _)) = self.armed.get()
            && at <= deadline
        {
            return;
        }
        self.disarm();
        let now = clock.now();
        // A millisecond more: `now` rounds down, and must not find the deadline ahead of it.
        let delay = (deadline - now) + Duration::from_millis(1);
        let delay = i32::try_from(delay.as_millis()).unwrap_or(i32::MAX);
        let function = self.closure.as_ref().unchecked_ref();
        let id = self
            .window
            .set_timeout_with_callback_and_timeout_and_arguments_0(function, delay);
        self.armed.set(id.ok().map(|id| (deadline, id)));
    }

    fn disarm(&self) {
        if let Some((_, id)) = self.armed.take() {
            self.window.clear_timeout_with_handle(id);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.disarm();
    }
}
