//! A polling app in a browser tab, and the example to copy: every poll lives in the tab of the
//! person who started it, and the others reach it by its link.
//!
//! It is thin. The library stores, sends and counts; the crate `tab` wires its parts together for a
//! page; this shows the result. `model` reads a room in one go whenever something has happened in
//! it, and every component shows a part of that. An action of a person is a `Command` that goes to
//! the room.
//!
//! - `settings`: the signalling server, from the page's own address unless it says otherwise
//! - `early`: what is begun before the views are loaded
//! - `app`, `route`, `start`, `create`, `own`, `joined`, `undelivered`, `room`, `present`: the
//!   views, and the choice between them
//! - `ballot`, `results`, `pending`, `connection`, `share`, `people`, `host`, `export`: the parts
//!   of a room
//! - `options`, `removal`, `title`, `deadline`: what its host, and partly moderators, change in a
//!   poll that is there
//! - `closing`: the time until a poll closes by itself
//! - `invitations`, `sheet`: invitations, as the host makes them, and as they are printed
//! - `redeem`: an invitation, as somebody has it
//! - `rules`: the rules of a poll, to choose from
//! - `visited`: the list of the polls that were joined
//! - `keep`: the identity and its polls as a file, moved and archived polls
//! - `damaged`: a poll that cannot be read
//! - `draft`: what is being put together: a vote, and a poll like another
//! - `kept`: where it is kept, and what is said of that
//! - `later`: parts that are loaded when they are first shown
//! - `typed`: what is typed and pasted into a form
//! - `words`: the names of things
//! - `browser`: the few things that the page is asked for directly

#![cfg_attr(
    not(target_family = "wasm"),
    allow(dead_code, reason = "natively only the tests are built")
)]
#![allow(
    unreachable_pub,
    reason = "what the component macro adds to a component is public"
)]

mod draft;
mod kept;
mod results;
mod route;
mod settings;
mod typed;
mod visited;
mod words;

#[cfg(target_family = "wasm")]
mod app;
#[cfg(target_family = "wasm")]
mod ballot;
#[cfg(target_family = "wasm")]
mod browser;
#[cfg(target_family = "wasm")]
mod closing;
#[cfg(target_family = "wasm")]
mod connection;
#[cfg(target_family = "wasm")]
mod create;
#[cfg(target_family = "wasm")]
mod damaged;
#[cfg(target_family = "wasm")]
mod deadline;
#[cfg(target_family = "wasm")]
mod early;
#[cfg(target_family = "wasm")]
mod export;
#[cfg(target_family = "wasm")]
mod host;
#[cfg(target_family = "wasm")]
mod invitations;
#[cfg(target_family = "wasm")]
mod joined;
#[cfg(target_family = "wasm")]
mod keep;
#[cfg(target_family = "wasm")]
mod later;
#[cfg(target_family = "wasm")]
mod model;
#[cfg(target_family = "wasm")]
mod options;
#[cfg(target_family = "wasm")]
mod own;
#[cfg(target_family = "wasm")]
mod pending;
#[cfg(target_family = "wasm")]
mod people;
#[cfg(target_family = "wasm")]
mod present;
#[cfg(target_family = "wasm")]
mod redeem;
#[cfg(target_family = "wasm")]
mod removal;
#[cfg(target_family = "wasm")]
mod room;
#[cfg(target_family = "wasm")]
mod rules;
#[cfg(target_family = "wasm")]
mod share;
#[cfg(target_family = "wasm")]
mod sheet;
#[cfg(target_family = "wasm")]
mod start;
#[cfg(target_family = "wasm")]
mod title;
#[cfg(target_family = "wasm")]
mod undelivered;

#[cfg(target_family = "wasm")]
fn main() {
    console_error_panic_hook::set_once();
    let steps = early::begin();
    wasm_bindgen_futures::spawn_local(async move {
        if page(steps).await.is_err() {
            browser::say_missing();
        }
    });
}

/// Shows the page. The views are a part that is loaded after the rest, which has begun by then.
#[cfg(target_family = "wasm")]
#[wasm_split_helpers::wasm_split(page, fallible)]
fn page(steps: early::Steps) -> Result<(), later::Missing> {
    browser::remove_loading();
    leptos::mount::mount_to_body(move || app::Page(app::PageProps { steps }));
    Ok(())
}

#[cfg(not(target_family = "wasm"))]
fn main() {
    eprintln!("This runs in a browser: `cargo xtask demo` builds it and shows it.");
}
