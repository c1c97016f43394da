//! Objects for JavaScript, of classes that `guard.js` has completed.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(module = "/src/guard.js")]
extern "C" {
    fn guard(object: &JsValue);
}

/// The object, after its class was guarded. Nothing of a class gets out in another way.
pub(crate) fn guarded(object: impl Into<JsValue>) -> JsValue {
    let object = object.into();
    guard(&object);
    object
}
