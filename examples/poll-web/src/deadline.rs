//! A time at which a poll closes by itself, to choose.
//!
//! It is chosen and shown in the reader's own time zone, and kept as a moment.

use hustings_protocol::{Command, SettingsUpdate};
use leptos::ev;
use leptos::prelude::*;

use crate::browser::{field_of_moment, focus, is_incomplete, local_moment, moment_of_field};
use crate::model::Model;
use crate::words::{INCOMPLETE, PAST};

/// The id of the field in the host's settings.
const FIELD: &str = "deadline";

/// The field for a deadline: empty for none. What it is taken for stands below it, with its zone.
#[component]
pub(crate) fn DeadlineField(
    id: &'static str,
    label: &'static str,
    #[prop(into)] typed: Signal<String>,
    on_typed: impl Fn(String) + Copy + Send + Sync + 'static,
    #[prop(into)] problem: Signal<Option<String>>,
) -> impl IntoView {
    let is_partial = RwSignal::new(false);
    let understood = move || match moment_of_field(&typed.get()) {
        _ if is_partial.get() => INCOMPLETE.to_owned(),
        Some(at) => local_moment(at),
        None => "No deadline.".to_owned(),
    };
    // What is not whole yet is empty for the page, and putting that into the field would take away
    // what is there of it.
    let on_input = move |event: ev::Event| {
        let field = event_target::<web_sys::HtmlInputElement>(&event);
        is_partial.set(field.validity().bad_input());
        if !is_partial.get_untracked() {
            on_typed(field.value());
        }
    };
    let (hint, fault) = (format!("{id}-hint"), format!("{id}-problem"));
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <input id=id type="datetime-local" aria-describedby=format!("{fault} {hint}")
                aria-invalid=move || problem.with(Option::is_some).to_string() prop:value=typed
                on:input=on_input />
            <p id=fault class="problem" role="alert">{problem}</p>
            <p id=hint class="hint">{understood}</p>
        </div>
    }
}

/// The host's choice while the poll is there: another deadline, none, or one until which a closed
/// poll is open again.
#[component]
pub(crate) fn Deadline(model: Model) -> impl IntoView {
    let known = Memo::new(move |_| model.poll()?.closes_at());
    let is_closed = Memo::new(move |_| model.poll().is_some_and(|poll| poll.is_closed()));
    // The deadline of a closed poll is none to go on with.
    let standing = Memo::new(move |_| known.get().filter(|_| !is_closed.get()));
    let typed = RwSignal::new(None::<String>);
    let problem = RwSignal::new(None::<String>);
    let shown = Signal::derive(move || {
        let standing = || standing.get().map(field_of_moment).unwrap_or_default();
        typed.get().unwrap_or_else(standing)
    });
    let send = move |closes_at: Option<u64>| {
        let update = SettingsUpdate::new(model.link.poll_id).closes_at(closes_at);
        let update = match is_closed.get_untracked() {
            true => update.closed(false),
            false => update,
        };
        let before = typed.get_untracked();
        let taken = move || {
            typed.try_set(None);
        };
        let refused = move || {
            typed.try_update(|typed| {
                if typed.is_none() {
                    *typed = before;
                }
            });
        };
        model.submit_or(Command::UpdateSettings(update), taken, refused);
    };
    let save = move |event: ev::SubmitEvent| {
        event.prevent_default();
        match moment_of_field(&shown.get_untracked()) {
            _ if is_incomplete(FIELD) => problem.set(Some(INCOMPLETE.to_owned())),
            Some(at) if model.until_deadline(at).is_zero() => problem.set(Some(PAST.to_owned())),
            None if is_closed.get_untracked() => {
                problem.set(Some("Choose the time at which it closes again.".to_owned()));
            }
            at if at == standing.get_untracked() => {}
            at => send(at),
        }
    };
    let is_off = move || (!model.is_connected()).to_string();
    view! {
        <form on:submit=save novalidate>
            <DeadlineField id=FIELD label="Closes at" typed=shown problem
                on_typed=move |text| {
                    problem.set(None);
                    typed.set(Some(text));
                } />
            <div class="actions">
                <button type="submit" aria-disabled=is_off>
                    {move || match (is_closed.get(), standing.get()) {
                        (true, _) => "Reopen until then",
                        (false, None) => "Set the deadline",
                        (false, Some(_)) => "Change the deadline",
                    }}
                </button>
                <Show when=move || standing.get().is_some()>
                    <button type="button" aria-disabled=is_off on:click=move |_| {
                        problem.set(None);
                        send(None);
                        // The button goes with the deadline.
                        focus(FIELD);
                    }>"Take the deadline away"</button>
                </Show>
            </div>
        </form>
    }
}
