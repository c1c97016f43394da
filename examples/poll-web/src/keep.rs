//! The identity and its polls as a file, to keep or to move, and the polls that are put aside.

use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use hustings_browser::{App, Aside, Imported, Intent, KeepError, Outcome, OwnPoll};
use hustings_protocol::RoomId;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::{ev, html};
use wasm_split_helpers::wasm_split;

use crate::app::Opened;
use crate::browser::{chosen_file, download_bytes, focus_soon, now, pause, reload};
use crate::later::Missing;
use crate::words::{self, MISSING, sentence};

/// The fewest characters of a passphrase: whoever has the file may try as many as they like.
const SHORTEST: usize = 8;

/// The most bytes of a file: what the library reads.
const MAX_FILE: usize = 256 << 20;

/// The time for the page to show that it is busy before it stands still.
const A_FRAME: Duration = Duration::from_millis(60);

/// The polls of the user's own, as they are stored: those that are hosted, and those put aside.
type Polls = (Vec<OwnPoll>, Vec<(OwnPoll, Aside)>);

/// Everything about it, folded away until it is wanted.
#[component]
pub(crate) fn Keep(changes: RwSignal<()>) -> impl IntoView {
    let app = StoredValue::new_local(Opened::app());
    let polls = RwSignal::new(Polls::default());
    let look = move || {
        let app = app.get_value();
        spawn_local(async move {
            // The list above says what cannot be read.
            if let Ok(now) = app.polls().await {
                polls.try_set((now.found, now.aside));
            }
        });
    };
    look();
    let changed = move || {
        // The page may show something else by now.
        changes.try_set(());
        look();
    };
    view! {
        <section class="card" aria-labelledby="keep-heading">
            <h2 id="keep-heading">"Keep or move your polls"</h2>
            <PutAside polls changed />
            <details>
                <summary>"Save them in a file"</summary>
                <Save polls changed />
            </details>
            <details>
                <summary>"Open a file"</summary>
                <Open />
            </details>
            <Show when=move || polls.with(|(found, _)| !found.is_empty())>
                <details>
                    <summary>"Archive"</summary>
                    <Archive polls changed />
                </details>
            </Show>
        </section>
    }
}

/// A title, or the id of a poll without one.
fn title(poll: &OwnPoll) -> String {
    match poll.title.as_str() {
        "" => poll.link.poll_id.to_string(),
        title => title.to_owned(),
    }
}

/// The polls that are moved away or archived, each with a way back.
#[component]
fn PutAside(
    polls: RwSignal<Polls>,
    changed: impl Fn() + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let told = RwSignal::new(String::new());
    let app = StoredValue::new_local(Opened::app());
    let take_back = move |link: RoomId| {
        let app = app.get_value();
        spawn_local(async move {
            match app.take_back(link).await {
                Ok(()) => changed(),
                Err(error) => {
                    told.try_set(sentence(&format!("{error}.")));
                }
            }
        });
    };
    view! {
        <ul class="links aside">
            <For each=move || polls.get().1 key=|(poll, why)| (poll.link, *why) let((poll, why))>
                <OneAside poll why take_back />
            </For>
        </ul>
        <p class="problem" role="alert">{told}</p>
    }
}

/// One of them. A move is taken back only after a question.
#[component]
fn OneAside(
    poll: OwnPoll,
    why: Aside,
    take_back: impl Fn(RoomId) + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let (link, title) = (poll.link, title(&poll));
    let is_moved = matches!(why, Aside::Moved { .. });
    let is_asked = RwSignal::new(false);
    let back = match is_moved {
        true => "Cancel the move…",
        false => "Take out of the archive",
    };
    let pressed = move |_| match is_moved {
        true => is_asked.set(true),
        false => take_back(link),
    };
    let question = words::ask_to_cancel_move(&title);
    view! {
        <li data-testid="aside">
            <p><bdi>{title}</bdi></p>
            <p class="hint">{sentence(&format!("{why}."))}</p>
            <button class="quiet" hidden=is_asked on:click=pressed>{back}</button>
            <Show when=move || is_asked.get()>
                <div class="question" role="group" aria-label=question.clone()>
                    <p role="status">{question.clone()}</p>
                    <button on:click=move |_| take_back(link)>"Host it here"</button>
                    <button on:click=move |_| is_asked.set(false)>"Leave it moved"</button>
                </div>
            </Show>
        </li>
    }
}

