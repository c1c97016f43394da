//! Values that JavaScript gets as the same object until they change: whoever shows them compares by
//! identity.

use std::cell::RefCell;

use wasm_bindgen::JsValue;

/// The last value that was asked for, and its object.
pub(crate) struct Kept<T>(RefCell<Option<(T, JsValue)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(RefCell::new(None))
    }
}

impl<T: PartialEq> Kept<T> {
    /// The object of this value: the last one, if that was made of an equal one.
    pub(crate) fn object(&self, value: T, make: impl FnOnce(&T) -> JsValue) -> JsValue {
        let mut kept = self.0.borrow_mut();
        match &*kept {
            Some((same, object)) if *same == value => object.clone(),
            Some(_) | None => {
                let object = make(&value);
                *kept = Some((value, object.clone()));
                object
            }
        }
    }
}
