//! Invitations, as the host makes them, gives them out and withdraws them.
//!
//! This device keeps only their hashes, so their links are shown once: when they are made.

use std::collections::BTreeMap;

use hustings_protocol::{
    Admission, Command, Invitation, InvitationId, InvitationIssue, InvitationSecret,
    InvitationWithdrawal, Limits, RoomLink,
};
use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::browser::{copy_text, download, focus_soon, invitation_address, print};
use crate::model::Model;
use crate::share::picture;
use crate::sheet::{Cell, Sheet};
use crate::words;

/// The most invitations that are listed; each of the others is found by its number.
const LISTED: usize = 200;

/// The secrets that were made since the room was opened here.
#[derive(Clone, Copy)]
pub(crate) struct Made(RwSignal<Vec<InvitationSecret>>);

impl Made {
    pub(crate) fn new() -> Self {
        Self(RwSignal::new(Vec::new()))
    }
}

/// True where only invited people vote.
fn is_invited(model: Model) -> bool {
    model
        .poll()
        .is_some_and(|poll| poll.admission() == Admission::Invited)
}

/// Says of the link to a poll what it is not: an invitation.
pub(crate) fn share_note(model: Model) -> Option<&'static str> {
    let note = if model.is_host {
        "This link is for looking. Links with which people vote are made under “Invitations”."
    } else {
        "This link is for looking. To vote, people need an invitation from the host."
    };
    is_invited(model).then_some(note)
}

/// The invitations of a poll that this tab hosts.
#[component]
pub(crate) fn Invitations(model: Model) -> impl IntoView {
    let is_shown = Memo::new(move |_| model.is_host && is_invited(model));
    view! {
        <Show when=move || is_shown.get()>
            <Card model />
        </Show>
    }
}

#[component]
fn Card(model: Model) -> impl IntoView {
    let Made(made) = expect_context();
    let counts = Memo::new(move |_| {
        let counts = model
            .snapshot
            .with(|now| now.confirmed.as_ref().and_then(|poll| poll.invitations()));
        counts.unwrap_or_default()
    });
    // They change with their numbers, and not with each vote.
    let issued = Memo::new(move |_| {
        counts.track();
        let issued = model
            .snapshot
            .with_untracked(|now| now.confirmed.as_ref().map(|poll| poll.issued()));
        Issued(issued.unwrap_or_default())
    });
    let cells = Memo::new(move |_| {
        let numbers = issued.with(Issued::numbers);
        let cell = |secret: &InvitationSecret| {
            let link = RoomLink {
                room: model.link,
                invitation: Some(*secret),
            };
            Some(Cell {
                number: *numbers.get(&secret.id(model.link.poll_id))?,
                address: invitation_address(link),
            })
        };
        made.with(|made| made.iter().filter_map(cell).collect::<Vec<_>>())
    });
    view! {
        <section class="card invitations" aria-labelledby="invitations-heading">
            <h2 id="invitations-heading">"Invitations"</h2>
            <p role="status" data-testid="invitations">{move || words::invitations(counts.get())}</p>
            <Make model made issued />
            <Show when=move || !cells.with(Vec::is_empty)>
                <Links model cells />
            </Show>
            <Show when=move || !issued.with(|issued| issued.0.is_empty())>
                <Withdraw model issued />
            </Show>
        </section>
    }
}

/// Every invitation, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Issued(Vec<Invitation>);

impl Issued {
    fn numbers(&self) -> BTreeMap<InvitationId, usize> {
        let ids = self.0.iter().map(|invitation| invitation.id);
        ids.zip(1..).collect()
    }
}

/// New random secrets.
fn secrets(number: usize) -> Result<Vec<InvitationSecret>, getrandom::Error> {
    let one = |_| {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(InvitationSecret::from_bytes(bytes))
    };
    (0..number).map(one).collect()
}

/// Issues these secrets, as many at once as a command may have, and the rest once that is kept:
/// whatever is shown as made is good.
fn issue(
    model: Model,
    made: RwSignal<Vec<InvitationSecret>>,
    is_busy: RwSignal<bool>,
    mut secrets: Vec<InvitationSecret>,
) {
    if secrets.is_empty() {
        is_busy.try_set(false);
        return;
    }
    let most = Limits::default().max_invitations_at_once;
    let rest = secrets.split_off(secrets.len().min(most));
    let poll_id = model.link.poll_id;
    let command = Command::IssueInvitations(InvitationIssue {
        poll_id,
        invitations: secrets.iter().map(|secret| secret.id(poll_id)).collect(),
        count: 0,
    });
    let applied = move || {
        if made.try_update(|made| made.extend(secrets)).is_some() {
            issue(model, made, is_busy, rest);
        }
    };
    let refused = move || {
        is_busy.try_set(false);
    };
    model.submit_until(command, || {}, applied, refused);
}

