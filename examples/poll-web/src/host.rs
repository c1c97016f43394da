//! The host's part: its choices while the poll runs, and the safety of the stored poll.

use hustings_browser::Storage;
use hustings_protocol::{Command, Results, Role, SettingsUpdate};
use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::Opened;
use crate::create::Template;
use crate::deadline::Deadline;
use crate::draft::like;
use crate::kept::Kept;
use crate::model::Model;
use crate::rules::Choose;
use crate::title::Title;

/// The question, closing, now or at a time, reopening, who may add options and when results are
/// shown; another poll like this one.
#[component]
pub(crate) fn HostTools(model: Model) -> impl IntoView {
    let is_owner = Memo::new(move |_| model.role() == Role::Owner);
    let is_closed = Memo::new(move |_| model.poll().is_some_and(|poll| poll.is_closed()));
    let may_add = Memo::new(move |_| {
        model
            .poll()
            .is_some_and(|poll| poll.voters_may_add_options())
    });
    let results = Memo::new(move |_| model.poll().map(|poll| poll.results()).unwrap_or_default());
    let template = Template::of_page();
    let change = move |update: SettingsUpdate| model.submit(Command::UpdateSettings(update), || {});
    let unchanged = move || SettingsUpdate::new(model.link.poll_id);
    let duplicate = move |_| {
        if let Some(poll) = model.poll() {
            template.fill(like(&poll));
        }
    };
    let add_or_not = move |event: ev::Event| {
        let may = event_target_checked(&event);
        // It shows what the poll says, which follows at once unless it is refused.
        event_target::<web_sys::HtmlInputElement>(&event).set_checked(may_add.get_untracked());
        change(unchanged().voters_may_add_options(may));
    };
    view! {
        <Show when=move || is_owner.get()>
            <section class="card" aria-labelledby="settings-heading">
                <h2 id="settings-heading">"Your poll"</h2>
                <Title model />
                <label class="check">
                    <input type="checkbox" prop:checked=may_add
                        on:change=add_or_not />
                    "Voters may add options"
                </label>
                <Choose name="shown" legend="Results are shown" chosen=results
                    choose=move |results: Results| change(unchanged().results(results)) />
                <Deadline model />
                <div class="actions">
                <button aria-disabled=move || (!model.is_connected()).to_string()
                    on:click=move |_| change(unchanged().closed(!is_closed.get_untracked()))>
                    {move || if is_closed.get() { "Reopen the poll" } else { "Close the poll" }}
                </button>
                <button class="quiet" on:click=duplicate>"Duplicate this poll"</button>
                </div>
                <Show when=move || model.is_host && model.kept() == Kept::OnDevice>
                    <Lasting />
                </Show>
            </section>
        </Show>
    }
}

/// Tells if the browser may delete the poll. The browser is asked not to.
#[component]
fn Lasting() -> impl IntoView {
    let app = Opened::app();
    let said = RwSignal::new("");
    spawn_local(async move {
        let now = match (app.storage(), app.persist().await) {
            // The page says so at the top.
            (Storage::Memory(_), _) => "",
            (Storage::Database, Ok(true)) => {
                "It is kept in this browser until you delete its data."
            }
            (Storage::Database, Ok(false) | Err(_)) => {
                "It is kept in this browser, which may delete it when the disk is full."
            }
        };
        said.try_set(now);
    });
    view! { <p class="hint" data-testid="kept">{said}</p> }
}
