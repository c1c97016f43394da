//! The connection of this tab to the host or, if it is the host, to everybody else.

use std::time::Duration;

use hustings_protocol::ErrorCode;
use hustings_protocol::text::isolated;
use hustings_room::{Connection, DownReason, Moment, Refused};
use hustings_transport_peerjs::wire::RegistrationState;
use leptos::prelude::*;

use crate::browser::reload;
use crate::model::{CutOff, Model, Snapshot};
use crate::words;

/// The text of the bar, which is about the one state that matters most.
#[derive(Debug, Clone, PartialEq)]
struct State {
    kind: Kind,
    headline: &'static str,
    detail: String,
    retry: Retry,
}

/// The severity, for people who see it. The words say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Good,
    UnderWay,
    Away,
    Wrong,
}

/// The remedy, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    No,
    /// It is tried again by itself: at this moment, or just now. Nobody has to wait for it.
    Auto(Option<Moment>),
    /// It is tried again only when somebody asks.
    Ask,
    /// The address is in use elsewhere, and is taken back when somebody asks.
    Claim,
    /// The page has to be loaded again.
    Reload,
}

impl State {
    fn of(model: Model, now: &Snapshot) -> Self {
        if let Some(why) = &now.failure {
            return Self {
                kind: Kind::Wrong,
                headline: "This tab has stopped",
                detail: format!(
                    "{}. {}",
                    words::sentence(why),
                    now.kept.after_a_stop(model.is_host)
                ),
                retry: Retry::Reload,
            };
        }
        if model.is_host {
            Self::of_host(now)
        } else {
            Self::of_guest(now)
        }
    }

    fn of_host(now: &Snapshot) -> Self {
        let here =
            "This poll lives in this tab. Keep it open: while it is closed, nobody can vote.";
        let (kind, headline, detail) = match &now.registration {
            Some(RegistrationState::Registered) if now.is_full => (
                Kind::Away,
                "You are the host, but nobody new can join now",
                format!(
                    "{here} It has as many connections as it can take, and somebody more wants to join. \
                     There is room again as soon as somebody leaves."
                ),
            ),
            Some(RegistrationState::Registered) => {
                (Kind::Good, "You are the host", here.to_owned())
            }
            Some(RegistrationState::Connecting) => (
                Kind::UnderWay,
                "You are the host, going online…",
                here.to_owned(),
            ),
            Some(RegistrationState::AddressTaken { .. }) => (
                Kind::Away,
                "You are the host, but nobody new can join yet",
                format!(
                    "{here} Another window still has your address; this tab tries again by itself."
                ),
            ),
            Some(RegistrationState::Yielded { .. }) => (
                Kind::Wrong,
                "You are the host, but nobody new can join here",
                format!("{ELSEWHERE} Those who are connected here stay connected."),
            ),
            Some(RegistrationState::Disconnected { .. }) => (
                Kind::Away,
                "You are the host, but nobody new can join now",
                format!(
                    "{here} The signalling server cannot be reached. Those who are connected stay connected."
                ),
            ),
            Some(RegistrationState::Failed(why)) => (
                Kind::Wrong,
                "You are the host, but nobody can join",
                format!("{}.", words::sentence(&why.to_string())),
            ),
            None => (
                Kind::Wrong,
                "This tab hosts no longer",
                "Load the page again to go on.".to_owned(),
            ),
        };
        let retry = match &now.registration {
            None => Retry::Reload,
            Some(RegistrationState::Yielded { .. }) => Retry::Claim,
            Some(registration) if now.cut_off.is_some() => Retry::Auto(next_try(registration)),
            Some(_) => Retry::No,
        };
        Self {
            kind,
            headline,
            detail,
            retry,
        }
    }

