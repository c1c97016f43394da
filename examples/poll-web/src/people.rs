//! The people who are here, their names and their roles.

use std::collections::BTreeMap;

use hustings_protocol::{Command, Limits, PeerId, Role, RoleUpdate, UserProfile};
use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::browser::{remember, remembered};
use crate::model::Model;
use crate::removal::Removal;
use crate::typed;
use crate::words;

/// Under which key the name is remembered for the next poll.
const NAME: &str = "hustings/name";

/// The number of people in the list; the rest is counted.
const LISTED: usize = 200;

/// Somebody who is here, or of whom the poll knows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Person {
    peer: PeerId,
    name: String,
    role: Role,
    is_here: bool,
    has_voted: bool,
    /// True as well for everybody in a poll that does not say who has voted.
    may_have_voted: bool,
    is_removed: bool,
}

/// Everybody, those who are here first, and those who were removed last.
fn everybody(model: Model) -> Vec<Person> {
    model.snapshot.with(|now| {
        let Some(poll) = &now.poll else {
            return Vec::new();
        };
        let mut peers: BTreeMap<PeerId, bool> =
            poll.members().map(|(peer, _)| (peer, false)).collect();
        for info in now.peers.iter().filter(|info| info.online) {
            peers.insert(info.peer_id, true);
        }
        let mut people: Vec<Person> = peers
            .into_iter()
            .map(|(peer, is_here)| Person {
                peer,
                name: words::name(poll, peer),
                role: poll.role(peer),
                is_here,
                has_voted: poll.has_voted(peer),
                may_have_voted: poll.has_voted(peer) || !poll.names_voters(),
                is_removed: poll.is_removed(peer),
            })
            .collect();
        let rank = |person: &Person| {
            (
                person.is_removed,
                !person.is_here,
                person.peer != model.me,
                person.name.to_lowercase(),
            )
        };
        people.sort_by_cached_key(rank);
        people
    })
}

/// The list of people.
#[component]
pub(crate) fn People(model: Model) -> impl IntoView {
    let people = Memo::new(move |_| everybody(model));
    let here = Memo::new(move |_| {
        people.with(|people| people.iter().filter(|person| person.is_here).count() as u64)
    });
    let is_counted = Memo::new(move |_| model.poll().is_some_and(|poll| !poll.names_voters()));
    let listed = move || {
        let mut people = people.get();
        people.truncate(LISTED);
        people
    };
    let more = move || {
        let all = people.with(Vec::len);
        (all > LISTED).then(|| view! { <p class="hint">{format!("and {} more", all - LISTED)}</p> })
    };
    view! {
        <section class="card people" aria-labelledby="people-heading">
            <h2 id="people-heading">"People"</h2>
            <p class="hint" role="status" data-testid="here">
                {move || if model.is_connected() {
                    format!("{} here now.", words::count(here.get(), "person is", "people are"))
                } else if model.is_host {
                    "Nobody is connected to this tab.".to_owned()
                } else if model.is_removed() {
                    "You are told no more who is here.".to_owned()
                } else {
                    "Who is here is known when the host is back.".to_owned()
                }}
            </p>
            <Show when=move || is_counted.get()>
                <p class="hint">{words::COUNTED}</p>
            </Show>
            <Name model />
            <ul>
                <For each=listed key=|person| person.peer let(person)>
                    <One model people peer=person.peer />
                </For>
            </ul>
            {more}
        </section>
    }
}

