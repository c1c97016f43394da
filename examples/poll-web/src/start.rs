//! The start: polls are created and joined here, and one's own are listed.

use hustings_protocol::RoomLink;
use leptos::ev;
use leptos::prelude::*;
use wasm_split_helpers::wasm_split;

use crate::app::Heading;
use crate::browser::{focus_soon, show};
use crate::create::Create;
use crate::joined::JoinedPolls;
use crate::keep::Keep;
use crate::later::Part;
use crate::own::OwnPolls;
use crate::route::fragment_of;
use crate::undelivered::NotDelivered;
use crate::words::sentence;

/// The first view.
#[wasm_split(host, fallible, preload(load_start))]
pub(crate) fn start() -> Part {
    Ok(view! { <Start /> }.into_any())
}

#[component]
fn Start() -> impl IntoView {
    // Told when polls were put aside or taken back: the list is made anew.
    let changes = RwSignal::new(());
    view! {
        <Heading text="Ask people" />
        <div class="columns">
            <Create />
            <div class="side">
                <Join />
                {move || { changes.track(); view! { <OwnPolls /> } }}
                <JoinedPolls />
                <Keep changes />
                <NotDelivered />
            </div>
        </div>
    }
}

/// The form for a link that somebody sent.
#[component]
fn Join() -> impl IntoView {
    let text = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<String>);
    let join = move |event: ev::SubmitEvent| {
        event.prevent_default();
        match RoomLink::find(&text.get_untracked()) {
            Ok(link) => show(&fragment_of(link)),
            Err(error) => {
                problem.set(Some(sentence(&format!("{error}."))));
                focus_soon("link".to_owned());
            }
        }
    };
    view! {
        <form class="card" on:submit=join novalidate aria-labelledby="join-heading">
            <h2 id="join-heading">"Join a poll"</h2>
            <div class="field">
                <label for="link">"Link to the poll"</label>
                <input id="link" type="text" autocomplete="off" autocapitalize="none" spellcheck="false"
                    prop:value=text on:input=move |event| text.set(event_target_value(&event))
                    aria-invalid=move || problem.get().is_some().to_string() aria-describedby="join-problem" />
            </div>
            <p id="join-problem" class="problem" role="alert">{problem}</p>
            <button type="submit">"Join"</button>
        </form>
    }
}
