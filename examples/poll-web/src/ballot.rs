//! The ballot: the options with their results, and one's own choice among them.

use hustings_protocol::{Command, Limits, OptionAdd, OptionId, Role, Vote};
use hustings_room::Pending;
use leptos::prelude::*;
use leptos::{ev, html};
use uuid::Uuid;
use wasm_split_helpers::wasm_split;

use crate::browser::{focus, pasted};
use crate::closing::Closing;
use crate::draft;
use crate::kept::Standing;
use crate::later::{Part, later};
use crate::model::{Model, progress};
use crate::redeem::uninvited;
use crate::results::{Results, Row};
use crate::typed;
use crate::words::{self, CHOSE_WITHDRAWN, count, percent};

/// The id of the button that votes.
const VOTE: &str = "vote";

/// The things that this side may do to the poll now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct May {
    vote: bool,
    add_options: bool,
    is_closed: bool,
    several: bool,
}

impl May {
    fn of(model: Model) -> Self {
        let Some(poll) = model.poll() else {
            return Self {
                vote: false,
                add_options: false,
                is_closed: false,
                several: false,
            };
        };
        let (role, is_open) = (poll.role(model.me), !poll.is_closed());
        let least = if poll.voters_may_add_options() {
            Role::Voter
        } else {
            Role::Moderator
        };
        Self {
            vote: is_open && role >= Role::Voter,
            add_options: is_open && role >= least,
            is_closed: !is_open,
            several: poll.multiple_choice(),
        }
    }
}

/// The options, to read and to choose from.
#[component]
pub(crate) fn Ballot(model: Model) -> impl IntoView {
    let results = Memo::new(move |_| model.results());
    let may = Memo::new(move |_| May::of(model));
    // What is ticked but not voted for yet; without it the vote shows.
    let ticked = RwSignal::new(None::<Vec<OptionId>>);
    // What was withdrawn stays chosen, and is no part of a vote that could be sent.
    let standing = move |of: &[OptionId]| {
        let poll = model.poll();
        poll.map(|poll| draft::standing(of, &poll))
            .unwrap_or_default()
    };
    let has_vote = Memo::new(move |_| {
        let poll = model.poll();
        poll.is_some_and(|poll| !poll.choices(model.me).is_empty())
    });
    let voted = Memo::new(move |_| {
        let poll = model.poll();
        poll.map(|poll| standing(poll.choices(model.me)))
            .unwrap_or_default()
    });
    let chosen = Memo::new(move |_| match ticked.get() {
        Some(ticked) => standing(&ticked),
        None => voted.get(),
    });
    let has_news =
        Memo::new(move |_| chosen.with(|chosen| voted.with(|voted| draft::differs(chosen, voted))));
    let too_many = Memo::new(move |_| chosen.with(|chosen| draft::too_many(chosen.len())));
    let send = move |option_ids: Vec<OptionId>| {
        let sent = option_ids.clone();
        let vote = Vote {
            poll_id: model.link.poll_id,
            option_ids,
        };
        let taken = move || {
            ticked.try_set(None);
        };
        // What was ticked is ticked again if it is refused, unless something else is by then.
        let refused = move || {
            ticked.try_update(|ticked| {
                if ticked.is_none() && !sent.is_empty() {
                    *ticked = Some(sent);
                }
            });
        };
        model.submit_or(Command::Vote(vote), taken, refused);
    };
    let vote = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if has_news.get_untracked() && too_many.with_untracked(Option::is_none) {
            send(chosen.get_untracked());
        }
    };
    // The button goes with the vote, and the keyboard to the one that stays.
    let take_back = move || {
        send(Vec::new());
        focus(VOTE);
    };
    let choose = move |option: OptionId, is_chosen: bool| {
        let several = may.get_untracked().several;
        let (before, voted) = (chosen.get_untracked(), voted.get_untracked());
        ticked.set(draft::after(&before, &voted, several, option, is_chosen));
    };
    let heading = move || match (may.get().vote, may.get().several) {
        (false, _) => "Results",
        (true, false) => "Choose one",
        (true, true) => "Choose one or more",
    };
    // Before one votes, and for as long as one may.
    let who_sees = move || {
        let poll = model.poll().filter(|_| may.get().vote);
        poll.map(|poll| words::who_sees(poll.ballots(), model.me == model.link.owner))
    };
    let when = move || {
        let (is_closed, is_shown) = (
            may.get().is_closed,
            results.with(|results| results.are_shown),
        );
        model
            .poll()
            .map(|poll| words::when(poll.results(), is_closed, is_shown))
    };
    let is_ready = move || model.is_connected() && has_news.get() && too_many.get().is_none();
    view! {
        <form class="card ballot" on:submit=vote aria-labelledby="ballot-heading">
            <fieldset>
                <legend><h2 id="ballot-heading">{heading}</h2></legend>
                <p class="turnout" data-testid="turnout">{move || turnout(&results.get(), may.get().is_closed)}</p>
                <Closing model />
                <p class="hint" data-testid="when">{when}</p>
                <p class="hint" data-testid="who-sees">{who_sees}</p>
                <ol class="options">
                    <For each=move || 0..results.with(|results| results.rows.len()) key=|place| *place let(place)>
                        <Choice place results may chosen choose />
                    </For>
                </ol>
            </fieldset>
            <Show when=move || may.get().vote>
                <div class="actions">
                    <button id=VOTE type="submit" class="primary" aria-disabled=move || (!is_ready()).to_string()>
                        {move || if voted.get().is_empty() { "Vote" } else { "Change vote" }}
                    </button>
                    <Show when=move || has_vote.get()>
                        <button type="button" aria-disabled=move || (!model.is_connected()).to_string()
                            on:click=move |_| take_back()>
                            "Take back vote"
                        </button>
                    </Show>
                </div>
            </Show>
            <p class="hint" role="status" data-testid="vote-state">{move || {
                let state = || {
                    let state = state(model, voted.get().is_empty());
                    if model.is_vote_refused.get() { format!("Your last vote was refused. {state}") } else { state.to_owned() }
                };
                too_many.get().or_else(|| uninvited(model).map(str::to_owned)).unwrap_or_else(state)
            }}</p>
        </form>
        <Show when=move || may.get().add_options>
            {later(load_add_option, move || add_option(model))}
        </Show>
    }
}

