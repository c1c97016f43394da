//! The result as a file.

use leptos::prelude::*;

use crate::browser::{download, now};
use crate::model::Model;
use crate::results;

/// The buttons.
#[component]
pub(crate) fn Export(model: Model) -> impl IntoView {
    let confirmed = move || {
        model
            .snapshot
            .with_untracked(|now| now.confirmed.clone().zip(now.revision))
    };
    let json = move |_| {
        if let Some((poll, revision)) = confirmed() {
            let content = results::json(&poll, revision, &now());
            let name = results::file_name(poll.title());
            download(&format!("{name}.json"), "application/json", &content);
        }
    };
    let csv = move |_| {
        if let Some((poll, _)) = confirmed() {
            let content = results::csv(&poll, &now());
            let name = results::file_name(poll.title());
            download(&format!("{name}.csv"), "text/csv;charset=utf-8", &content);
        }
    };
    view! {
        <section class="card" aria-labelledby="export-heading">
            <h2 id="export-heading">"Keep the result"</h2>
            <p class="hint">"What the host has confirmed so far, without names."</p>
            <div class="actions">
                <button on:click=json>"Save as JSON"</button>
                <button on:click=csv>"Save as CSV"</button>
            </div>
        </section>
    }
}
