//! The question of a poll, to change.

use hustings_protocol::{Command, Limits, SettingsUpdate};
use leptos::ev;
use leptos::prelude::*;

use crate::model::Model;
use crate::typed;

/// The form for another question. What is typed lasts until its answer.
#[component]
pub(crate) fn Title(model: Model) -> impl IntoView {
    let known = Memo::new(move |_| {
        let poll = model.poll();
        poll.map(|poll| poll.title().to_owned()).unwrap_or_default()
    });
    let typed = RwSignal::new(None::<String>);
    let shown = move || typed.get().unwrap_or_else(|| known.get());
    let long = Memo::new(move |_| typed::too_long(&shown(), Limits::default().max_title_chars));
    let save = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let title = untrack(shown).trim().to_owned();
        if title.is_empty()
            || long.with_untracked(Option::is_some)
            || title == known.get_untracked()
        {
            return;
        }
        let update = SettingsUpdate::new(model.link.poll_id).title(&title);
        let taken = move || {
            typed.try_set(None);
        };
        let refused = move || {
            typed.try_update(|typed| {
                typed.get_or_insert(title);
            });
        };
        model.submit_or(Command::UpdateSettings(update), taken, refused);
    };
    view! {
        <form class="inline field" on:submit=save>
            <label for="new-title">"Question"</label>
            <div class="row">
                <input id="new-title" type="text" autocomplete="off" aria-describedby="new-title-problem"
                    aria-invalid=move || long.with(Option::is_some).to_string() prop:value=shown
                    on:input=move |event| typed.set(Some(event_target_value(&event))) />
                <button type="submit" aria-disabled=move || (!model.is_connected()).to_string()>"Change the question"</button>
            </div>
            <p id="new-title-problem" class="problem" role="alert">{long}</p>
        </form>
    }
}
