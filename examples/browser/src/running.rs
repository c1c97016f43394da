//! A driver that runs by itself.

use std::cell::RefCell;
use std::rc::Rc;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::Shared;
use hustings_room::driver::DriverError;
use wasm_bindgen_futures::spawn_local;

/// The state of a task: running, or the reason why it has stopped.
#[derive(Clone)]
pub(crate) struct Running {
    state: Rc<RefCell<State>>,
    ended: Shared<oneshot::Receiver<()>>,
}

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
        let (end, ended) = oneshot::channel();
        spawn_local(async move {
            let ended = match driver.await {
                Ok(()) => State::Ended,
                Err(error) => State::Failed(error.to_string()),
            };
            told.replace(ended);
            drop(held);
            // Nobody need be waiting for it.
            let _ = end.send(());
        });
        let ended = ended.shared();
        Self { state, ended }
    }

    /// True if it still runs.
    pub(crate) fn is_on(&self) -> bool {
        matches!(*self.state.borrow(), State::Runs)
    }

    /// Resolves once it has stopped, and what it held is given back.
    pub(crate) async fn ended(&self) {
        // The task itself cannot go away before.
        let _ = self.ended.clone().await;
    }

    /// The reason why it has stopped, if it has failed.
    pub(crate) fn failure(&self) -> Option<String> {
        match &*self.state.borrow() {
            State::Failed(why) => Some(why.clone()),
            State::Runs | State::Ended => None,
        }
    }
}