/// The form that makes them.
#[component]
fn Make(
    model: Model,
    made: RwSignal<Vec<InvitationSecret>>,
    issued: Memo<Issued>,
) -> impl IntoView {
    let text = RwSignal::new("10".to_owned());
    let problem = RwSignal::new(None::<String>);
    let is_busy = RwSignal::new(false);
    let make = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if is_busy.get_untracked() || !model.is_connected() {
            return;
        }
        let before = issued.with_untracked(|issued| issued.0.len());
        let most = Limits::default().max_invitations.saturating_sub(before);
        let number = text.get_untracked().trim().parse::<usize>().ok();
        let why = match number.filter(|number| (1..=most).contains(number)) {
            None if most == 0 => "This poll has as many invitations as it can have.".to_owned(),
            None => format!("Give a number from 1 to {most}."),
            Some(number) => match secrets(number) {
                Ok(secrets) => {
                    problem.set(None);
                    is_busy.set(true);
                    issue(model, made, is_busy, secrets);
                    return;
                }
                Err(error) => format!("The browser gives no randomness: {error}."),
            },
        };
        problem.set(Some(why));
        focus_soon("invite-number".to_owned());
    };
    view! {
        <form class="inline" on:submit=make novalidate>
            <label for="invite-number">"Number of new invitations"</label>
            <div class="row">
                <input id="invite-number" type="text" inputmode="numeric" autocomplete="off"
                    prop:value=text on:input=move |event| text.set(event_target_value(&event))
                    aria-invalid=move || problem.get().is_some().to_string() aria-describedby="invite-problem" />
                <button type="submit"
                    aria-disabled=move || (is_busy.get() || !model.is_connected()).to_string()>
                    "Make invitations"
                </button>
            </div>
            <p id="invite-problem" class="problem" role="alert">{problem}</p>
        </form>
    }
}

/// The links of those that were just made, in all the ways in which they can be given out.
#[component]
fn Links(model: Model, cells: Memo<Vec<Cell>>) -> impl IntoView {
    let said = RwSignal::new("");
    // What is on the sheet, from when it is asked for.
    let sheet = RwSignal::new(None::<Vec<Cell>>);
    let copy = move |text: String| {
        spawn_local(async move {
            let now = if copy_text(&text).await {
                "It is copied."
            } else {
                "This browser does not let the page copy: take it from “All as text”."
            };
            said.try_set(now);
        });
    };
    let text = move || {
        let lines = |cells: &Vec<Cell>| {
            cells
                .iter()
                .map(|cell| format!("{}\n", cell.address))
                .collect()
        };
        cells.with::<String>(lines)
    };
    let save = move |_| {
        let lines = cells.get_untracked().into_iter();
        let lines = lines.map(|Cell { number, address }| format!("{number},{address}\r\n"));
        let csv = format!("number,link\r\n{}", lines.collect::<String>());
        download("invitations.csv", "text/csv;charset=utf-8", &csv);
    };
    let print = move |_| {
        sheet.set(Some(cells.get_untracked()));
        // When it is there.
        request_animation_frame(print);
    };
    let title = move || {
        let poll = model.poll();
        poll.map(|poll| poll.title().to_owned()).unwrap_or_default()
    };
    view! {
        <div class="made" data-testid="made">
            <p><strong>"These links are shown once. Copy, print or save them now."</strong></p>
            <div class="actions">
                <button type="button" on:click=move |_| copy(untrack(text))>"Copy all"</button>
                <button type="button" on:click=save>"Save as CSV"</button>
                <button type="button" on:click=print>"Print a sheet"</button>
            </div>
            <p class="hint" role="status">{said}</p>
            <ol>
                <For each=move || cells.get() key=|cell| cell.number let(cell)>
                    <Link cell copy />
                </For>
            </ol>
            <details>
                <summary>"All as text"</summary>
                <textarea readonly rows="5" aria-label="All links as text" prop:value=text></textarea>
            </details>
        </div>
        {move || sheet.get().map(|cells| view! { <Sheet title=title() cells /> })}
    }
}

/// One of them.
#[component]
fn Link(cell: Cell, copy: impl Fn(String) + Copy + Send + Sync + 'static) -> impl IntoView {
    let Cell { number, address } = cell;
    // Drawn when somebody looks: there may be thousands.
    let is_open = RwSignal::new(false);
    let address = StoredValue::new(address);
    let code = move || {
        let draw = || {
            picture(
                &address.get_value(),
                format!("QR code of invitation {number}"),
            )
        };
        is_open.get().then(draw)
    };
    view! {
        <li>
            <span class="number">{number}</span>
            <input type="text" readonly value=address.get_value() aria-label=format!("Link of invitation {number}") />
            <button type="button" aria-label=format!("Copy invitation {number}")
                on:click=move |_| copy(address.get_value())>"Copy"</button>
            <details on:toggle=move |_| is_open.set(true)>
                <summary>"QR code"</summary>
                {code}
            </details>
        </li>
    }
}

