//! The page: it waits for the app, and shows the view that its address asks for.

use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;
use hustings_browser::{App, JoinError, Joined, Storage};
use hustings_protocol::text::isolated;
use hustings_protocol::{FindLinkError, RoomId};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::{ev, html};

use crate::browser::{ask_before_leaving, hash, is_secure, reload};
use crate::create::Template;
use crate::early::{Early, Failure, Step, Steps};
use crate::kept::{Kept, Leaving};
use crate::later::later;
use crate::redeem::Invited;
use crate::room::RoomPage;
use crate::route::Route;
use crate::start::{load_start, start};
use crate::words::{INSECURE, LEFT_ASIDE, sentence};

/// The opened app, for every component below [`Page`].
#[derive(Clone, Copy)]
pub(crate) struct Opened {
    app: StoredValue<Rc<App>, LocalStorage>,
    early: StoredValue<Early, LocalStorage>,
}

impl Opened {
    fn new(app: Rc<App>, early: Early) -> Self {
        Self {
            app: StoredValue::new_local(app),
            early: StoredValue::new_local(early),
        }
    }

    /// The app of this page. It is there for as long as the page is.
    pub(crate) fn app() -> Rc<App> {
        expect_context::<Self>().app.get_value()
    }

    /// Joins a poll, or goes on with the joining that was begun before there was a view of it.
    pub(crate) async fn join(self, link: RoomId) -> Result<Joined, JoinError> {
        let (app, early) = (self.app.get_value(), self.early.get_value());
        if let Some(begun) = early.take(Some(link))
            && let Ok(joined) = begun.await
        {
            return joined;
        }
        app.join(link).await
    }
}

/// The progress of the page.
#[derive(Clone)]
enum Opening {
    UnderWay,
    /// The browser does not answer, for this reason. It is asked again.
    Overdue(String),
    Done(Opened),
    Failed(Failure),
}

/// The whole page.
#[component]
pub(crate) fn Page(mut steps: Steps) -> impl IntoView {
    let opening = RwSignal::new(Opening::UnderWay);
    let owner = Owner::current();
    spawn_local(async move {
        while let Some(step) = steps.next().await {
            opening.set(match (step, &owner) {
                (Step::Overdue(why), _) => Opening::Overdue(why),
                // What is stored belongs to the page and not to whoever happens to be asked at the
                // moment.
                (Step::Opened(app, early), Some(owner)) => {
                    Opening::Done(owner.with(|| Opened::new(app, early)))
                }
                (Step::Opened(app, early), None) => Opening::Done(Opened::new(app, early)),
                (Step::Failed(why), _) => Opening::Failed(why),
            });
        }
    });
    view! {
        <header class="top">
            <a class="brand" href="#/">"Hustings"</a>
            <p class="motto">"Polls between people. No server has the votes."</p>
        </header>
        <main id="main">
            {move || match opening.get() {
                Opening::UnderWay => view! { <p role="status">"Opening…"</p> }.into_any(),
                Opening::Overdue(why) => view! { <Overdue why /> }.into_any(),
                Opening::Done(opened) => view! { <Views opened /> }.into_any(),
                Opening::Failed(why) => view! { <Unusable why /> }.into_any(),
            }}
        </main>
    }
}

/// The browser does not answer.
#[component]
fn Overdue(why: String) -> impl IntoView {
    view! {
        <section class="card" role="alert">
            <h1>"The stored data is not there yet"</h1>
            <p>{sentence(&format!("{why}."))}</p>
            <p>
                "This page goes on by itself as soon as it can. If it does not: close the other tabs of this page, load "
                "it again, or start the browser again. Nothing that was saved is lost by that."
            </p>
            <button class="primary" on:click=move |_| reload()>"Load again"</button>
        </section>
    }
}

/// The view that the address asks for.
#[component]
fn Views(opened: Opened) -> impl IntoView {
    provide_context(opened);
    provide_context(Template::new());
    let route = RwSignal::new(Route::of(&hash()));
    let place = Memo::new(move |_| route.get().place());
    let is_presented = Memo::new(move |_| matches!(route.get(), Route::Presented(_)));
    if !matches!(place.get_untracked(), Route::Room(_)) {
        // Somebody has gone elsewhere before there was a view.
        opened.early.get_value().take(None);
    }
    let invited = Invited::new(&route.get_untracked());
    provide_context(invited);
    let changes = window_event_listener(ev::hashchange, move |_| {
        let new = Route::of(&hash());
        invited.follow(&new);
        route.set(new);
    });
    on_cleanup(move || changes.remove());
    // Whichever view it shows, this tab hosts. A room knows more of what it would cost, and asks,
    // too.
    let app = StoredValue::new_local(Opened::app());
    let leaving = window_event_listener(ev::beforeunload, move |event| {
        if app.with_value(|app| asks_before_leaving(app)) {
            ask_before_leaving(&event);
        }
    });
    on_cleanup(move || leaving.remove());
    let forgetful = match Opened::app().storage() {
        Storage::Database => None,
        Storage::Memory(why) => Some(why.clone()),
    };
    view! {
        {forgetful.map(|why| view! { <Forgetful why /> })}
        {(!is_secure()).then(|| view! { <Insecure /> })}
        <LeftAside />
        {move || match place.get() {
            Route::Start => later(load_start, start).into_any(),
            Route::Room(link) | Route::Presented(link) => {
                view! { <RoomPage link is_presented /> }.into_any()
            }
            Route::Invited(link) => view! { <RoomPage link=link.room is_presented /> }.into_any(),
            Route::Unknown(why) => view! { <Unknown why /> }.into_any(),
        }}
    }
}