    fn without_link(now: &Snapshot, copy: &str, retry_at: Option<Moment>) -> Self {
        if let Some(RegistrationState::Yielded { .. }) = &now.registration {
            return Self {
                kind: Kind::Wrong,
                headline: "You are in this poll elsewhere",
                detail: format!("{ELSEWHERE}{copy}"),
                retry: Retry::Claim,
            };
        }
        match (&now.down, now.cut_off) {
            _ if !now.has_network => Self {
                kind: Kind::Away,
                headline: "You are offline",
                detail: format!("This device has no network.{copy}"),
                retry: Retry::Auto(retry_at),
            },
            // A dial waits for the server, and says nothing meanwhile.
            (None, Some(why)) => Self {
                kind: Kind::Away,
                headline: "Connecting to the host…",
                detail: format!("{}{copy}", why.words()),
                retry: Retry::Auto(now.registration.as_ref().and_then(next_try)),
            },
            (None, None) => Self {
                kind: Kind::UnderWay,
                headline: "Connecting to the host…",
                detail: copy.trim_start().to_owned(),
                retry: Retry::No,
            },
            (Some(reason), _) => Self {
                kind: Kind::Away,
                headline: if *reason == DownReason::Refused(ErrorCode::Busy) {
                    "The host is busy"
                } else {
                    "The host is away"
                },
                detail: format!("{}{copy}", away(reason, now.registration.as_ref())),
                retry: Retry::Auto(retry_at),
            },
        }
    }

    fn of_guest(now: &Snapshot) -> Self {
        let copy = match now.poll {
            Some(_) => format!(" {}", now.kept.copy()),
            None => String::new(),
        };
        let copy = copy.as_str();
        match &now.connection {
            Connection::Connected => Self {
                kind: Kind::Good,
                headline: "Connected to the host",
                detail: String::new(),
                retry: Retry::No,
            },
            Connection::Disconnected { retry_at, .. } => {
                Self::without_link(now, copy, Some(*retry_at))
            }
            Connection::Connecting => Self::without_link(now, copy, None),
            Connection::Refused(_) if now.is_removed() => Self {
                kind: Kind::Wrong,
                headline: "You were removed from this poll",
                detail: format!(
                    "The host or a moderator has removed you: you cannot vote, and are told nothing more of it. \
                     Once they have readmitted you, try again.{copy}"
                ),
                retry: Retry::Ask,
            },
            Connection::Refused(why) => Self {
                kind: Kind::Wrong,
                headline: "This poll cannot be joined",
                detail: format!("{}.{copy}", words::sentence(&refused(why))),
                retry: Retry::Ask,
            },
            Connection::Closed => Self {
                kind: Kind::Wrong,
                headline: "This tab has left the poll",
                detail: "Load the page again to go on.".to_owned(),
                retry: Retry::Reload,
            },
        }
    }
}

/// The moment at which the signalling server is tried again by itself.
const fn next_try(registration: &RegistrationState) -> Option<Moment> {
    match registration {
        RegistrationState::AddressTaken { retry_at }
        | RegistrationState::Disconnected { retry_at, .. } => Some(*retry_at),
        RegistrationState::Connecting
        | RegistrationState::Registered
        | RegistrationState::Yielded { .. }
        | RegistrationState::Failed(_) => None,
    }
}

impl CutOff {
    const fn words(self) -> &'static str {
        match self {
            Self::ServerAway => "The signalling server cannot be reached.",
            Self::AddressTaken => "Another window still has the address of this tab.",
        }
    }
}

/// A copy of this profile has the address.
const ELSEWHERE: &str = "This profile is in use elsewhere: in a copy of it, in another browser or on \
                         another device. Only one of them can be found at a time.";

/// The reason why this tab cannot join.
fn refused(why: &Refused) -> String {
    match why {
        Refused::ByOwner(rejection) if rejection.code == ErrorCode::UnknownPoll => {
            "the host has no poll under this link".to_owned()
        }
        Refused::ByOwner(rejection) => {
            format!("the host refused: {}", isolated(&rejection.message))
        }
        _ => why.to_string(),
    }
}

