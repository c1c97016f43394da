//! A driver that runs by itself.

use std::cell::RefCell;
use std::rc::Rc;

use hustings_room::driver::DriverError;
use wasm_bindgen_futures::spawn_local;

/// The state of a task: running, or the reason why it has stopped.
#[derive(Clone)]
pub(crate) struct Running(Rc<RefCell<State>>);

enum State {
    Runs,
    Ended,
    Failed(String),
}

impl Running {
    /// Runs a driver. `held` is given back only when it has ended: until then it writes.
    pub(crate) fn start(
        driver: impl Future<Output = Result<(), DriverError>> + 'static,
        held: impl Sized + 'static,
    ) -> Self {
        let state = Rc::new(RefCell::new(State::Runs));
        let told = Rc::clone(&state);
        spawn_local(async move {
            let ended = match driver.await {
                Ok(()) => State::Ended,
                Err(error) => State::Failed(error.to_string()),
            };
            told.replace(ended);
            drop(held);
        });
        Self(state)
    }

    /// True if it still runs.
    pub(crate) fn is_on(&self) -> bool {
        matches!(*self.0.borrow(), State::Runs)
    }

    /// The reason why it has stopped, if it has failed.
    pub(crate) fn failure(&self) -> Option<String> {
        match &*self.0.borrow() {
            State::Failed(why) => Some(why.clone()),
            State::Runs | State::Ended => None,
        }
    }
}
