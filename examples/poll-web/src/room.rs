//! One poll.

use std::rc::Rc;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use hustings_browser::{App, Damage, HostError};
use hustings_protocol::{Role, RoomId};
use hustings_room::Connection;
use hustings_room::driver::OpenError;
use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_split_helpers::wasm_split;

use crate::app::{Heading, Opened};
use crate::ballot::Ballot;
use crate::browser::ask_before_leaving;
use crate::connection::ConnectionBar;
use crate::damaged::Damaged;
use crate::export::Export;
use crate::host::HostTools;
use crate::invitations::{Invitations, Made, share_note};
use crate::joined::note_visit;
use crate::later::{Missing, Part, later};
use crate::model::{Model, Side, Snapshot};
use crate::options::Options;
use crate::pending::{Notices, Waiting};
use crate::people::People;
use crate::present::Present;
use crate::redeem::{Uninvited, redeem};
use crate::share::Share;
use crate::words;

/// The progress of the way into the room.
#[derive(Clone)]
enum Entering {
    UnderWay,
    There(Side),
    /// Another tab hosts it.
    Elsewhere,
    /// It is the user's own, and does not read.
    Damaged(Damage),
    Failed(String),
}

/// The way into a room, and the room.
#[component]
pub(crate) fn RoomPage(
    link: RoomId,
    /// True while it is presented to a whole room of people.
    is_presented: Memo<bool>,
) -> impl IntoView {
    let entering = RwSignal::new_local(Entering::UnderWay);
    let app = StoredValue::new_local(Opened::app());
    let host = move || {
        entering.set(Entering::UnderWay);
        let app = app.get_value();
        spawn_local(async move {
            let hosts = match host(app, link).await {
                Ok(hosts) => hosts.await,
                Err(Missing) => Entering::Failed(words::MISSING.trim_end_matches('.').to_owned()),
            };
            entering.try_set(hosts);
        });
    };
    let opened = expect_context::<Opened>();
    let join = move || {
        entering.set(Entering::UnderWay);
        spawn_local(async move {
            entering.try_set(join(opened, link).await);
        });
    };
    let is_own = app.with_value(|app| app.me()) == link.owner;
    if is_own {
        host();
    } else {
        join();
    }
    move || {
        match entering.get() {
        Entering::UnderWay => view! { <p role="status">"Opening the poll…"</p> }.into_any(),
        Entering::There(side) => view! { <RoomView side host is_presented /> }.into_any(),
        Entering::Elsewhere => view! {
            <Heading text="This poll is hosted in another tab" />
            <p>
                "Your polls live in one tab at a time, and another one has them. You can vote from here like everybody "
                "else, or close that tab and host from this one."
            </p>
            <div class="actions">
                <button class="primary" on:click=move |_| join()>"Join from this tab"</button>
                <button on:click=move |_| host()>"Host here"</button>
            </div>
        }
        .into_any(),
        Entering::Damaged(damage) => view! {
            <Heading text="The poll cannot be opened" />
            <section class="card">
                {later(load_damaged, move || damaged(damage.clone()))}
            </section>
            <p><a href="#/">"Back to the start"</a></p>
        }
        .into_any(),
        Entering::Failed(why) => view! {
            <Heading text="The poll cannot be opened" />
            <p class="problem" role="alert">{words::sentence(&why)}"."</p>
            <div class="actions">
                {is_own.then(|| view! {
                    <button class="primary" on:click=move |_| host()>"Try again"</button>
                })}
                <button class:primary=!is_own on:click=move |_| join()>"Try to join"</button>
                <a href="#/">"Back to the start"</a>
            </div>
        }
        .into_any(),
    }
    }
}

/// Hosts it. The future is the part's own code, and what it has to do begins when it is awaited.
#[wasm_split(host, fallible)]
fn host(app: Rc<App>, link: RoomId) -> Result<LocalBoxFuture<'static, Entering>, Missing> {
    Ok(async move { host_in(&app, link).await }.boxed_local())
}

async fn host_in(app: &Rc<App>, link: RoomId) -> Entering {
    // Whoever hosts takes the address, so it is not done for a poll that is hosted elsewhere.
    if let Ok(Some(why)) = app.aside(link).await {
        return Entering::Failed(why.to_string());
    }
    let hosted = match app.host().await {
        Ok(hosted) => hosted,
        Err(HostError::Elsewhere(_)) => return Entering::Elsewhere,
        Err(error @ (HostError::Tab(_) | HostError::Poll(_) | HostError::PeerJs(_))) => {
            return Entering::Failed(error.to_string());
        }
    };
    match hosted.hosting().open(link.poll_id).await {
        Ok(room) => Entering::There(Side::Host(hosted, room)),
        Err(OpenError::NoJournal(_)) => Entering::Failed(
            "it was yours, but this browser has no record of it: its data were deleted, or it was started in \
             a window that kept nothing"
                .to_owned(),
        ),
        Err(error) => match damage(app, link).await {
            Some(damage) => Entering::Damaged(damage),
            None => Entering::Failed(error.to_string()),
        },
    }
}