/// The number of people who have voted.
pub(crate) fn turnout(results: &Results, is_closed: bool) -> String {
    let voted = match results.voters {
        0 => "Nobody has voted yet".to_owned(),
        voters => format!("{} voted", count(voters, "person has", "people have")),
    };
    if is_closed {
        format!("This poll is closed. {voted}.")
    } else {
        format!("{voted}.")
    }
}

/// The state of one's own vote.
fn state(model: Model, is_empty: bool) -> &'static str {
    let is_vote = |pending: &&Pending| matches!(pending.command, Command::Vote(_));
    let (role, is_connected) = (model.role(), model.is_connected());
    model.snapshot.with(|now| {
        let waits = now.pending.iter().rfind(is_vote);
        let standing = Standing {
            kept: now.kept,
            waits: waits.and_then(|vote| progress(&vote.state)),
            is_left_behind: now.left_behind.iter().any(|pending| is_vote(&pending)),
            is_empty,
            is_withdrawn: now.poll.as_ref().is_some_and(|poll| {
                let choices = poll.choices(model.me);
                draft::standing(choices, poll).len() < choices.len()
            }),
            role,
            is_removed: now.is_removed(),
            is_connected,
            is_stopped: now.failure.is_some(),
        };
        standing.words()
    })
}

/// One option: to tick where one may vote, with its bar.
#[component]
fn Choice(
    place: usize,
    results: Memo<Results>,
    may: Memo<May>,
    chosen: Memo<Vec<OptionId>>,
    choose: impl Fn(OptionId, bool) + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let row = Memo::new(move |_| results.with(|results| results.rows.get(place).cloned()));
    let option = move || row.with(|row| row.as_ref().map(|row| row.option_id));
    let label = move || row.with(|row| row.as_ref().map(|row| row.label.clone()));
    let is = move |what: fn(&Row) -> bool| row.with(|row| row.as_ref().is_some_and(what));
    let is_chosen =
        move || option().is_some_and(|option| chosen.with(|chosen| chosen.contains(&option)));
    let share = move |votes: fn(&Row) -> u64| {
        results.with(|results| {
            let votes = results.rows.get(place).map(votes).unwrap_or_default();
            percent(votes, results.voters.max(votes))
        })
    };
    let is_withdrawn = Memo::new(move |_| is(|row| row.withdrawn));
    let are_shown =
        Memo::new(move |_| results.with(|results| results.are_shown) && !is_withdrawn.get());
    let chosen_by = Memo::new(move |_| {
        row.with(|row| {
            row.as_ref()
                .map(|row| row.chosen_by.clone())
                .unwrap_or_default()
        })
    });
    let figures = StoredValue::new(format!("figures-{place}"));
    view! {
        <li class="option" class:mine=move || is(|row| row.mine && !row.withdrawn)
            class:withdrawn=is_withdrawn>
            <label>
                <Show when=move || may.get().vote && !is_withdrawn.get()>
                    <input name="choice" type=move || if may.get().several { "checkbox" } else { "radio" }
                        aria-describedby=move || are_shown.get().then(|| figures.get_value())
                        prop:checked=is_chosen
                        on:change=move |event| if let Some(option) = option() {
                            choose(option, event_target_checked(&event));
                        } />
                </Show>
                <bdi class="name">{label}</bdi>
            </label>
            <Show when=move || are_shown.get()>
                <span class="figures" id=figures.get_value()>
                    <span class="votes" data-testid="votes">
                        {move || row.with(|row| count(row.as_ref().map_or(0, |row| row.confirmed), "vote", "votes"))}
                    </span>
                    <span class="share">{move || share(|row| row.confirmed)}"%"</span>
                </span>
                <span class="bar" aria-hidden="true">
                    <span class="expected" style:width=move || format!("{}%", share(|row| row.confirmed.max(row.expected)))></span>
                    <span class="certain" style:width=move || format!("{}%", share(|row| row.confirmed.min(row.expected)))></span>
                </span>
            </Show>
            <Show when=move || is(|row| row.withdrawn && row.mine)>
                <small class="by">{CHOSE_WITHDRAWN}</small>
            </Show>
            <Show when=move || !is_withdrawn.get() && !chosen_by.with(String::is_empty)>
                <small class="by">{chosen_by}</small>
            </Show>
            <Show when=move || is(|row| row.mine || row.pending || row.withdrawn)>
                <span class="marks">
                    <Show when=move || is_withdrawn.get()><span class="mark gone">"Withdrawn"</span></Show>
                    <Show when=move || is(|row| row.mine && !row.withdrawn)><span class="mark">"Your choice"</span></Show>
                    <Show when=move || is(|row| row.pending)><PendingSync /></Show>
                </span>
            </Show>
        </li>
    }
}

