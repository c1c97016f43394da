//! A driver that runs by itself.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{Either, Shared, select};
use hustings_outbox::{Batch, Durability, Store, StoreError};
use hustings_room::clock::{Clock, SystemClock};
use hustings_room::driver::DriverError;
use wasm_bindgen_futures::spawn_local;

/// The time between two looks whether the stored data is still there, and this tab in its place.
const EVERY: Duration = Duration::from_secs(2);

/// The key of a record that there never is: what is asked for is only whether it can be read.
const NO_RECORD: &[u8] = &[];

/// The state of a task: running, or the reason why it has stopped.
#[derive(Clone)]
pub(crate) struct Running {
    state: Rc<RefCell<State>>,
    ended: Shared<oneshot::Receiver<()>>,
}

enum State {
    Runs,
    Ended,
    Failed(DriverError),
}

impl Running {
    /// Runs a driver on this store, until it ends, or the stored data is deleted under it, or
    /// another tab takes its place: one that has nothing to write would not notice. `held` is given
    /// back only when it has ended: until then it writes.
    pub(crate) fn start(
        driver: impl Future<Output = Result<(), DriverError>> + 'static,
        store: Rc<dyn Store>,
        held: impl Sized + 'static,
    ) -> Self {
        let state = Rc::new(RefCell::new(State::Runs));
        let told = Rc::clone(&state);
        let (end, ended) = oneshot::channel();
        spawn_local(async move {
            let ended = match select(Box::pin(driver), Box::pin(gone(store))).await {
                Either::Left((Ok(()), _)) => State::Ended,
                Either::Left((Err(error), _)) => State::Failed(error),
                Either::Right((error, _)) => State::Failed(error.into()),
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
            State::Failed(why) => Some(why.to_string()),
            State::Runs | State::Ended => None,
        }
    }

    /// True if it has failed because what was stored is gone.
    pub(crate) fn is_deleted(&self) -> bool {
        let deleted = |why: &DriverError| matches!(why, DriverError::Store(StoreError::Deleted(_)));
        matches!(&*self.state.borrow(), State::Failed(why) if deleted(why))
    }
}

/// Resolves once the stored data is known to be deleted, or another tab to be in this one's place.
/// Other errors are those of whoever writes.
async fn gone(store: Rc<dyn Store>) -> StoreError {
    let clock = SystemClock::new();
    loop {
        clock.sleep_until(clock.now() + EVERY).await;
        if let Err(error @ StoreError::Deleted(_)) = store.get(NO_RECORD).await {
            return error;
        }
        // Nothing is changed by it.
        let asked = store.commit(Batch::new(), Durability::Relaxed).await;
        if let Err(error @ StoreError::TakenOver) = asked {
            return error;
        }
    }
}
