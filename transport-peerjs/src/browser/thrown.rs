//! The text of what a browser has thrown, for people.

use wasm_bindgen::{JsCast, JsValue};

use crate::shell::backend::Failure;

/// The text of what was thrown: an error's own, or anything else as it is.
pub(super) fn failure(thrown: JsValue) -> Failure {
    Failure(match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.to_string()),
        None => format!("{thrown:?}"),
    })
}
