//! The page around the wasm: the parts of `navigator`, and errors in words.

use std::pin::pin;

use futures::channel::oneshot;
use futures::future::{Either, select};
use js_sys::{Function, Reflect};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};

/// The time, in milliseconds, that a browser has for what takes it a few of them. One that does not
/// answer within that time may never do so: Safari's database server hangs now and then, and a tab
/// that the system has frozen in the middle of something keeps what it holds.
const PATIENCE: u32 = 10_000;

/// The answer of the browser, if it comes within its time.
pub(crate) async fn in_time<T>(answer: impl Future<Output = T>) -> Option<T> {
    match select(pin!(answer), pin!(pause(PATIENCE))).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(((), _)) => None,
    }
}

/// Resolves when an answer is overdue.
pub(crate) async fn out_of_patience() {
    pause(PATIENCE).await;
}

/// Resolves after so many milliseconds.
pub(crate) async fn pause(milliseconds: u32) {
    let (ring, rings) = oneshot::channel();
    let ring = Closure::once(move || {
        // If nobody waits for it any more, nobody needs to know.
        let _ = ring.send(());
    });
    let timer = Timer::set(&ring, milliseconds);
    // Without timers no time passes, and nothing is ever overdue.
    if timer.is_none() || rings.await.is_err() {
        futures::future::pending::<()>().await;
    }
}

/// A timer of the page or the worker, until it is dropped.
struct Timer(JsValue);

impl Timer {
    fn set(ring: &Closure<dyn FnMut()>, milliseconds: u32) -> Option<Self> {
        let set: Function = global("setTimeout")?;
        let after = JsValue::from(milliseconds);
        let timer = set.call2(&JsValue::UNDEFINED, ring.as_ref(), &after);
        timer.ok().map(Self)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(clear) = global("clearTimeout") {
            // It does not throw on a timer.
            let _ = clear.call1(&JsValue::UNDEFINED, &self.0);
        }
    }
}

fn global(function: &str) -> Option<Function> {
    let found = Reflect::get(&js_sys::global(), &function.into()).ok()?;
    found.dyn_into().ok()
}

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
