//! What the page around the wasm offers: the parts of `navigator`, and errors in words.

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};

/// A part of `navigator`, in a window or a worker; `None` where this browser, or an insecure page,
/// has none.
pub(crate) fn navigator(part: &str) -> Option<JsValue> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).ok()?;
    // Asked for a part of nothing, `Reflect` throws.
    let part = Reflect::get(&navigator, &part.into()).ok()?;
    (!part.is_undefined() && !part.is_null()).then_some(part)
}

/// What JavaScript threw, for people: with the name of the kind of error, which is often all that
/// is said.
pub(crate) fn describe(thrown: &JsValue) -> String {
    if let Some(exception) = thrown.dyn_ref::<web_sys::DomException>() {
        return named(&exception.name(), &exception.message());
    }
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => named(&String::from(error.name()), &String::from(error.message())),
        None => format!("{thrown:?}"),
    }
}

/// The name of an exception and what it says, if it says anything.
pub(crate) fn named(name: &str, message: &str) -> String {
    if message.is_empty() {
        name.to_owned()
    } else {
        format!("{name}: {message}")
    }
}
