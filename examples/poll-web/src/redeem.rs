//! An invitation, as somebody has it: in the address of the page, until its host has answered.

use hustings_protocol::{
    Admission, Command, InvitationRedemption, InvitationSecret, Role, RoomLink,
};
use leptos::ev;
use leptos::prelude::*;

use crate::browser::{focus_soon, put_into_address, show};
use crate::model::{Model, Snapshot};
use crate::route::{Route, fragment, fragment_of};
use crate::words::{UNINVITED, sentence};

/// The invitation in the link that the page was opened with, until it has an answer.
#[derive(Clone, Copy)]
pub(crate) struct Invited(RwSignal<Option<RoomLink>>);

impl Invited {
    /// That of a route.
    pub(crate) fn new(route: &Route) -> Self {
        Self(RwSignal::new(invitation(route)))
    }

    fn of_page() -> Self {
        expect_context()
    }

    /// Follows the page to another address. A view of the same poll has no invitation in its own,
    /// and gets the one that has no answer yet: otherwise it would be lost with the page.
    pub(crate) fn follow(self, route: &Route) {
        let new = invitation(route);
        if new.is_some() {
            self.0.set(new);
            return;
        }
        match (self.0.get_untracked(), route) {
            (Some(link), Route::Room(room)) if link.room == *room => {
                put_into_address(&fragment_of(link));
            }
            (Some(link), Route::Presented(room)) if link.room == *room => {}
            (Some(_), _) => self.0.set(None),
            (None, _) => {}
        }
    }

    /// Ends with the answer: whoever copies the address gives nothing away from then on.
    fn is_answered(self, link: RoomLink) {
        if self.0.try_get_untracked() == Some(Some(link)) {
            self.0.set(None);
            if Route::of(&crate::browser::hash()) == Route::Invited(link) {
                put_into_address(&fragment(link.room));
            }
        }
    }
}

/// The invitation that a route has.
const fn invitation(route: &Route) -> Option<RoomLink> {
    match route {
        Route::Invited(link) => Some(*link),
        Route::Start | Route::Room(_) | Route::Presented(_) | Route::Unknown(_) => None,
    }
}

/// The state of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The host is away, or has to answer.
    Waits,
    /// It can be redeemed.
    Ready,
    /// It is not needed: this side may vote, as the host has confirmed.
    Done,
}

impl State {
    fn of(now: &Snapshot, model: Model, secret: InvitationSecret) -> Self {
        let Some(poll) = &now.confirmed else {
            return Self::Waits;
        };
        if poll.role(model.me) >= Role::Voter {
            return Self::Done;
        }
        let is_sent = |command: &Command| matches!(command, Command::RedeemInvitation(of) if of.secret == Some(secret));
        let mut waiting = now.pending.iter().chain(&now.left_behind);
        let is_connected = now.connection == hustings_room::Connection::Connected;
        if !is_connected || now.failure.is_some() || waiting.any(|of| is_sent(&of.command)) {
            return Self::Waits;
        }
        Self::Ready
    }
}

/// Redeems the invitation in the address, once, as soon as the poll is there and its host answers.
pub(crate) fn redeem(model: Model) {
    let invited = Invited::of_page();
    let link = move || invited.0.get().filter(|link| link.room == model.link);
    let state = Memo::new(move |_| {
        let (link, secret) = link().and_then(|link| Some((link, link.invitation?)))?;
        let state = model.snapshot.with(|now| State::of(now, model, secret));
        Some((link, secret, state))
    });
    let tried = RwSignal::new(None::<RoomLink>);
    Effect::new(move |_| match state.get() {
        Some((link, _, State::Done)) => invited.is_answered(link),
        Some((link, secret, State::Ready)) if tried.get_untracked() != Some(link) => {
            tried.set(Some(link));
            let redemption = InvitationRedemption {
                poll_id: link.room.poll_id,
                secret: Some(secret),
            };
            let answered = move || {
                tried.try_set(None);
                invited.is_answered(link);
            };
            // The copy of the poll says that it has taken effect.
            model.submit_or(Command::RedeemInvitation(redemption), || {}, answered);
        }
        Some((_, _, State::Ready | State::Waits)) | None => {}
    });
}

/// Said in place of the state of a vote to whoever has no invitation, in a poll that asks for one.
pub(crate) fn uninvited(model: Model) -> Option<&'static str> {
    let poll = model.poll()?;
    let is_uninvited =
        poll.admission() == Admission::Invited && poll.role(model.me) == Role::Viewer;
    (is_uninvited && !poll.has_voted(model.me)).then_some(UNINVITED)
}

/// The form for an invitation that somebody was sent otherwise.
#[component]
pub(crate) fn Uninvited(model: Model) -> impl IntoView {
    let is_shown = Memo::new(move |_| uninvited(model).is_some());
    let text = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<String>);
    let redeem = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let why = match RoomLink::find(&text.get_untracked()) {
            Err(error) => sentence(&format!("{error}.")),
            Ok(link) if link.room != model.link => "This link is to another poll.".to_owned(),
            Ok(link) if link.invitation.is_none() => {
                "This is the link that everybody has, and no invitation.".to_owned()
            }
            Ok(link) => {
                text.set(String::new());
                problem.set(None);
                // By way of the address, where it lasts until it has its answer.
                show(&fragment_of(link));
                return;
            }
        };
        problem.set(Some(why));
        focus_soon("invitation".to_owned());
    };
    view! {
        <Show when=move || is_shown.get()>
            <form class="card" on:submit=redeem novalidate aria-labelledby="invitation-heading">
                <h2 id="invitation-heading">"Are you invited?"</h2>
                <div class="field">
                    <label for="invitation">"Link of your invitation"</label>
                    <input id="invitation" type="text" autocomplete="off" autocapitalize="none" spellcheck="false"
                        prop:value=text on:input=move |event| text.set(event_target_value(&event))
                        aria-invalid=move || problem.get().is_some().to_string() aria-describedby="invitation-problem" />
                    <p id="invitation-problem" class="problem" role="alert">{problem}</p>
                </div>
                <button type="submit">"Use the invitation"</button>
            </form>
        </Show>
    }
}