/// The form that makes a file.
#[component]
fn Save(
    polls: RwSignal<Polls>,
    changed: impl Fn() + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let app = StoredValue::new_local(Opened::app());
    let left_out = RwSignal::new(Vec::<RoomId>::new());
    let is_move = RwSignal::new(false);
    let (first, second) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let (problem, told) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let is_busy = RwSignal::new(false);
    let save = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if is_busy.get_untracked() {
            return;
        }
        problem.set(String::new());
        told.set(String::new());
        let passphrase = first.get_untracked();
        if let Some(why) = words::weak(&passphrase, SHORTEST) {
            problem.set(why);
            focus_soon("keep-first".to_owned());
            return;
        }
        if passphrase != second.get_untracked() {
            problem.set("The two passphrases are not the same.".to_owned());
            focus_soon("keep-second".to_owned());
            return;
        }
        let (found, aside) = polls.get_untracked();
        let all = found
            .into_iter()
            .chain(aside.into_iter().map(|(poll, _)| poll));
        let out = left_out.get_untracked();
        let chosen: Vec<RoomId> = all
            .map(|poll| poll.link)
            .filter(|link| !out.contains(link))
            .collect();
        let intent = match is_move.get_untracked() {
            true => Intent::Move,
            false => Intent::Copy,
        };
        is_busy.set(true);
        let app = app.get_value();
        spawn_local(async move {
            pause(A_FRAME).await;
            let saved = match sealed(app, passphrase, chosen, intent).await {
                Ok(saved) => saved.await.map_err(|error| format!("{error}.")),
                Err(Missing) => Err(MISSING.to_owned()),
            };
            match saved {
                Ok(file) => {
                    let day: String = now().chars().take(10).collect();
                    download_bytes(&format!("hustings-{day}.age"), &file);
                    first.try_set(String::new());
                    second.try_set(String::new());
                    told.try_set(words::saved(intent == Intent::Move).to_owned());
                }
                Err(why) => {
                    problem.try_set(sentence(&why));
                }
            }
            is_busy.try_set(false);
            // After a move that failed on its way, too.
            if intent == Intent::Move {
                changed();
            }
        });
    };
    let choose = move |link: RoomId, is_chosen: bool| {
        left_out.update(|out| {
            out.retain(|other| *other != link);
            if !is_chosen {
                out.push(link);
            }
        });
    };
    view! {
        <form on:submit=save novalidate aria-label="Save in a file">
            <p class="hint">
                "The file has your identity. Whoever has it and the passphrase is you, and nobody can open it without the \
                 passphrase: not you either."
            </p>
            <fieldset class="field checks">
                <legend>"Polls"</legend>
                <For each=move || {
                    let (found, aside) = polls.get();
                    found.into_iter().chain(aside.into_iter().map(|(poll, _)| poll)).collect::<Vec<_>>()
                } key=|poll| poll.link let(poll)>
                    {
                        let link = poll.link;
                        let is_in = move || left_out.with(|out| !out.contains(&link));
                        view! {
                            <label>
                                <input type="checkbox" prop:checked=is_in
                                    on:change=move |event| choose(link, event_target_checked(&event)) />
                                <bdi>{title(&poll)}</bdi>
                            </label>
                        }
                    }
                </For>
            </fieldset>
            <fieldset class="field checks">
                <legend>"For"</legend>
                <label>
                    <input type="radio" name="keep-intent" prop:checked=move || !is_move.get() on:change=move |_| is_move.set(false) />
                    <span>"A copy to keep: the polls go on here"</span>
                </label>
                <label>
                    <input type="radio" name="keep-intent" prop:checked=is_move on:change=move |_| is_move.set(true) />
                    <span>"A move: the polls go on where the file is opened"</span>
                </label>
            </fieldset>
            <Secret id="keep-first" label="Passphrase" text=first />
            <Secret id="keep-second" label="Passphrase again" text=second />
            <p class="problem" role="alert">{problem}</p>
            <button type="submit" disabled=is_busy>"Save the file"</button>
            <p class="hint" role="status">{move || if is_busy.get() { "This takes a moment…".to_owned() } else { told.get() }}</p>
        </form>
    }
}

/// The file. What makes it is loaded by then, and does it when this is awaited.
#[wasm_split(keep, fallible)]
fn sealed(
    app: Rc<App>,
    passphrase: String,
    polls: Vec<RoomId>,
    intent: Intent,
) -> Result<LocalBoxFuture<'static, Result<Vec<u8>, KeepError>>, Missing> {
    Ok(async move { app.export(passphrase, &polls, intent).await }.boxed_local())
}

