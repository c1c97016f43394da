//! The start: polls are created and joined here, and one's own are listed.

use std::time::Duration;

use hustings_browser::{HostError, Hosted, OwnPoll, OwnPolls as Stored};
use hustings_protocol::RoomId;
use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::{Heading, Opened};
use crate::browser::{focus_soon, go_to};
use crate::create::Create;
use crate::damaged::Damaged;
use crate::route::fragment;
use crate::words::sentence;

/// The first view.
#[component]
pub(crate) fn Start() -> impl IntoView {
    view! {
        <Heading text="Ask people" />
        <div class="columns">
            <Create />
            <div class="side">
                <Join />
                <OwnPolls />
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
        match RoomId::find(&text.get_untracked()) {
            Ok(link) => go_to(link),
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

/// The user's own polls, and whether this tab hosts them.
#[derive(Clone)]
struct Own {
    polls: Stored,
    hosting: Result<Hosted, String>,
}

/// The time between two looks whether hosting goes on.
const NOW_AND_THEN: Duration = Duration::from_secs(1);

/// Hosts what is here, and lists it.
#[component]
fn OwnPolls() -> impl IntoView {
    let app = Opened::app();
    let own = RwSignal::new_local(None::<Own>);
    let stopped = RwSignal::new(None::<String>);
    spawn_local(async move {
        let found = match app.polls().await {
            Ok(polls) if polls.found.is_empty() && polls.damaged.is_empty() => return,
            Ok(polls) => {
                let hosting = app.host().await.map_err(|error| match error {
                    HostError::Elsewhere(_) => "Another tab hosts them.".to_owned(),
                    error @ (HostError::Tab(_) | HostError::Poll(_) | HostError::PeerJs(_)) => {
                        format!("They cannot be hosted: {error}.")
                    }
                });
                // Hosting finds out more of what cannot be opened.
                let polls = app.polls().await.unwrap_or(polls);
                Own { polls, hosting }
            }
            Err(error) => Own {
                polls: Stored::default(),
                hosting: Err(format!("They cannot be read: {error}.")),
            },
        };
        own.try_set(Some(found));
    });
    let look = move || {
        let why = own.try_with_untracked(|own| own.as_ref()?.hosting.as_ref().ok()?.failure());
        if let Some(Some(why)) = why {
            stopped.try_set(Some(format!("They are hosted no longer: {why}.")));
        }
    };
    if let Ok(looks) = set_interval_with_handle(look, NOW_AND_THEN) {
        on_cleanup(move || looks.clear());
    }
    move || {
        own.get().map(|Own { polls, hosting }| {
            let hosting = match hosting {
                Err(why) => why,
                Ok(_) if polls.found.is_empty() => String::new(),
                Ok(_) => "This tab hosts them. People can vote while it is open.".to_owned(),
            };
            let link = |poll: OwnPoll| {
                let title = match poll.title.as_str() {
                    "" => poll.link.poll_id.to_string(),
                    title => title.to_owned(),
                };
                view! { <li><a href=fragment(poll.link)><bdi>{title}</bdi></a></li> }
            };
            view! {
                <section class="card" aria-labelledby="own-heading">
                    <h2 id="own-heading">"Your polls"</h2>
                    <ul class="links">{polls.found.into_iter().map(link).collect_view()}</ul>
                    <p class="hint" role="status">
                        {move || stopped.get().unwrap_or_else(|| hosting.clone())}
                    </p>
                    {polls.damaged.into_iter().map(|damage| view! { <Damaged damage /> }).collect_view()}
                </section>
            }
        })
    }
}
