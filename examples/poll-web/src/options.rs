//! The options that are there, in the hands of moderators and the host: other labels, withdrawing.

use hustings_protocol::{Command, Limits, OptionId, OptionUpdate, Role};
use leptos::prelude::*;
use leptos::{ev, html};
use wasm_bindgen::JsCast;

use crate::browser::{focus, focus_soon};
use crate::model::Model;
use crate::typed;
use crate::words;

/// The options, each with what can be done with it. Folded away: it is seldom needed.
#[component]
pub(crate) fn Options(model: Model) -> impl IntoView {
    let may = Memo::new(move |_| {
        let is_open = model.poll().is_some_and(|poll| !poll.is_closed());
        is_open && model.role() >= Role::Moderator
    });
    let is_unfolded = RwSignal::new(false);
    let options = move || {
        let poll = model.poll();
        let options = poll.iter().flat_map(|poll| poll.options());
        options.map(|option| option.option_id).collect::<Vec<_>>()
    };
    let unfold = move |event: ev::Event| {
        let folder = event
            .target()
            .and_then(|it| it.dyn_into::<web_sys::Element>().ok());
        is_unfolded.set(folder.is_some_and(|folder| folder.has_attribute("open")));
    };
    view! {
        <Show when=move || may.get() && !options().is_empty()>
            <details class="card edit" on:toggle=unfold>
                <summary>"Change options"</summary>
                <Show when=move || is_unfolded.get()>
                    <p class="hint">
                        "Votes stay with an option whose label changes. Votes for one that is withdrawn do not count, \
                         until it is taken back in."
                    </p>
                    <ul>
                        <For each=options key=|option| *option let(option)>
                            <One model option />
                        </For>
                    </ul>
                </Show>
            </details>
        </Show>
    }
}

/// One of them.
#[component]
fn One(model: Model, option: OptionId) -> impl IntoView {
    let known = Memo::new(move |_| {
        let poll = model.poll()?;
        let option = poll.option(option)?;
        Some((option.label.clone(), option.withdrawn))
    });
    let label = move || known.get().map(|(label, _)| label).unwrap_or_default();
    let is_withdrawn = move || known.get().is_some_and(|(_, withdrawn)| withdrawn);
    // What is typed lasts until its answer.
    let typed = RwSignal::new(None::<String>);
    let field = NodeRef::<html::Input>::new();
    let (edit_id, field_id, problem_id) = (
        StoredValue::new(format!("edit-{option}")),
        StoredValue::new(format!("label-{option}")),
        StoredValue::new(format!("label-{option}-problem")),
    );
    let unchanged = move || OptionUpdate::new(model.link.poll_id, option);
    let long = Memo::new(move |_| {
        let most = Limits::default().max_label_chars;
        typed.with(|typed| typed::too_long(typed.as_deref().unwrap_or_default(), most))
    });
    let edit = move |_| {
        typed.set(Some(label()));
        focus_soon(field_id.get_value());
    };
    let end = move || {
        typed.try_set(None);
        request_animation_frame(move || {
            edit_id.try_with_value(|id| focus(id));
        });
    };
    let save = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let text = typed.get_untracked().unwrap_or_default().trim().to_owned();
        if text.is_empty() || long.with_untracked(Option::is_some) {
            if let Some(field) = field.get_untracked() {
                let _ = field.focus();
            }
            return;
        }
        if text == untrack(label) {
            return end();
        }
        let update = unchanged().label(&text);
        let refused = move || {
            typed.try_update(|typed| {
                typed.get_or_insert(text);
            });
        };
        model.submit_or(Command::UpdateOption(update), end, refused);
    };
    let on_key = move |event: ev::KeyboardEvent| {
        if event.key() == "Escape" && !event.is_composing() {
            end();
        }
    };
    let withdraw = move |_| {
        let update = unchanged().withdrawn(!untrack(is_withdrawn));
        model.submit(Command::UpdateOption(update), || {});
    };
    let is_off = move || (!model.is_connected()).to_string();
    let form = move || {
        view! {
            <form on:submit=save on:keydown=on_key>
                <div class="row">
                    <input id=field_id.get_value() type="text" autocomplete="off" node_ref=field
                        aria-label=move || words::new_label(&label()) aria-describedby=problem_id.get_value()
                        aria-invalid=move || long.with(Option::is_some).to_string()
                        prop:value=move || typed.get().unwrap_or_default()
                        on:input=move |event| typed.set(Some(event_target_value(&event))) />
                    <button type="submit" aria-disabled=is_off>"Save"</button>
                    <button type="button" class="quiet" on:click=move |_| end()>"Cancel"</button>
                </div>
                <p id=problem_id.get_value() class="problem" role="alert">{long}</p>
            </form>
        }
    };
    view! {
        <li>
            <Show when=move || typed.with(Option::is_none) fallback=form>
                <bdi class="name">{label}</bdi>
                <button id=edit_id.get_value() class="quiet" aria-label=move || words::edit(&label())
                    aria-disabled=is_off on:click=edit>
                    "Change"
                </button>
                <button class="quiet" aria-label=move || words::withdraw(&label(), is_withdrawn())
                    aria-disabled=is_off on:click=withdraw>
                    {move || if is_withdrawn() { "Take back in" } else { "Withdraw" }}
                </button>
            </Show>
        </li>
    }
}
