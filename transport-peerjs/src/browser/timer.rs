//! The one timer of a transport.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use hustings_room::Moment;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{RtcDataChannel, Window};

use crate::shell::backend::Input;
use crate::shell::reentry::Reporter;

/// Reports at its deadline or before, never after it for longer than the browser holds timers back.
/// A report too early finds nothing due and is answered with the next deadline, which is cheaper
/// than to move the browser's timer whenever the deadline moves.
pub(super) struct Timer {
    window: Window,
    closure: Closure<dyn Fn()>,
    armed: Rc<Cell<Option<(Moment, i32)>>>,
}

impl Timer {
    pub(super) fn new(window: Window, reporter: Reporter<RtcDataChannel>) -> Self {
        let armed = Rc::new(Cell::new(None));
        let fired = Rc::clone(&armed);
        let closure = Closure::<dyn Fn()>::new(move || {
            fired.set(None);
            reporter.report(Input::Timeout);
        });
        Self {
            window,
            closure,
            armed,
        }
    }

    /// Sees that it fires at `deadline`, or before.
    pub(super) fn arm(&self, deadline: Option<Moment>, now: Moment) {
        let Some(deadline) = deadline else {
            return;
        };
        if let Some((at, _)) = self.armed.get()
            && at <= deadline
        {
            return;
        }
        self.disarm();
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
