//! The start: polls are created and joined here.

use hustings_browser::{App, HostError, OwnPoll};
use hustings_protocol::{PollDraft, RoomId};
use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::{Heading, Opened};
use crate::browser::{self, go_to};
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

/// The label of one option that is being typed.
#[derive(Clone, Copy)]
struct Line {
    number: usize,
    label: RwSignal<String>,
}

impl Line {
    fn new(number: usize) -> Self {
        Self {
            number,
            label: RwSignal::new(String::new()),
        }
    }

    fn id(self) -> String {
        format!("option-{}", self.number)
    }
}

/// The form of a new poll.
#[component]
fn Create() -> impl IntoView {
    let app = StoredValue::new_local(Opened::app());
    let title = RwSignal::new(String::new());
    let lines = RwSignal::new((1..=3).map(Line::new).collect::<Vec<_>>());
    let multiple = RwSignal::new(false);
    let voters_add = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);
    // The field that it is about.
    let wrong = RwSignal::new("");
    let is_busy = RwSignal::new(false);

    let add_line = move || {
        let number = lines.with_untracked(|lines| lines.last().map_or(1, |last| last.number + 1));
        // It belongs to the form, and not to the event that asks for it.
        lines.update(|lines| lines.push(Line::new(number)));
        number
    };
    // Enter goes on to the next option rather than ending the form: one types a list.
    let on_enter = move |event: ev::KeyboardEvent, line: Line| {
        // Enter ends a composition, as of Japanese, before it means anything else. Safari tells so
        // only by this code.
        let is_composing = event.is_composing() || event.key_code() == 229;
        if event.key() != "Enter" || is_composing {
            return;
        }
        event.prevent_default();
        let next = lines.with_untracked(|lines| {
            let after = lines.iter().find(|other| other.number > line.number);
            after.map(|next| next.number)
        });
        focus(Line::new(next.unwrap_or_else(add_line)).id());
    };
    let create = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if is_busy.get_untracked() {
            return;
        }
        let labels = lines.with_untracked(|lines| {
            let labels = lines
                .iter()
                .map(|line| line.label.get_untracked().trim().to_owned());
            labels.filter(|label| !label.is_empty()).collect::<Vec<_>>()
        });
        let draft = PollDraft::new(title.get_untracked().trim().to_owned())
            .options(labels)
            .multiple_choice(multiple.get_untracked())
            .voters_may_add_options(voters_add.get_untracked());
        if let Err((why, field)) = check(&draft) {
            problem.set(Some(why.to_owned()));
            wrong.set(field);
            focus(field.to_owned());
            return;
        }
        is_busy.set(true);
        problem.set(None);
        wrong.set("");
        let app = app.get_value();
        spawn_local(async move {
            match start_poll(&app, draft).await {
                Ok(link) => go_to(link),
                Err(why) => {
                    problem.try_set(Some(why));
                    is_busy.try_set(false);
                }
            }
        });
    };
    view! {
        <form class="card create" on:submit=create novalidate aria-labelledby="create-heading">
            <h2 id="create-heading">"New poll"</h2>
            <div class="field">
                <label for="title">"Question"</label>
                <input id="title" type="text" autocomplete="off"
                    prop:value=title on:input=move |event| title.set(event_target_value(&event))
                    aria-invalid=move || (wrong.get() == "title").to_string() aria-describedby="create-problem" />
            </div>
            <fieldset class="field">
                <legend>"Options"</legend>
                <ol class="lines">
                    <For each=move || lines.get() key=|line| line.number let(line)>
                        <li>
                            <input id=line.id() type="text" aria-describedby="create-problem"
                                aria-invalid=move || (wrong.get() == line.id()).to_string() autocomplete="off"
                                aria-label=format!("Option {}", line.number)
                                prop:value=line.label
                                on:input=move |event| line.label.set(event_target_value(&event))
                                on:keydown=move |event| on_enter(event, line) />
                        </li>
                    </For>
                </ol>
                <button type="button" class="quiet" on:click=move |_| focus(Line::new(add_line()).id())>
                    "Add an option"
                </button>
            </fieldset>
            <div class="field checks">
                <label><input type="checkbox" prop:checked=multiple
                    on:change=move |event| multiple.set(event_target_checked(&event)) />
                    "Several choices allowed"</label>
                <label><input type="checkbox" prop:checked=voters_add
                    on:change=move |event| voters_add.set(event_target_checked(&event)) />
                    "Voters may add options"</label>
            </div>
            <p id="create-problem" class="problem" role="alert">{problem}</p>
            <button type="submit" class="primary" aria-disabled=move || is_busy.get().to_string()>
                {move || if is_busy.get() { "Creating…" } else { "Create poll" }}
            </button>
            <p class="hint">"The poll will live in this tab: keep it open for as long as people vote."</p>
        </form>
    }
}

/// The fault that makes the form incomplete, and the field with it.
fn check(draft: &PollDraft) -> Result<(), (&'static str, &'static str)> {
    if draft.title.is_empty() {
        return Err(("Write down the question.", "title"));
    }
    if draft.options.len() < 2 && !draft.voters_may_add_options {
        return Err((
            "Give at least two options, or let voters add some.",
            "option-1",
        ));
    }
    Ok(())
}

async fn start_poll(app: &App, draft: PollDraft) -> Result<RoomId, String> {
    let hosted = app.host().await.map_err(|error| match error {
        HostError::Elsewhere(_) => {
            "Another tab of this browser hosts your polls. Create it there, or close that tab first.".to_owned()
        }
        error @ (HostError::Tab(_) | HostError::Poll(_) | HostError::PeerJs(_)) => error.to_string(),
    })?;
    let room = hosted.hosting().create(draft).await;
    Ok(room.map_err(|error| error.to_string())?.id())
}

/// Focuses a field: at once if it is there, so that nothing is typed into another one.
fn focus(id: String) {
    if !browser::focus(&id) {
        request_animation_frame(move || {
            browser::focus(&id);
        });
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
                focus("link".to_owned());
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
    polls: Vec<OwnPoll>,
    hosting: Result<(), String>,
}

/// Hosts what is here, and lists it.
#[component]
fn OwnPolls() -> impl IntoView {
    let app = Opened::app();
    let own = RwSignal::new(None::<Own>);
    spawn_local(async move {
        let found = match app.polls().await {
            Ok(polls) if polls.is_empty() => return,
            Ok(polls) => Own {
                hosting: app.host().await.map(drop).map_err(|error| match error {
                    HostError::Elsewhere(_) => "Another tab hosts them.".to_owned(),
                    error @ (HostError::Tab(_) | HostError::Poll(_) | HostError::PeerJs(_)) => {
                        format!("They cannot be hosted: {error}.")
                    }
                }),
                polls,
            },
            Err(error) => Own {
                polls: Vec::new(),
                hosting: Err(format!("They cannot be read: {error}.")),
            },
        };
        own.try_set(Some(found));
    });
    move || {
        own.get().map(|Own { polls, hosting }| {
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
                    <ul class="links">{polls.into_iter().map(link).collect_view()}</ul>
                    <p class="hint">
                        {hosting.err().unwrap_or_else(|| {
                            "This tab hosts them. People can vote while it is open.".to_owned()
                        })}
                    </p>
                </section>
            }
        })
    }
}
