//! Removing somebody, and readmitting them.

use hustings_protocol::{Command, PeerId, PeerReadmission, PeerRemoval};
use leptos::prelude::*;

use crate::browser::focus;
use crate::model::Model;
use crate::words;

/// The button that removes somebody, after a question, or readmits them.
#[component]
pub(crate) fn Removal(
    model: Model,
    peer: PeerId,
    name: Signal<String>,
    may_have_voted: Signal<bool>,
    is_removed: Memo<bool>,
) -> impl IntoView {
    let poll_id = model.link.poll_id;
    let is_asked = RwSignal::new(false);
    let (ask, keep) = (
        StoredValue::new(format!("remove-{peer}")),
        StoredValue::new(format!("stay-{peer}")),
    );
    // The keyboard goes to what harms nobody, and back.
    let show = move |asks: bool| {
        is_asked.set(asks);
        let to = if asks { keep } else { ask };
        request_animation_frame(move || {
            to.try_with_value(|id| focus(id));
        });
    };
    let press = move |_| {
        if is_removed.get_untracked() {
            let peer_id = peer;
            let readmission = PeerReadmission { poll_id, peer_id };
            model.submit(Command::ReadmitPeer(readmission), || {});
        } else {
            show(true);
        }
    };
    let remove = move |keep_vote: bool| {
        let removal = PeerRemoval {
            poll_id,
            peer_id: peer,
            keep_vote,
        };
        model.submit(Command::RemovePeer(removal), || {});
        show(false);
    };
    let question = move || words::ask_to_remove(&name.get());
    let of_vote = move || {
        let poll = model.poll().filter(|_| may_have_voted.get());
        poll.map(|poll| words::vote_of_removed(poll.ballots(), poll.has_voted(peer)))
    };
    view! {
        <button id=ask.get_value() class="quiet" hidden=is_asked
            aria-label=move || words::remove(&name.get(), is_removed.get()) on:click=press>
            {move || if is_removed.get() { "Readmit" } else { "Remove" }}
        </button>
        <Show when=move || is_asked.get() && !is_removed.get()>
            <div class="question" role="group" aria-label=question>
                <p>{question}</p>
                <p>{of_vote}</p>
                // Nobody decided on a vote that comes while the question is there: it stays.
                <Show when=move || may_have_voted.get()
                    fallback=move || view! { <button on:click=move |_| remove(true)>"Remove"</button> }>
                    <button on:click=move |_| remove(true)>"Remove, the vote stays"</button>
                    <button on:click=move |_| remove(false)>"Remove with the vote"</button>
                </Show>
                <button id=keep.get_value() on:click=move |_| show(false)>"Do not remove"</button>
            </div>
        </Show>
    }
}
