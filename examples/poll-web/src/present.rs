//! The poll for a whole room of people to look at: large, with a code to scan, and nothing to fill
//! in.
//!
//! It shows what everybody may see. Results that wait for the end, or for one's own vote, are not
//! here before the end, though this side may see them elsewhere.

use leptos::ev;
use leptos::prelude::*;

use crate::app::Heading;
use crate::ballot::turnout;
use crate::browser::{can_fill_screen, fill_screen_or_not, show};
use crate::closing::Closing;
use crate::model::Model;
use crate::results::{Row, are_for_all};
use crate::route::fragment;
use crate::share::code;
use crate::words::{count, percent, when_for_all};

/// The poll on a big screen.
#[component]
pub(crate) fn Present(model: Model, title: Signal<String>) -> impl IntoView {
    let results = Memo::new(move |_| model.results());
    let are_shown = Memo::new(move |_| {
        let shows =
            |now: &crate::model::Snapshot| now.confirmed.as_deref().is_some_and(are_for_all);
        model.snapshot.with(shows)
    });
    let has_poll = Memo::new(move |_| model.snapshot.with(|now| now.confirmed.is_some()));
    let is_connected = Memo::new(move |_| model.is_connected());
    let is_closed = Memo::new(move |_| model.poll().is_some_and(|poll| poll.is_closed()));
    let when = move || {
        let poll = model.poll().filter(|_| !are_shown.get());
        poll.map(|poll| when_for_all(poll.results()))
    };
    let leave = move || show(&fragment(model.link));
    let keys = window_event_listener(ev::keydown, move |event| {
        if event.key() == "Escape" {
            leave();
        }
    });
    on_cleanup(move || keys.remove());
    view! {
        <div class="present">
            <div class="wall">
                <Heading text=title />
                <Show when=move || has_poll.get()>
                    <p class="turnout" role="status" data-testid="turnout">
                        {move || turnout(&results.get(), is_closed.get())}
                    </p>
                    <Closing model />
                    <p data-testid="when">{when}</p>
                    <ol class="options">
                        <For each=move || 0..results.with(|results| results.rows.len()) key=|place| *place let(place)>
                            <One row=Memo::new(move |_| results.with(|results| results.rows.get(place).cloned()))
                                voters=Memo::new(move |_| results.with(|results| results.voters)) are_shown />
                        </For>
                    </ol>
                </Show>
                <Show when=move || !is_connected.get()>
                    <p class="hint">
                        {move || if model.is_removed() {
                            "You were removed from this poll. This is what was seen last."
                        } else {
                            "The host cannot be reached now. This is what was seen last."
                        }}
                    </p>
                </Show>
            </div>
            <aside class="scan" aria-label="Join">
                {code(model.link)}
                <p>"Scan to join"</p>
            </aside>
            <div class="actions">
                <Show when=can_fill_screen>
                    <button class="quiet" on:click=|_| fill_screen_or_not()>"Full screen"</button>
                </Show>
                <button class="quiet" on:click=move |_| leave()>"Leave (Esc)"</button>
            </div>
        </div>
    }
}

/// One option, with its votes where these are shown.
#[component]
fn One(row: Memo<Option<Row>>, voters: Memo<u64>, are_shown: Memo<bool>) -> impl IntoView {
    let label = move || row.with(|row| row.as_ref().map(|row| row.label.clone()));
    let votes = Memo::new(move |_| row.with(|row| row.as_ref().map_or(0, |row| row.confirmed)));
    let share = move || percent(votes.get(), voters.get().max(votes.get()));
    let is_withdrawn =
        Memo::new(move |_| row.with(|row| row.as_ref().is_some_and(|row| row.withdrawn)));
    view! {
        <li class="option" class:withdrawn=is_withdrawn>
            <bdi class="name">{label}</bdi>
            <Show when=move || is_withdrawn.get()>
                <span class="marks"><span class="mark gone">"Withdrawn"</span></span>
            </Show>
            <Show when=move || are_shown.get() && !is_withdrawn.get()>
                <span class="figures">
                    <span class="votes" data-testid="presented">{move || count(votes.get(), "vote", "votes")}</span>
                    <span class="share">{share}"%"</span>
                </span>
                <span class="bar" aria-hidden="true">
                    <span class="certain" style:width=move || format!("{}%", share())></span>
                </span>
            </Show>
        </li>
    }
}
