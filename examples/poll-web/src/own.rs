//! One's own polls, in the list on the start page.

use std::time::Duration;

use hustings_browser::{App, HostError, Hosted, OwnPoll, OwnPolls as Stored};
use hustings_protocol::{PollId, RoomId};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::Opened;
use crate::browser::{focus, forget, local_time, remember, remembered};
use crate::create::Template;
use crate::damaged::Damaged;
use crate::draft::like;
use crate::route::fragment;
use crate::words;

/// The user's own polls, and whether this tab hosts them.
#[derive(Clone)]
struct Own {
    polls: Stored,
    hosting: Result<Hosted, String>,
}

/// The time between two looks whether hosting goes on.
const NOW_AND_THEN: Duration = Duration::from_secs(1);

/// The id of the list's heading.
const HEADING: &str = "own-heading";

/// Under which key the time is remembered at which a poll was begun, by which two with the same
/// question are told apart.
fn begun(poll: PollId) -> String {
    format!("hustings/begun/{poll}")
}

/// A poll begins now.
pub(crate) fn begins(link: RoomId, now: &str) {
    remember(&begun(link.poll_id), now);
}

/// Hosts what is here, and finds what there is; `None` if there is nothing.
async fn find_and_host(app: &App) -> Option<Own> {
    let polls = match app.polls().await {
        Ok(polls) if polls.found.is_empty() && polls.damaged.is_empty() => return None,
        Ok(polls) => polls,
        Err(error) => {
            return Some(Own {
                polls: Stored::default(),
                hosting: Err(format!("They cannot be read: {error}.")),
            });
        }
    };
    let hosting = app.host().await.map_err(|error| match error {
        HostError::Elsewhere(_) => "Another tab hosts them.".to_owned(),
        error @ (HostError::Tab(_) | HostError::Poll(_) | HostError::PeerJs(_)) => {
            format!("They cannot be hosted: {error}.")
        }
    });
    // Hosting finds out more of what cannot be opened.
    let polls = app.polls().await.unwrap_or(polls);
    Some(Own { polls, hosting })
}

/// Hosts what is here, and lists it.
#[component]
pub(crate) fn OwnPolls() -> impl IntoView {
    let app = StoredValue::new_local(Opened::app());
    let own = RwSignal::new_local(None::<Own>);
    let told = RwSignal::new(None::<String>);
    let has_stopped = RwSignal::new(false);
    let host = move || {
        let app = app.get_value();
        spawn_local(async move {
            if let Some(found) = find_and_host(&app).await {
                told.try_set(None);
                has_stopped.try_set(false);
                own.try_set(Some(found));
            }
        });
    };
    host();
    let look = move || {
        let why = own.try_with_untracked(|own| own.as_ref()?.hosting.as_ref().ok()?.failure());
        if let Some(Some(why)) = why {
            told.try_set(Some(format!("They are hosted no longer: {why}.")));
            has_stopped.try_set(true);
        }
    };
    if let Ok(looks) = set_interval_with_handle(look, NOW_AND_THEN) {
        on_cleanup(move || looks.clear());
    }
    // Only the tab that hosts a poll may delete it.
    let delete = move |poll: PollId| {
        let hosted = own.with_untracked(|own| own.as_ref()?.hosting.as_ref().ok().cloned());
        let Some(hosted) = hosted else { return };
        spawn_local(async move {
            match hosted.hosting().delete(poll).await {
                Ok(()) => {
                    forget(&begun(poll));
                    own.try_update(|own| {
                        if let Some(own) = own {
                            own.polls.found.retain(|other| other.link.poll_id != poll);
                        }
                    });
                    told.try_set(Some("The poll is deleted.".to_owned()));
                }
                Err(error) => {
                    told.try_set(Some(format!("The poll cannot be deleted: {error}.")));
                }
            }
            focus(HEADING);
        });
    };
    let template = Template::of_page();
    let duplicate = move |poll: PollId| {
        let hosted = own.with_untracked(|own| own.as_ref()?.hosting.as_ref().ok().cloned());
        let Some(hosted) = hosted else { return };
        spawn_local(async move {
            match hosted.hosting().open(poll).await.map(|room| room.poll()) {
                Ok(Some(poll)) => template.fill(like(&poll)),
                // The host's own is there as soon as it is open.
                Ok(None) => {}
                Err(error) => {
                    told.try_set(Some(format!("The poll cannot be duplicated: {error}.")));
                }
            }
        });
    };
    move || {
        own.get().map(|Own { polls, hosting }| {
            let may_delete = hosting.is_ok();
            let hosting = match hosting {
                Err(why) => why,
                Ok(_) if polls.found.is_empty() => String::new(),
                Ok(_) => "This tab hosts them. People can vote while it is open.".to_owned(),
            };
            let damaged = polls.damaged.into_iter();
            let damaged = damaged.map(|damage| view! { <Damaged damage /> });
            let list = polls
                .found
                .into_iter()
                .map(|poll| view! { <One poll may_delete delete duplicate /> })
                .collect_view();
            view! {
                <section class="card" aria-labelledby=HEADING>
                    <h2 id=HEADING tabindex="-1">"Your polls"</h2>
                    <ul class="links own">{list}</ul>
                    <p class="hint" role="status">
                        {move || told.get().unwrap_or_else(|| hosting.clone())}
                    </p>
                    <Show when=move || !may_delete || has_stopped.get()>
                        <button on:click=move |_| {
                            host();
                            // It goes away when that goes well.
                            focus(HEADING);
                        }>"Host here"</button>
                    </Show>
                    {damaged.collect_view()}
                </section>
            }
        })
    }
}

