//! The form of a new poll.

use hustings_browser::{App, HostError};
use hustings_protocol::{Admission, Ballots, Limits, PollDraft, Results, RoomId};
use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::Opened;
use crate::browser::{
    field_of_moment, focus_soon, go_to, has_passed, is_incomplete, moment_of_field, now, pasted,
    show,
};
use crate::deadline::DeadlineField;
use crate::own::begins;
use crate::rules::Choose;
use crate::typed;
use crate::words;

/// The poll that the form of a new one is to begin with, from wherever on the page that is asked
/// for.
#[derive(Clone, Copy)]
pub(crate) struct Template(RwSignal<Option<PollDraft>>);

impl Template {
    pub(crate) fn new() -> Self {
        Self(RwSignal::new(None))
    }

    /// That of this page.
    pub(crate) fn of_page() -> Self {
        expect_context()
    }

    /// Fills the form with this, and shows it.
    pub(crate) fn fill(self, draft: PollDraft) {
        self.0.set(Some(draft));
        show("#/");
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
pub(crate) fn Create() -> impl IntoView {
    let app = StoredValue::new_local(Opened::app());
    let title = RwSignal::new(String::new());
    let lines = RwSignal::new((1..=3).map(Line::new).collect::<Vec<_>>());
    let multiple = RwSignal::new(false);
    let voters_add = RwSignal::new(false);
    let admission = RwSignal::new(Admission::default());
    let ballots = RwSignal::new(Ballots::default());
    let results = RwSignal::new(Results::default());
    let deadline = RwSignal::new(String::new());
    let copied = RwSignal::new(None::<String>);
    let problem = RwSignal::new(None::<String>);
    // The field that it is about, beside which it stands: on a small screen the button is far away.
    let wrong = RwSignal::new(None::<String>);
    let is_busy = RwSignal::new(false);

    let add_line = move || {
        let number = lines.with_untracked(|lines| lines.last().map_or(1, |last| last.number + 1));
        // It belongs to the form, and not to the event that asks for it.
        lines.update(|lines| lines.push(Line::new(number)));
        number
    };
    let fill = move |draft: PollDraft| {
        copied.set(Some(words::duplicated(&draft.title)));
        title.set(draft.title);
        while lines.with_untracked(Vec::len) < draft.options.len() {
            add_line();
        }
        let mut labels = draft.options.into_iter();
        for line in lines.get_untracked() {
            line.label.set(labels.next().unwrap_or_default());
        }
        multiple.set(draft.multiple_choice);
        voters_add.set(draft.voters_may_add_options);
        admission.set(draft.admission);
        ballots.set(draft.ballots);
        results.set(draft.results);
        deadline.set(draft.closes_at.map(field_of_moment).unwrap_or_default());
        problem.set(None);
        wrong.set(None);
        focus_soon("title".to_owned());
    };
    let template = Template::of_page();
    Effect::new(move |_| {
        if let Some(draft) = template.0.get() {
            template.0.set(None);
            // After the heading of the view has taken the keyboard. The form may be gone by then.
            request_animation_frame(move || {
                if lines.try_get_untracked().is_some() {
                    fill(draft);
                }
            });
        }
    });
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
        focus_soon(Line::new(next.unwrap_or_else(add_line)).id());
    };
    // What has several lines is several options.
    let on_paste = move |event: ev::ClipboardEvent, line: Line| {
        let Some((before, text, after)) = pasted(&event) else {
            return;
        };
        let found = typed::lines(&text);
        if found.len() < 2 {
            return;
        }
        event.prevent_default();
        let found = typed::lines(&format!("{before}{text}{after}"));
        let old = lines.with_untracked(|lines| {
            let labels = lines.iter().map(|line| line.label.get_untracked());
            labels.collect::<Vec<_>>()
        });
        let place = lines.with_untracked(|lines| {
            let mut numbers = lines.iter().map(|line| line.number);
            numbers.position(|number| number == line.number)
        });
        let last = place.unwrap_or(old.len()) + found.len();
        let new = typed::with_lines(&old, place.unwrap_or(old.len()), found);
        let most = Limits::default().max_options;
        if new.len() > most {
            let number = new.len();
            let why = format!("That would be {number} options, and {most} is the most.");
            problem.set(Some(format!("{why} Nothing was pasted.")));
            wrong.set(Some(line.id()));
            return;
        }
        while lines.with_untracked(Vec::len) < new.len() {
            add_line();
        }
        for (line, label) in lines.get_untracked().into_iter().zip(new) {
            line.label.set(label);
        }
        problem.set(None);
        wrong.set(None);
        let last = lines.with_untracked(|lines| lines.get(last.saturating_sub(1)).copied());
        if let Some(last) = last {
            focus_soon(last.id());
        }
    };
    let create = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if is_busy.get_untracked() {
            return;
        }
        let labels = lines.get_untracked().into_iter();
        let labels = labels.map(|line| (line.id(), line.label.get_untracked().trim().to_owned()));
        let labels: Vec<_> = labels.filter(|(_, label)| !label.is_empty()).collect();
        let title = title.get_untracked().trim().to_owned();
        let closes_at = moment_of_field(&deadline.get_untracked());
        let checked = check(&title, &labels, voters_add.get_untracked());
        if let Err((field, why)) = checked.and_then(|()| check_deadline(closes_at)) {
            problem.set(Some(why));
            focus_soon(field.clone());
            wrong.set(Some(field));
            return;
        }
        let draft = PollDraft::new(title)
            .options(labels.into_iter().map(|(_, label)| label))
            .multiple_choice(multiple.get_untracked())
            .voters_may_add_options(voters_add.get_untracked())
            .admission(admission.get_untracked())
            .ballots(ballots.get_untracked())
            .results(results.get_untracked())
            .closes_at(closes_at);
        is_busy.set(true);
        problem.set(None);
        wrong.set(None);
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
    let is_wrong = move |id: &str, text: RwSignal<String>, most: fn(&Limits) -> usize| {
        let is_long = text.with(|text| typed::too_long(text, most(&Limits::default())).is_some());
        (is_long || wrong.with(|wrong| wrong.as_deref() == Some(id))).to_string()
    };
    view! {
        <form class="card create" on:submit=create novalidate aria-labelledby="create-heading">
            <h2 id="create-heading">"New poll"</h2>
            <p class="hint" role="status">{copied}</p>
            <div class="field">
                <label for="title">"Question"</label>
                <input id="title" type="text" autocomplete="off"
                    prop:value=title on:input=move |event| title.set(event_target_value(&event))
                    aria-invalid=move || is_wrong("title", title, TITLE) aria-describedby="title-problem" />
                <Problem of="title" text=title most=TITLE wrong problem />
            </div>
            <fieldset class="field">
                <legend>"Options"</legend>
                <ol class="lines">
                    <For each=move || lines.get() key=|line| line.number let(line)>
                        <li>
                            <input id=line.id() type="text" aria-describedby=format!("{}-problem", line.id())
                                aria-invalid=move || is_wrong(&line.id(), line.label, LABEL) autocomplete="off"
                                aria-label=format!("Option {}", line.number)
                                prop:value=line.label
                                on:input=move |event| line.label.set(event_target_value(&event))
                                on:paste=move |event| on_paste(event, line)
                                on:keydown=move |event| on_enter(event, line) />
                            <Problem of=line.id() text=line.label most=LABEL wrong problem />
                        </li>
                    </For>
                </ol>
                <button type="button" class="quiet" on:click=move |_| focus_soon(Line::new(add_line()).id())>
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
            <Choose name="admission" legend="Who may vote" chosen=admission choose=move |rule| admission.set(rule) />
            <Choose name="ballots" legend="Who sees the votes" chosen=ballots choose=move |rule| ballots.set(rule) />
            <Choose name="results" legend="Results are shown" chosen=results choose=move |rule| results.set(rule) />
            <DeadlineField id=DEADLINE label="Closes at (no deadline if empty)" typed=deadline
                on_typed=move |text| deadline.set(text)
                problem=Signal::derive(move || problem.get().filter(|_| wrong.with(|wrong| wrong.as_deref() == Some(DEADLINE)))) />
            <p class="problem" role="alert">{move || problem.get().filter(|_| wrong.with(Option::is_none))}</p>
            <button type="submit" class="primary" aria-disabled=move || is_busy.get().to_string()>
                {move || if is_busy.get() { "Creating…" } else { "Create poll" }}
            </button>
            <p class="hint">"The poll will live in this tab: keep it open for as long as people vote."</p>
        </form>
    }
}

/// The longest question and the longest option, in characters.
const TITLE: fn(&Limits) -> usize = |limits| limits.max_title_chars;
const LABEL: fn(&Limits) -> usize = |limits| limits.max_label_chars;

/// The fault of one field, beside it: that it is too long, as soon as it is, or what the form was
/// not accepted for.
#[component]
fn Problem(
    #[prop(into)] of: String,
    text: RwSignal<String>,
    most: fn(&Limits) -> usize,
    wrong: RwSignal<Option<String>>,
    problem: RwSignal<Option<String>>,
) -> impl IntoView {
    let id = format!("{of}-problem");
    let said = Memo::new(move |_| {
        let too_long = text.with(|text| typed::too_long(text, most(&Limits::default())));
        let is_this = wrong.with(|wrong| wrong.as_ref() == Some(&of));
        too_long.or_else(|| problem.get().filter(|_| is_this))
    });
    view! { <p id=id class="problem" role="alert">{said}</p> }
}

/// The fault that makes the form incomplete, and the field with it. The labels come with the fields
/// that they are in.
fn check(
    title: &str,
    labels: &[(String, String)],
    voters_add: bool,
) -> Result<(), (String, String)> {
    let limits = Limits::default();
    let fault = |field: &str, why: String| Err((field.to_owned(), why));
    if title.is_empty() {
        return fault("title", "Write down the question.".to_owned());
    }
    if let Some(why) = typed::too_long(title, TITLE(&limits)) {
        return fault("title", why);
    }
    if labels.len() < 2 && !voters_add {
        let why = "Give at least two options, or let voters add some.";
        return fault("option-1", why.to_owned());
    }
    for (field, label) in labels {
        if let Some(why) = typed::too_long(label, LABEL(&limits)) {
            return fault(field, why);
        }
    }
    Ok(())
}

/// The id of the field for the deadline.
const DEADLINE: &str = "closes-at";

/// Refuses a deadline that is not whole, or would close the poll as soon as it is there.
fn check_deadline(closes_at: Option<u64>) -> Result<(), (String, String)> {
    match closes_at {
        _ if is_incomplete(DEADLINE) => Err((DEADLINE.to_owned(), words::INCOMPLETE.to_owned())),
        Some(at) if has_passed(at) => Err((DEADLINE.to_owned(), words::PAST.to_owned())),
        Some(_) | None => Ok(()),
    }
}

async fn start_poll(app: &App, draft: PollDraft) -> Result<RoomId, String> {
    let hosted = app.host().await.map_err(|error| match error {
        HostError::Elsewhere(_) => {
            "Another tab of this browser hosts your polls. Create it there, or close that tab first.".to_owned()
        }
        error @ (HostError::Tab(_) | HostError::Poll(_) | HostError::PeerJs(_)) => error.to_string(),
    })?;
    let room = hosted.hosting().create(draft).await;
    let link = room.map_err(|error| error.to_string())?.id();
    begins(link, &now());
    Ok(link)
}
