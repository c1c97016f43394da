//! Commands that wait for hosts who are away, in the list on the start page.

use std::time::Duration;

use hustings_browser::Undelivered;
use hustings_protocol::RoomId;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::Opened;
use crate::browser::focus;
use crate::route::fragment;
use crate::words;

/// The time between two looks at the list.
const NOW_AND_THEN: Duration = Duration::from_secs(2);

/// The id of the list's heading.
const HEADING: &str = "undelivered-heading";

/// The rooms that something waits for, each of which can be given up.
#[component]
pub(crate) fn NotDelivered() -> impl IntoView {
    let app = StoredValue::new_local(Opened::app());
    let rooms = RwSignal::new(Vec::<Undelivered>::new());
    let told = RwSignal::new(String::new());
    let look = move || {
        let Some(app) = app.try_get_value() else {
            return;
        };
        spawn_local(async move {
            // What cannot be read now is read again in a moment; whoever opens the poll is told.
            if let Ok(now) = app.undelivered().await
                && rooms.try_with_untracked(|rooms| *rooms != now) == Some(true)
            {
                rooms.try_set(now);
            }
        });
    };
    look();
    if let Ok(looks) = set_interval_with_handle(look, NOW_AND_THEN) {
        on_cleanup(move || looks.clear());
    }
    let give_up = move |link: RoomId| {
        let app = app.get_value();
        spawn_local(async move {
            let said = match app.give_up(link).await {
                Ok(0) => "Another tab has it open: close that one first.".to_owned(),
                Ok(number) => words::given_up(number as u64),
                Err(error) => format!("It cannot be given up: {error}."),
            };
            told.try_set(said);
            look();
            focus(HEADING);
        });
    };
    let is_shown = move || !rooms.with(Vec::is_empty) || !told.with(String::is_empty);
    view! {
        <Show when=is_shown>
            <section class="card" aria-labelledby=HEADING>
                <h2 id=HEADING tabindex="-1">"Waiting for their hosts"</h2>
                <ul class="links own undelivered">
                    <For each=move || rooms.get() key=|room| (room.link, room.commands) let(room)>
                        <One room give_up />
                    </For>
                </ul>
                <p class="hint" role="status">{told}</p>
            </section>
        </Show>
    }
}

/// One of them, which is given up only after a question.
#[component]
fn One(
    room: Undelivered,
    give_up: impl Fn(RoomId) + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let link = room.link;
    let title = match room.title.as_str() {
        "" => link.poll_id.to_string(),
        title => title.to_owned(),
    };
    let waits = words::count(room.commands as u64, "change waits", "changes wait");
    let is_asked = RwSignal::new(false);
    let (label, question) = (words::give_up(&title), words::ask_to_give_up(&title));
    view! {
        <li>
            <a href=fragment(link)><bdi>{title}</bdi><small>{waits}" until the host is back"</small></a>
            <button class="quiet" aria-label=label hidden=is_asked on:click=move |_| is_asked.set(true)>"Give up"</button>
            <Show when=move || is_asked.get()>
                <div class="question" role="group" aria-label=question.clone()>
                    <p role="status">{question.clone()}</p>
                    <button on:click=move |_| give_up(link)>"Send no more"</button>
                    <button on:click=move |_| is_asked.set(false)>"Keep waiting"</button>
                </div>
            </Show>
        </li>
    }
}