/// The reason why there is no link, as far as it helps to know.
fn away(reason: &DownReason, registration: Option<&RegistrationState>) -> &'static str {
    if let Some(RegistrationState::Disconnected { .. } | RegistrationState::Failed(_)) =
        registration
    {
        return "The signalling server cannot be reached.";
    }
    match reason {
        DownReason::AddressInUse => "This profile was in use elsewhere.",
        DownReason::ClosedByPeer => "The host's tab was closed.",
        DownReason::Unreachable => "The host's tab is not open.",
        DownReason::NotTheOwner => {
            "Somebody else answers at the host's address; nothing was sent to them."
        }
        DownReason::DialFailed(_) => "The host does not answer.",
        DownReason::Refused(ErrorCode::Busy) => {
            "More people come than it can let in at once, or it has no room for more."
        }
        DownReason::Refused(_) => "The host does not let anybody in now.",
        DownReason::Lost(_) | _ => "The connection was lost.",
    }
}

/// The bar above the poll.
#[component]
pub(crate) fn ConnectionBar(model: Model) -> impl IntoView {
    let state = Memo::new(move |_| model.snapshot.with(|now| State::of(model, now)));
    let waiting = Memo::new(move |_| model.snapshot.with(|now| now.waiting() as u64));
    let class = move || match state.get().kind {
        Kind::Good => "connection good",
        Kind::UnderWay => "connection under-way",
        Kind::Away => "connection away",
        Kind::Wrong => "connection wrong",
    };
    // The button stays while it is tried, so that the keyboard does not lose its place.
    let retry = Memo::new(move |_| state.get().retry);
    let is_auto = Memo::new(move |_| matches!(retry.get(), Retry::Auto(_)));
    let at = Signal::derive(move || match retry.get() {
        Retry::Auto(at) => at,
        Retry::No | Retry::Ask | Retry::Claim | Retry::Reload => None,
    });
    view! {
        <section class=class aria-label="Connection" data-testid="connection">
            <div role="status">
                <p class="headline"><span class="light" aria-hidden="true"></span>{move || state.get().headline}</p>
                <p class="detail">{move || state.get().detail}</p>
                <p class="count" data-testid="pending-count">
                    {move || match waiting.get() {
                        0 => String::new(),
                        number => format!("{} pending sync", words::count(number, "change", "changes")),
                    }}
                </p>
            </div>
            <div class="retry">
                <Show when=move || is_auto.get()>
                    <Countdown model at />
                    <button on:click=move |_| model.reconnect()>
                        {if model.is_host { "Try again now" } else { "Retry now" }}
                    </button>
                </Show>
                <Show when=move || retry.get() == Retry::Ask>
                    <button on:click=move |_| model.reconnect()>"Try again"</button>
                </Show>
                <Show when=move || retry.get() == Retry::Claim>
                    <button on:click=move |_| model.claim()>"Use it here"</button>
                </Show>
                <Show when=move || retry.get() == Retry::Reload>
                    <button on:click=move |_| reload()>"Load again"</button>
                </Show>
            </div>
        </section>
    }
}

/// The time between two looks at the countdown.
const TICK: Duration = Duration::from_millis(250);

/// The time until the next attempt. It is not read out each second.
#[component]
fn Countdown(model: Model, at: Signal<Option<Moment>>) -> impl IntoView {
    let left = move || at.try_get_untracked().flatten().map(|at| model.until(at));
    let wait = RwSignal::new(left());
    let tick = move || {
        wait.try_set(left());
    };
    if let Ok(ticks) = set_interval_with_handle(tick, TICK) {
        on_cleanup(move || ticks.clear());
    }
    let words = Memo::new(move |_| match (at.get(), wait.get()) {
        (Some(_), Some(wait)) => format!("Next try {}", words::seconds(wait)),
        (Some(_), None) | (None, _) => "Trying…".to_owned(),
    });
    view! { <span class="countdown" role="timer" aria-live="off">{words}</span> }
}