/// True if to leave the page now would end a poll that others vote in, or lose one.
fn asks_before_leaving(app: &App) -> bool {
    let kept = match app.storage() {
        Storage::Database => Kept::OnDevice,
        Storage::Memory(_) => Kept::InTab,
    };
    app.hosted_polls().iter().any(|poll| {
        kept.asks_before_leaving(Leaving {
            hosts_open: Some(!poll.is_closed()),
            waits: false,
            is_stopped: false,
        })
    })
}

/// Says that nothing is kept.
#[component]
fn Forgetful(why: String) -> impl IntoView {
    view! {
        <aside class="banner warning" aria-label="Storage" data-testid="memory">
            <p>
                <strong>"Nothing is stored on this device. "</strong>
                "Closing or reloading this tab loses the polls it hosts and every vote that waits."
            </p>
            <details>
                <summary>"Why"</summary>
                <p>{why}</p>
            </details>
        </aside>
    }
}

/// Says what the page lacks.
#[component]
fn Insecure() -> impl IntoView {
    view! {
        <aside class="banner" aria-label="Plain HTTP" data-testid="insecure">
            <p>{INSECURE}</p>
        </aside>
    }
}

/// The time between two looks whether there is damage.
const NOW_AND_THEN: Duration = Duration::from_secs(2);

/// Names the damage in what is stored of this user's devices.
#[component]
fn LeftAside() -> impl IntoView {
    let app = StoredValue::new_local(Opened::app());
    let named = move || {
        let left = app.with_value(|app| app.left_aside());
        let named = left.iter().map(|error| sentence(&format!("{error}.")));
        named.collect::<Vec<_>>()
    };
    let damaged = RwSignal::new(named());
    let look = move || {
        let now = named();
        if damaged.with_untracked(|before| *before != now) {
            damaged.set(now);
        }
    };
    if let Ok(looks) = set_interval_with_handle(look, NOW_AND_THEN) {
        on_cleanup(move || looks.clear());
    }
    view! {
        <Show when=move || !damaged.with(Vec::is_empty)>
            <aside class="banner warning" aria-label="Damaged data" data-testid="left-aside">
                <p role="status">{LEFT_ASIDE}</p>
                <ul>
                    <For each=move || damaged.get() key=String::clone let(named)>
                        <li>{named}</li>
                    </For>
                </ul>
            </aside>
        </Show>
    }
}

/// There is no app.
#[component]
fn Unusable(why: Failure) -> impl IntoView {
    let (heading, why, help) = match why {
        Failure::Settings(why) => (
            "The settings of this page cannot be used",
            why,
            "They stand in the page's address, behind the question mark, or in the page: ask whoever serves it.",
        ),
        Failure::Stored(why) => (
            "The stored data cannot be used",
            why,
            "Close the other tabs of this page and load it again. If the storage is full, make room first.",
        ),
    };
    view! {
        <section class="card" role="alert">
            <h1>{heading}</h1>
            <p>{sentence(&format!("{why}."))}</p>
            <p>{help}</p>
            <button class="primary" on:click=move |_| reload()>"Load again"</button>
        </section>
    }
}

/// The address is of nothing here.
#[component]
fn Unknown(why: FindLinkError) -> impl IntoView {
    let why = if why == FindLinkError::Nothing {
        "The address of this page is not that of a poll.".to_owned()
    } else {
        sentence(&format!("{why}."))
    };
    view! {
        <Heading text="This is no poll" />
        <p>{why}" Ask the person who sent it for the whole link."</p>
        <p><a href="#/">"Start or join a poll"</a></p>
    }
}

/// The id of a view's heading: where the keyboard goes when what it was at is gone.
pub(crate) const HEADING: &str = "heading";

/// The heading of a view, which gets the focus of the keyboard and the screen reader when the view
/// changes. It is also the page's title.
#[component]
pub(crate) fn Heading(#[prop(into)] text: Signal<String>) -> impl IntoView {
    let heading = NodeRef::<html::H1>::new();
    Effect::new(move |_| {
        if let Some(heading) = heading.get() {
            // What cannot be focused is still read.
            let _ = heading.focus();
        }
    });
    Effect::new(move |_| document().set_title(&format!("{} · Hustings", isolated(&text.get()))));
    view! { <h1 id=HEADING tabindex="-1" node_ref=heading><bdi>{text}</bdi></h1> }
}