/// One of them, which is deleted only after a question.
#[component]
fn One(
    poll: OwnPoll,
    may_delete: bool,
    delete: impl Fn(PollId) + Copy + Send + Sync + 'static,
    duplicate: impl Fn(PollId) + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let poll_id = poll.link.poll_id;
    let title = match poll.title.as_str() {
        "" => poll_id.to_string(),
        title => title.to_owned(),
    };
    let when = remembered(&begun(poll_id)).map(|time| {
        let shown = local_time(&time);
        view! { <small>"Begun "<time datetime=time>{shown}</time></small> }
    });
    let is_asked = RwSignal::new(false);
    let copy = words::duplicate(&title);
    let (label, question) = (words::delete(&title), words::ask_to_delete(&title));
    let (ask, keep) = (format!("delete-{poll_id}"), format!("keep-{poll_id}"));
    let (ask_id, keep_id) = (ask.clone(), keep.clone());
    let to_ask = move |_| {
        is_asked.set(true);
        // What deletes is not what the next press of a key hits.
        let keep = keep.clone();
        request_animation_frame(move || {
            focus(&keep);
        });
    };
    let to_keep = StoredValue::new(move || {
        is_asked.set(false);
        let ask = ask.clone();
        request_animation_frame(move || {
            focus(&ask);
        });
    });
    view! {
        <li>
            <a href=fragment(poll.link)><bdi>{title}</bdi>{when}</a>
            {may_delete.then(|| view! {
                <button class="quiet" aria-label=copy hidden=is_asked on:click=move |_| duplicate(poll_id)>"Duplicate"</button>
                <button id=ask_id class="quiet" aria-label=label hidden=is_asked on:click=to_ask>"Delete"</button>
            })}
            <Show when=move || is_asked.get()>
                <div class="question" role="group" aria-label=question.clone()>
                    <p>{question.clone()}</p>
                    <button on:click=move |_| delete(poll_id)>"Delete for good"</button>
                    <button id=keep_id.clone() on:click=move |_| to_keep.with_value(|keep| keep())>"Keep it"</button>
                </div>
            </Show>
        </li>
    }
}
