//! The page around the wasm: the parts of `navigator`, and errors in words.

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};

/// A part of `navigator`, in a window or a worker; `None` if this browser or an insecure page does
/// not have it.
pub(crate) fn navigator(part: &str) -> Option<JsValue> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).ok()?;
    // `Reflect` throws on a part of `undefined`.
    let part = Reflect::get(&navigator, &part.into()).ok()?;
    (!part.is_undefined() && !part.is_null()).then_some(part)
}

/// The text of something that JavaScript threw, with the name of the kind of error, which is often
/// all there is.
pub(crate) fn describe(thrown: &JsValue) -> String {
    if let Some(exception) = thrown.dyn_ref::<web_sys::DomException>() {
        return named(&exception.name(), &exception.message());
    }
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => named(&String::from(error.name()), &String::from(error.message())),
        None => format!("{thrown:?}"),
    }
}

/// The name of an exception, and its message if it has one.
pub(crate) fn named(name: &str, message: &str) -> String {
    if message.is_empty() {
        name.to_owned()
    } else {
        format!("{name}: {message}")
    }
}