/// The damage that a poll has, if that is why it cannot be opened.
async fn damage(app: &Rc<App>, link: RoomId) -> Option<Damage> {
    let polls = app.polls().await.ok()?;
    let mut damaged = polls.damaged.into_iter();
    damaged.find(|damage| damage.link == Some(link))
}

async fn join(opened: Opened, link: RoomId) -> Entering {
    match opened.join(link).await {
        Ok(joined) => Entering::There(Side::Guest(joined)),
        Err(error) => Entering::Failed(error.to_string()),
    }
}

/// A room that this tab is in.
#[component]
fn RoomView(
    side: Side,
    host: impl Fn() + Copy + Send + Sync + 'static,
    is_presented: Memo<bool>,
) -> impl IntoView {
    let model = Model::of(side, Opened::app().deliveries().clone());
    let leaving = window_event_listener(ev::beforeunload, move |event| {
        if model.asks_before_leaving() {
            ask_before_leaving(&event);
        }
    });
    on_cleanup(move || leaving.remove());
    let is_refused = Memo::new(move |_| {
        let refused = |now: &Snapshot| matches!(now.connection, Connection::Refused(_));
        model.snapshot.with(refused)
    });
    let title = Signal::derive(move || {
        let title = model.poll().map(|poll| poll.title().to_owned());
        let other = if is_refused.get() {
            "There is no poll to show"
        } else {
            "Joining the poll…"
        };
        title.unwrap_or_else(|| other.to_owned())
    });
    let has_poll = Memo::new(move |_| model.snapshot.with(|now| now.poll.is_some()));
    note_visit(model);
    redeem(model);
    // Longer than the view of a room: what was made is shown nowhere else.
    provide_context(Made::new());
    view! {
        <Show when=move || !is_presented.get() fallback=move || later(load_present, move || present(model, title))>
            <Parts model host title is_refused has_poll />
        </Show>
    }
}

/// The room as one takes part in it.
#[component]
fn Parts(
    model: Model,
    host: impl Fn() + Copy + Send + Sync + 'static,
    title: Signal<String>,
    is_refused: Memo<bool>,
    has_poll: Memo<bool>,
) -> impl IntoView {
    let may_edit = Memo::new(move |_| model.role() >= Role::Moderator);
    view! {
        <ConnectionBar model />
        <Show when=move || model.may_host() && !model.is_connected()>
            <div class="actions">
                <p>"This is your own poll, and the tab that hosted it is not there."</p>
                <button on:click=move |_| host()>"Host here"</button>
            </div>
        </Show>
        <Notices model />
        <Heading text=title />
        <div class="columns">
            <div class="poll">
                <Show when=move || has_poll.get()>
                    <Ballot model />
                    <Show when=move || may_edit.get()>{later(load_options, move || options(model))}</Show>
                    <Uninvited model />
                </Show>
                <Show when=move || !has_poll.get() && !is_refused.get()>
                    <Nothing />
                </Show>
                <Waiting model />
            </div>
            <div class="side">
                <Show when=move || has_poll.get() || !is_refused.get()>
                    {later(load_share, move || share(model))}
                </Show>
                <Show when=move || has_poll.get()>
                    {later(load_beside, move || beside(model))}
                </Show>
            </div>
        </div>
    }
}

/// The view for a whole room of people.
#[wasm_split(side, fallible, preload(load_present))]
fn present(model: Model, title: Signal<String>) -> Part {
    Ok(view! { <Present model title /> }.into_any())
}

/// The changes that a moderator makes in the options.
#[wasm_split(side, fallible, preload(load_options))]
fn options(model: Model) -> Part {
    Ok(view! { <Options model /> }.into_any())
}

/// The way for others into the room.
#[wasm_split(side, fallible, preload(load_share))]
fn share(model: Model) -> Part {
    let note = Signal::derive(move || share_note(model));
    Ok(view! { <Share link=model.link is_open=model.is_host note /> }.into_any())
}

/// The rest of what stands beside a ballot.
#[wasm_split(side, fallible, preload(load_beside))]
fn beside(model: Model) -> Part {
    let is_owner = Memo::new(move |_| model.role() == Role::Owner);
    let beside = view! {
        {model.is_host.then(|| later(load_invitations, move || invitations(model)))}
        <People model />
        <Show when=move || is_owner.get()>{later(load_tools, move || tools(model))}</Show>
        <Export model />
    };
    Ok(beside.into_any())
}

/// Invitations, which only who hosts makes.
#[wasm_split(host, fallible, preload(load_invitations))]
fn invitations(model: Model) -> Part {
    Ok(view! { <Invitations model /> }.into_any())
}

/// The host's choices while the poll runs.
#[wasm_split(host, fallible, preload(load_tools))]
fn tools(model: Model) -> Part {
    Ok(view! { <HostTools model /> }.into_any())
}

/// A poll that cannot be read.
#[wasm_split(host, fallible, preload(load_damaged))]
fn damaged(damage: Damage) -> Part {
    Ok(view! { <Damaged damage /> }.into_any())
}

/// Before the poll was ever seen.
#[component]
fn Nothing() -> impl IntoView {
    view! {
        <p class="card hint">
            "The poll comes from the host's tab. It shows here as soon as that tab answers."
        </p>
    }
}
