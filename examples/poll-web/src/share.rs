//! The link that brings others here.

use hustings_protocol::RoomId;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use qrcode::{Color, EcLevel, QrCode};

use crate::browser::{copy, own_address, shared_address};
use crate::route::presented;

/// The link, as text to copy and as a code to scan.
#[component]
pub(crate) fn Share(
    link: RoomId,
    /// True if the code is shown at once.
    is_open: bool,
    /// Said of the link, if something is.
    #[prop(into)]
    note: Signal<Option<&'static str>>,
) -> impl IntoView {
    let own = own_address(link);
    let shared = shared_address(link).filter(|shared| *shared != own);
    // Where others open another address, this one still is the better one for another tab here.
    let here = shared.is_some().then(|| {
        view! { <p><a href=own.clone() target="_blank">"Open in another tab of this browser"</a></p> }
    });
    let address = shared.unwrap_or(own);
    let code = picture(&address, "QR code of the link to this poll".to_owned());
    let field = NodeRef::<html::Input>::new();
    let said = RwSignal::new("");
    let copy = move |_| {
        if let Some(field) = field.get_untracked() {
            spawn_local(async move {
                let said_now = if copy(&field).await {
                    "The link is copied."
                } else {
                    "The link is selected: copy it with your keyboard or its menu."
                };
                said.try_set(said_now);
            });
        }
    };
    view! {
        <section class="card share" aria-labelledby="share-heading">
            <h2 id="share-heading">"Invite people"</h2>
            <Show when=move || note.get().is_some()>
                <p data-testid="share-note">{note}</p>
            </Show>
            <label for="share-link">"Link to this poll"</label>
            <div class="row">
                <input id="share-link" type="text" readonly node_ref=field value=address
                    on:focus=move |_| if let Some(field) = field.get_untracked() { field.select() } />
                <button on:click=copy>"Copy link"</button>
            </div>
            <p class="hint" role="status">{said}</p>
            {here}
            <p><a href=presented(link)>"Show on a big screen"</a></p>
            <details open=is_open>
                <summary>"Show as QR code"</summary>
                {code}
            </details>
        </section>
    }
}

/// The code of the link to a poll.
pub(crate) fn code(link: RoomId) -> Option<impl IntoView + use<>> {
    let address = shared_address(link).unwrap_or_else(|| own_address(link));
    picture(&address, "QR code of the link to this poll".to_owned())
}

/// The code, drawn as one path; `None` for a link that is too long for one.
pub(crate) fn picture(text: &str, label: String) -> Option<impl IntoView + use<>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (place, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            path += &format!("M{} {}h1v1h-1z", place % width, place / width);
        }
    }
    // Scanners want a margin of four.
    let view_box = format!("-4 -4 {0} {0}", width + 8);
    Some(view! {
        <svg class="qr" viewBox=view_box role="img" aria-label=label>
            <rect x="-4" y="-4" width="100%" height="100%" fill="#fff"></rect>
            <path d=path fill="#000"></path>
        </svg>
    })
}
