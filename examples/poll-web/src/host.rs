//! What the owner of a poll decides while it runs.

use hustings_protocol::{Command, Role, SettingsUpdate};
use leptos::prelude::*;

use crate::model::Model;

/// Closing, reopening, and who may add options.
#[component]
pub(crate) fn HostTools(model: Model) -> impl IntoView {
    let is_owner = Memo::new(move |_| model.role() == Role::Owner);
    let is_closed = Memo::new(move |_| model.poll().is_some_and(|poll| poll.is_closed()));
    let may_add = Memo::new(move |_| {
        model
            .poll()
            .is_some_and(|poll| poll.voters_may_add_options())
    });
    let change = move |closed: Option<bool>, voters_may_add_options: Option<bool>| {
        let update = SettingsUpdate {
            poll_id: model.link.poll,
            closed,
            voters_may_add_options,
        };
        model.submit(Command::UpdateSettings(update), || {});
    };
    view! {
        <Show when=move || is_owner.get()>
            <section class="card" aria-labelledby="settings-heading">
                <h2 id="settings-heading">"Your poll"</h2>
                <label class="check">
                    <input type="checkbox" prop:checked=may_add
                        on:change=move |event| change(None, Some(event_target_checked(&event))) />
                    "Voters may add options"
                </label>
                <button on:click=move |_| change(Some(!is_closed.get_untracked()), None)>
                    {move || if is_closed.get() { "Reopen the poll" } else { "Close the poll" }}
                </button>
            </section>
        </Show>
    }
}
