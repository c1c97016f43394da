//! The time until a poll closes by itself.
//!
//! It goes by the host's clock, and says of no poll that it is closed: that is for the host to say.

use std::time::Duration;

use leptos::prelude::*;

use crate::browser::local_moment;
use crate::model::Model;
use crate::words::closing;

/// The time between two looks at the clock.
const TICK: Duration = Duration::from_millis(250);

/// The deadline of an open poll; nothing where there is none. It is not read out each second.
#[component]
pub(crate) fn Closing(model: Model) -> impl IntoView {
    let deadline = Memo::new(move |_| {
        let poll = model.poll().filter(|poll| !poll.is_closed())?;
        poll.closes_at()
    });
    move || deadline.get().map(|at| view! { <Countdown model at /> })
}

#[component]
fn Countdown(model: Model, at: u64) -> impl IntoView {
    let left = RwSignal::new(model.until_deadline(at));
    let tick = move || {
        left.try_set(model.until_deadline(at));
    };
    if let Ok(ticks) = set_interval_with_handle(tick, TICK) {
        on_cleanup(move || ticks.clear());
    }
    let said = Memo::new(move |_| closing(left.get(), model.is_connected()));
    view! {
        <p class="turnout" data-testid="closing">
            <span class="countdown" role="timer" aria-live="off">{said}</span>" · "{local_moment(at)}
        </p>
    }
}
