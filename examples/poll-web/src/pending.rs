//! Pending commands, and those that the host has rejected.

use hustings_room::Pending;
use leptos::prelude::*;

use crate::app::HEADING;
use crate::ballot::PendingSync;
use crate::browser::focus_in_place;
use crate::model::{Model, Notice, progress};
use crate::words;

/// Every command without an answer. Empty when there is none.
#[component]
pub(crate) fn Waiting(model: Model) -> impl IntoView {
    let pending = Memo::new(move |_| model.snapshot.with(|now| now.pending.clone()));
    let left_behind = Memo::new(move |_| model.snapshot.with(|now| now.left_behind.clone()));
    let line = move |pending: Pending| {
        let poll = model.poll();
        let what = words::sentence(&words::asked(poll.as_deref(), &pending.command));
        let progress = progress(&pending.state);
        let how_far = progress.map_or("answered", |progress| model.kept().how_far(progress));
        view! { <li><span>{what}<small>{how_far}</small></span><PendingSync /></li> }
    };
    let inherited = move |pending: Pending| {
        let poll = model.poll();
        let what = words::sentence(&words::asked(poll.as_deref(), &pending.command));
        let from = "from a tab that was closed; this one delivers it";
        view! { <li><span>{what}<small>{from}</small></span><PendingSync /></li> }
    };
    view! {
        <Show when=move || !pending.with(Vec::is_empty) || !left_behind.with(Vec::is_empty)>
            <section class="card waiting" aria-labelledby="waiting-heading">
                <h2 id="waiting-heading">"Waiting for the host"</h2>
                <ul>
                    {move || pending.get().into_iter().map(line).collect_view()}
                    {move || left_behind.get().into_iter().map(inherited).collect_view()}
                </ul>
            </section>
        </Show>
    }
}

/// The failures, each until it is dismissed. They stay in sight, wherever the page is scrolled to:
/// the act that failed may have been far down.
#[component]
pub(crate) fn Notices(model: Model) -> impl IntoView {
    let dismiss = move |number: usize| {
        model
            .notices
            .update(|notices| notices.retain(|notice| notice.number != number));
        // The page stays where the hand is.
        focus_in_place(HEADING);
    };
    view! {
        <div class="notices" role="alert">
            <For each=move || model.notices.get() key=|notice| notice.number let(notice)>
                {
                    let Notice { number, text } = notice;
                    view! {
                        <div class="banner problem" data-testid="refused">
                            <p>{text}</p>
                            <button on:click=move |_| dismiss(number)>"Dismiss"</button>
                        </div>
                    }
                }
            </For>
        </div>
    }
}
