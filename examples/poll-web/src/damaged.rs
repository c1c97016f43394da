//! A poll that cannot be read: its fault, and a way to take it away as it is and to remove it.

use hustings_browser::Damage;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::{HEADING, Opened};
use crate::browser::{download, focus};
use crate::words;

/// The progress of its removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removal {
    No,
    Asked,
    UnderWay,
    Done,
}

/// Something damaged, by name, with what can be done about it.
#[component]
pub(crate) fn Damaged(damage: Damage) -> impl IntoView {
    let (name, file) = match damage.link {
        Some(link) if damage.title.is_empty() => (format!("The poll {}", link.poll_id), Some(link)),
        Some(link) => (damage.title.clone(), Some(link)),
        None => ("What is left of a poll".to_owned(), None),
    };
    let file = file.map_or("records".to_owned(), |link| link.poll_id.to_string());
    let file = StoredValue::new(format!("damaged-{file}.json"));
    let fault = format!("{}.", words::sentence(&damage.why));
    let damage = StoredValue::new(damage);
    let app = StoredValue::new_local(Opened::app());
    let removal = RwSignal::new(Removal::No);
    let said = RwSignal::new(String::new());
    let save = move |_| {
        let (app, damage) = (app.get_value(), damage.get_value());
        spawn_local(async move {
            let now = match app.export_damaged(&damage).await {
                Ok(records) => {
                    file.with_value(|file| download(file, "application/json", &records));
                    "Saved as it is.".to_owned()
                }
                Err(error) => format!("{}.", words::sentence(&error.to_string())),
            };
            said.try_set(now);
        });
    };
    let remove = move |_| {
        removal.set(Removal::UnderWay);
        let (app, damage) = (app.get_value(), damage.get_value());
        spawn_local(async move {
            let (then, now) = match app.remove(&damage).await {
                Ok(()) => (Removal::Done, "Removed.".to_owned()),
                Err(error) => (
                    Removal::No,
                    format!("{}.", words::sentence(&error.to_string())),
                ),
            };
            removal.try_set(then);
            said.try_set(now);
            // The button that was pressed is gone.
            focus(HEADING);
        });
    };
    view! {
        <div class="damaged" data-testid="damaged">
            <p><strong><bdi>{name}</bdi></strong>" cannot be read. Other polls are not affected."</p>
            <p class="hint">{fault}</p>
            <Show when=move || removal.get() == Removal::No>
                <div class="actions">
                    <button on:click=save>"Save a copy"</button>
                    <button on:click=move |_| removal.set(Removal::Asked)>"Remove…"</button>
                </div>
            </Show>
            <Show when=move || removal.get() == Removal::Asked>
                <p role="alert">"Remove it for good? What is left of its votes is in no other place unless you have saved a copy."</p>
                <div class="actions">
                    <button on:click=remove>"Remove for good"</button>
                    <button on:click=move |_| removal.set(Removal::No)>"Keep it"</button>
                </div>
            </Show>
            <p class="hint" role="status">{said}</p>
        </div>
    }
}