/// The mark of what the host has not confirmed.
#[component]
pub(crate) fn PendingSync() -> impl IntoView {
    view! { <span class="mark pending" data-testid="pending">"Pending sync"</span> }
}

/// The form for one more option. What counts the characters in it has a table of all of them.
#[wasm_split(side, fallible, preload(load_add_option))]
fn add_option(model: Model) -> Part {
    Ok(view! { <AddOption model /> }.into_any())
}

/// The form for one more option.
#[component]
fn AddOption(model: Model) -> impl IntoView {
    let label = RwSignal::new(String::new());
    let field = NodeRef::<html::Input>::new();
    let long = Memo::new(move |_| {
        label.with(|label| typed::too_long(label, Limits::default().max_label_chars))
    });
    let add = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let text = label.get_untracked().trim().to_owned();
        if text.is_empty() || long.with_untracked(Option::is_some) {
            if let Some(field) = field.get_untracked() {
                let _ = field.focus();
            }
            return;
        }
        let option = OptionAdd {
            poll_id: model.link.poll_id,
            option_id: OptionId::from_uuid(Uuid::new_v4()),
            label: text,
        };
        let typed = option.label.clone();
        let taken = move || {
            label.try_set(String::new());
        };
        let refused = move || {
            label.try_update(|label| {
                if label.is_empty() {
                    *label = typed;
                }
            });
        };
        model.submit_or(Command::AddOption(option), taken, refused);
    };
    let several = RwSignal::new(None::<String>);
    // One option is sent at a time; a browser would make one line of them.
    let on_paste = move |event: ev::ClipboardEvent| {
        let lines = pasted(&event).map_or(0, |(_, text, _)| typed::lines(&text).len());
        several.set((lines > 1).then(|| {
            event.prevent_default();
            format!("That has {lines} lines. Add one option after the other; nothing was pasted.")
        }));
    };
    view! {
        <form class="card inline" on:submit=add>
            <label for="add-option">"Another option"</label>
            <div class="row">
                <input id="add-option" type="text" autocomplete="off" node_ref=field
                    prop:value=label on:input=move |event| {
                        several.set(None);
                        label.set(event_target_value(&event));
                    }
                    on:paste=on_paste aria-describedby="add-option-problem"
                    aria-invalid=move || long.with(Option::is_some).to_string() />
                <button type="submit" aria-disabled=move || (!model.is_connected()).to_string()>"Add"</button>
            </div>
            <p id="add-option-problem" class="problem" role="alert">{move || long.get().or_else(|| several.get())}</p>
        </form>
    }
}
