//! The polls that were joined here, in the list on the start page.

use hustings_browser::Storage;
use hustings_protocol::RoomId;
use leptos::prelude::*;

use crate::app::Opened;
use crate::browser::{focus, local_time, now, remember, remembered};
use crate::model::Model;
use crate::route::fragment;
use crate::visited::{Visited, after_visit, read, without, write};
use crate::words;

/// Under which key the list is remembered.
const LIST: &str = "hustings/joined";

/// The id of the list's heading.
const HEADING: &str = "joined-heading";

fn list() -> Vec<Visited> {
    read(remembered(LIST).as_deref())
}

/// Remembers that this poll was joined, as soon as its question is known. One's own is in another
/// list, and where the page says that it keeps nothing, it does not.
pub(crate) fn note_visit(model: Model) {
    let is_kept = *Opened::app().storage() == Storage::Database;
    if !is_kept || model.me == model.link.owner {
        return;
    }
    let title = Memo::new(move |_| model.poll().map(|poll| poll.title().to_owned()));
    Effect::new(move |_| {
        if let Some(title) = title.get() {
            let list = after_visit(list(), model.link, &title, &now());
            remember(LIST, &write(&list));
        }
    });
}

/// The list, in which each can be forgotten.
#[component]
pub(crate) fn JoinedPolls() -> impl IntoView {
    let polls = RwSignal::new(list());
    let told = RwSignal::new(String::new());
    let forget = move |link: RoomId, title: &str| {
        // Another tab may have joined more.
        let left = without(list(), link.poll_id);
        remember(LIST, &write(&left));
        polls.set(left);
        told.set(words::forgotten(title));
        focus(HEADING);
    };
    let is_shown = move || !polls.with(Vec::is_empty) || !told.with(String::is_empty);
    view! {
        <Show when=is_shown>
            <section class="card" aria-labelledby=HEADING>
                <h2 id=HEADING tabindex="-1">"Polls that you have joined"</h2>
                <ul class="links own joined">
                    <For each=move || polls.get() key=|visited| visited.link() let(visited)>
                        <One visited forget />
                    </For>
                </ul>
                <p class="hint" role="status">{told}</p>
            </section>
        </Show>
    }
}

/// One of them.
#[component]
fn One(
    visited: Visited,
    forget: impl Fn(RoomId, &str) + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let link = visited.link()?;
    let Visited { title, at, .. } = visited;
    let (shown, label) = (local_time(&at), words::forget(&title));
    let of = title.clone();
    Some(view! {
        <li>
            <a href=fragment(link)>
                <bdi>{title}</bdi><small>"Last visit "<time datetime=at>{shown}</time></small>
            </a>
            <button class="quiet" aria-label=label on:click=move |_| forget(link, &of)>"Forget"</button>
        </li>
    })
}