/// The other way round.
#[wasm_split(keep, fallible)]
fn taken_in(
    app: Rc<App>,
    file: Vec<u8>,
    passphrase: String,
) -> Result<LocalBoxFuture<'static, Result<Imported, KeepError>>, Missing> {
    Ok(async move { app.import(&file, passphrase).await }.boxed_local())
}

/// A field for a passphrase.
#[component]
fn Secret(id: &'static str, label: &'static str, text: RwSignal<String>) -> impl IntoView {
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <input id=id type="password" autocomplete="new-password" prop:value=text
                on:input=move |event| text.set(event_target_value(&event)) />
        </div>
    }
}

/// The form that takes a file in.
#[component]
fn Open() -> impl IntoView {
    let app = StoredValue::new_local(Opened::app());
    let file = NodeRef::<html::Input>::new();
    let passphrase = RwSignal::new(String::new());
    let problem = RwSignal::new(String::new());
    let told = RwSignal::new(None::<String>);
    let is_busy = RwSignal::new(false);
    let open = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if is_busy.get_untracked() {
            return;
        }
        problem.set(String::new());
        is_busy.set(true);
        let (app, field) = (app.get_value(), file.get_untracked());
        spawn_local(async move {
            let bytes = match field {
                Some(field) => chosen_file(&field, MAX_FILE).await,
                None => None,
            };
            let Some(bytes) = bytes else {
                problem.try_set("Choose a file that was saved here or elsewhere.".to_owned());
                is_busy.try_set(false);
                return;
            };
            pause(A_FRAME).await;
            let imported = match taken_in(app, bytes, passphrase.get_untracked()).await {
                Ok(imported) => imported.await.map_err(|error| format!("{error}.")),
                Err(Missing) => Err(MISSING.to_owned()),
            };
            match imported {
                Ok(imported) => {
                    told.try_set(Some(summary(&imported)));
                }
                Err(why) => {
                    problem.try_set(sentence(&why));
                }
            }
            is_busy.try_set(false);
        });
    };
    view! {
        <form on:submit=open novalidate aria-label="Open a file">
            <div class="field">
                <label for="keep-file">"File"</label>
                <input id="keep-file" type="file" accept=".age" node_ref=file />
            </div>
            <div class="field">
                <label for="keep-words">"Passphrase of the file"</label>
                <input id="keep-words" type="password" autocomplete="off" prop:value=passphrase
                    on:input=move |event| passphrase.set(event_target_value(&event)) />
            </div>
            <p class="problem" role="alert">{problem}</p>
            <button type="submit" disabled=move || is_busy.get() || told.with(Option::is_some)>"Import"</button>
            <p class="hint" role="status">
                {move || if is_busy.get() { "This takes a moment…".to_owned() } else { told.get().unwrap_or_default() }}
            </p>
            <Show when=move || told.with(Option::is_some)>
                <button type="button" class="primary" on:click=move |_| reload()>"Go on"</button>
            </Show>
        </form>
    }
}

/// The result of an import in words.
fn summary(imported: &Imported) -> String {
    let of = |wanted: &[Outcome]| {
        let polls = imported.polls.iter();
        polls.filter(|(_, it)| wanted.contains(it)).count() as u64
    };
    words::imported(
        of(&[Outcome::Added, Outcome::Advanced]),
        of(&[Outcome::Same]),
        of(&[Outcome::Newer]),
    )
}

/// The polls that can be archived.
#[component]
fn Archive(
    polls: RwSignal<Polls>,
    changed: impl Fn() + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let app = StoredValue::new_local(Opened::app());
    let problem = RwSignal::new(String::new());
    let archive = move |link: RoomId| {
        let app = app.get_value();
        spawn_local(async move {
            match app.archive(link).await {
                Ok(()) => changed(),
                Err(error) => {
                    problem.try_set(sentence(&format!("{error}.")));
                }
            }
        });
    };
    view! {
        <p class="hint">
            "An archived poll is kept and not hosted. Those who took part can read it where they have opened it."
        </p>
        <ul class="links">
            <For each=move || polls.get().0 key=|poll| poll.link let(poll)>
                {
                    let link = poll.link;
                    let label = words::archive(&title(&poll));
                    view! {
                        <li>
                            <p><bdi>{title(&poll)}</bdi></p>
                            <button class="quiet" aria-label=label on:click=move |_| archive(link)>"Archive"</button>
                        </li>
                    }
                }
            </For>
        </ul>
        <p class="problem" role="alert">{problem}</p>
    }
}
