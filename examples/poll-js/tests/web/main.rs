//! The package as a page uses it: scenarios in JavaScript, in which one page hosts and joins over
//! real WebRTC.
//!
//! The tests need a signalling server, whose port they are built with: `HUSTINGS_BROKER=9000`.

#![cfg(target_family = "wasm")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use hustings_poll_js::Hustings;
use js_sys::{Function, JSON, Promise, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

/// Runs the body of an async function, for which `tools.js` is there.
async fn run(scenario: &str) {
    const PORT: Option<&str> = option_env!("HUSTINGS_BROKER");
    let port = PORT.expect("build the tests with HUSTINGS_BROKER=<port>");
    let body = format!(
        "return (async () => {{ {} {scenario} }})()",
        include_str!("tools.js")
    );
    let body = Function::new_with_args("Hustings, port", &body);
    let done = body.call2(&JsValue::UNDEFINED, &class().await, &port.into());
    let done: Promise = done.unwrap().into();
    if let Err(thrown) = JsFuture::from(done).await {
        panic!("{thrown:?}");
    }
}

/// The class as JavaScript has it, with everything that it exports.
async fn class() -> JsValue {
    let options = JSON::parse(r#"{ "profile": "for its class", "iceServers": [] }"#).unwrap();
    let any = Hustings::open(options).await.ok().unwrap();
    Reflect::get(&any, &"constructor".into()).unwrap()
}

#[wasm_bindgen_test]
async fn a_poll_is_hosted_joined_and_voted_in() {
    run(include_str!("vote.js")).await;
}

#[wasm_bindgen_test]
async fn a_secret_poll_shows_results_when_they_are_due_and_nobody_what_others_chose() {
    run(include_str!("secret.js")).await;
}

#[wasm_bindgen_test]
async fn a_host_moderates_and_sets_a_deadline() {
    run(include_str!("moderation.js")).await;
}

#[wasm_bindgen_test]
async fn an_invitation_makes_a_voter_once() {
    run(include_str!("invited.js")).await;
}

#[wasm_bindgen_test]
async fn a_callback_hears_what_happens_and_may_call_everything() {
    run(include_str!("callbacks.js")).await;
}

#[wasm_bindgen_test]
async fn what_cannot_be_done_is_an_error_with_a_code() {
    run(include_str!("refusals.js")).await;
}

#[wasm_bindgen_test]
async fn a_poll_is_resumed_after_it_was_closed_and_its_voters_come_back() {
    run(include_str!("resume.js")).await;
}

#[wasm_bindgen_test]
async fn a_damaged_poll_is_named_and_costs_the_others_nothing() {
    run(include_str!("damaged.js")).await;
}

#[wasm_bindgen_test]
async fn a_poll_is_moved_to_another_profile_and_back() {
    run(include_str!("moved.js")).await;
}

#[wasm_bindgen_test]
async fn what_was_closed_can_be_opened_again_in_the_same_page() {
    run(include_str!("close.js")).await;
}

#[wasm_bindgen_test]
async fn what_has_not_changed_is_the_same_object() {
    run(include_str!("same.js")).await;
}

#[wasm_bindgen_test]
async fn a_signal_ends_what_waits() {
    run(include_str!("abort.js")).await;
}

#[wasm_bindgen_test]
async fn what_was_freed_says_so() {
    run(include_str!("freed.js")).await;
}

#[wasm_bindgen_test]
async fn of_two_copies_of_a_profile_one_has_the_address() {
    run(include_str!("copies.js")).await;
}

#[wasm_bindgen_test]
async fn a_room_has_listeners() {
    run(include_str!("listeners.js")).await;
}