/// One of them, with what can be done about them.
#[component]
fn One(model: Model, people: Memo<Vec<Person>>, peer: PeerId) -> impl IntoView {
    let person = Memo::new(move |_| {
        people.with(|people| people.iter().find(|one| one.peer == peer).cloned())
    });
    let name =
        move || person.with(|one| one.as_ref().map(|one| one.name.clone()).unwrap_or_default());
    let is = move |what: fn(&Person) -> bool| person.with(|one| one.as_ref().is_some_and(what));
    let role =
        Memo::new(move |_| person.with(|one| one.as_ref().map_or(Role::Voter, |one| one.role)));
    let own = Memo::new(move |_| model.role());
    let is_connected = Memo::new(move |_| model.is_connected());
    let may_moderate = Memo::new(move |_| {
        let is_below = own.get() >= Role::Moderator && role.get() < own.get();
        is_below && peer != model.me && is_connected.get()
    });
    let is_removed = Memo::new(move |_| is(|one| one.is_removed));
    // Who is here only the host knows.
    let presence = move || match (is_connected.get(), is(|one| one.is_here)) {
        _ if is_removed.get() => " · removed",
        (false, _) => "",
        (true, true) => " · here",
        (true, false) => " · away",
    };
    let set = move |event: ev::Event| {
        let Some(select) = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::HtmlSelectElement>().ok())
        else {
            return;
        };
        let chosen = below(own.get_untracked())
            .into_iter()
            .find(|role| words::role(*role) == select.value());
        // It shows what the poll says, which follows at once unless it is refused.
        select.set_value(words::role(role.get_untracked()));
        if let Some(role) = chosen {
            let update = RoleUpdate {
                poll_id: model.link.poll_id,
                peer_id: peer,
                role,
            };
            model.submit(Command::UpdateRole(update), || {});
        }
    };
    view! {
        <li class:here=move || is(|one| one.is_here)>
            <span class="who">
                <bdi class="called">{name}</bdi>
                <small>
                    <span class="id">{words::mark(peer)}</span>
                    {(peer == model.me).then_some(" · you")}
                    {presence}
                    {move || is(|one| one.has_voted).then_some(" · voted")}
                </small>
            </span>
            <Show when=move || may_moderate.get() && !is_removed.get()
                fallback=move || view! { <span class="role">{words::role(role.get())}</span> }>
                <select aria-label=move || words::role_of(&name()) prop:value=move || words::role(role.get())
                    on:change=set>
                    {move || below(own.get()).into_iter().map(|one| view! {
                        <option value=words::role(one) selected=one == role.get_untracked()>{words::role(one)}</option>
                    }).collect_view()}
                </select>
            </Show>
            <Show when=move || may_moderate.get()>
                <Removal model peer name=Signal::derive(name) may_have_voted=Signal::derive(move || is(|one| one.may_have_voted))
                    is_removed />
            </Show>
        </li>
    }
}

/// The roles that somebody of this role may give.
fn below(role: Role) -> Vec<Role> {
    let all = [Role::Viewer, Role::Voter, Role::Moderator];
    all.into_iter().filter(|one| *one < role).collect()
}

/// One's own name.
#[component]
fn Name(model: Model) -> impl IntoView {
    let known = Memo::new(move |_| {
        let poll = model.poll()?;
        let profile = poll.member(model.me)?.profile.as_ref();
        profile.map(|profile| profile.name.clone())
    });
    let typed = RwSignal::new(None::<String>);
    let hint = move || {
        let poll = model.poll().filter(|_| known.with(Option::is_none))?;
        let seen = words::quoted(&words::name(&poll, model.me));
        Some(format!("Until you save one, you are called {seen}."))
    };
    let shown = move || {
        let name = typed.get().or_else(|| known.get());
        name.or_else(|| remembered(NAME)).unwrap_or_default()
    };
    let long = Memo::new(move |_| typed::too_long(&shown(), Limits::default().max_name_chars));
    let save = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let name = untrack(shown).trim().to_owned();
        if !name.is_empty() && long.with_untracked(Option::is_none) {
            remember(NAME, &name);
            model.submit(Command::SetProfile(UserProfile { name }), move || {
                typed.try_set(None);
            });
        }
    };
    view! {
        <form class="inline" on:submit=save>
            <label for="name">"Your name"</label>
            <div class="row">
                <input id="name" type="text" autocomplete="nickname" aria-describedby="name-problem name-hint"
                    aria-invalid=move || long.with(Option::is_some).to_string() prop:value=shown
                    on:input=move |event| typed.set(Some(event_target_value(&event))) />
                <button type="submit" aria-disabled=move || (!model.is_connected()).to_string()>"Save"</button>
            </div>
            <p id="name-problem" class="problem" role="alert">{long}</p>
            <p class="hint" id="name-hint">{hint}</p>
        </form>
    }
}