/// Withdrawing, by number or by the link itself.
#[component]
fn Withdraw(model: Model, issued: Memo<Issued>) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<String>);
    let said = RwSignal::new(None::<String>);
    let withdraw = move |number: usize, id: InvitationId| {
        let command = Command::WithdrawInvitations(InvitationWithdrawal {
            poll_id: model.link.poll_id,
            invitations: vec![id],
            count: 0,
        });
        problem.set(None);
        let applied = move || {
            text.try_set(String::new());
            said.try_set(Some(format!("Invitation {number} is withdrawn.")));
        };
        model.submit_until(command, || {}, applied, || {});
    };
    let named = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if !model.is_connected() {
            return;
        }
        match issued.with_untracked(|issued| find(model, issued, &text.get_untracked())) {
            Ok((number, id)) => withdraw(number, id),
            Err(why) => {
                problem.set(Some(why));
                said.set(None);
                focus_soon("withdraw".to_owned());
            }
        }
    };
    let all = move || issued.with(|issued| issued.0.len());
    let more = move || {
        let more = all().saturating_sub(LISTED);
        (more > 0)
            .then(|| view! { <p class="hint">{format!("and {more} more, by their numbers")}</p> })
    };
    view! {
        <form class="inline" on:submit=named novalidate>
            <label for="withdraw">"Withdraw an invitation: its number, or its link"</label>
            <div class="row">
                <input id="withdraw" type="text" autocomplete="off" autocapitalize="none" spellcheck="false"
                    prop:value=text on:input=move |event| text.set(event_target_value(&event))
                    aria-invalid=move || problem.get().is_some().to_string() aria-describedby="withdraw-problem" />
                <button type="submit" aria-disabled=move || (!model.is_connected()).to_string()>"Withdraw"</button>
            </div>
            <p id="withdraw-problem" class="problem" role="alert">{problem}</p>
            <p class="hint" role="status">{said}</p>
        </form>
        <details>
            <summary>"All invitations"</summary>
            <ol class="issued">
                <For each=move || 1..=all().min(LISTED) key=|number| *number let(number)>
                    <One number issued withdraw />
                </For>
            </ol>
            {more}
        </details>
    }
}

/// One that was made, now or earlier.
#[component]
fn One(
    number: usize,
    issued: Memo<Issued>,
    withdraw: impl Fn(usize, InvitationId) + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let one = Memo::new(move |_| issued.with(|issued| issued.0.get(number - 1).copied()));
    let state = move || one.get().map(|one| state(&one));
    let can_go = move || {
        one.get()
            .is_some_and(|one| !one.withdrawn && one.used != Some(true))
    };
    let on_click = move |_| {
        if let Some(one) = one.get_untracked() {
            withdraw(number, one.id);
        }
    };
    view! {
        <li>
            <span>{format!("No. {number}")}</span>
            <span class="hint">{state}</span>
            <Show when=can_go>
                <button type="button" class="quiet" aria-label=format!("Withdraw invitation {number}")
                    on:click=on_click>"Withdraw"</button>
            </Show>
        </li>
    }
}

/// The state of an invitation, as far as the host may know it: nothing where votes are secret, and
/// it is good or was used.
const fn state(invitation: &Invitation) -> &'static str {
    match (invitation.withdrawn, invitation.used) {
        (true, Some(true)) => "used, then withdrawn",
        (true, Some(false) | None) => "withdrawn",
        (false, Some(true)) => "used",
        (false, Some(false)) => "not used",
        (false, None) => "",
    }
}

/// The invitation that somebody has named, with its number, if it can be withdrawn.
fn find(model: Model, issued: &Issued, text: &str) -> Result<(usize, InvitationId), String> {
    let number = match text.trim().parse::<usize>() {
        Ok(number) => number,
        Err(_) => {
            let link = RoomLink::find(text);
            let link = link.map_err(|error| words::sentence(&format!("{error}.")))?;
            if link.room != model.link {
                return Err("This link is to another poll.".to_owned());
            }
            let secret = link.invitation.ok_or("This link is no invitation.")?;
            let id = secret.id(link.room.poll_id);
            issued.numbers().get(&id).copied().unwrap_or_default()
        }
    };
    match number.checked_sub(1).and_then(|at| issued.0.get(at)) {
        None => Err("This poll has no such invitation.".to_owned()),
        Some(one) if one.withdrawn => Err(format!("Invitation {number} is withdrawn already.")),
        Some(one) => Ok((number, one.id)),
    }
}
