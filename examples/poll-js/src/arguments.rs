//! The arguments that JavaScript gives, which can be anything: read here, so that a wrong one is an
//! error with a code and not one of the glue's.

use std::fmt::Display;
use std::pin::pin;
use std::str::FromStr;

use futures::channel::oneshot;
use futures::future::{Either, select};
use hustings_protocol::RoomId;
use js_sys::Reflect;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::AbortSignal;

use crate::failure::Failure;

/// A string; `what` names it in the error.
pub(crate) fn text(value: &JsValue, what: &str) -> Result<String, Failure> {
    value
        .as_string()
        .ok_or_else(|| Failure::argument(what, "it must be a string"))
}

/// An id; `what` names it in the error.
pub(crate) fn id<T: FromStr<Err: Display>>(value: &JsValue, what: &str) -> Result<T, Failure> {
    let id = text(value, what)?.parse();
    id.map_err(|error| Failure::argument(what, error))
}

/// The room of the link in a text.
pub(crate) fn link(value: &JsValue) -> Result<RoomId, Failure> {
    RoomId::find(&text(value, "the link")?).map_err(|error| Failure::argument("the link", error))
}

/// The signal in the last argument of a call, if there is one.
fn signal(options: &JsValue) -> Result<Option<AbortSignal>, Failure> {
    if options.is_undefined() {
        return Ok(None);
    }
    let wrong = |why| Failure::argument("the options", why);
    if !options.is_object() {
        return Err(wrong("they must be an object"));
    }
    let signal = Reflect::get(options, &"signal".into());
    match signal.map_err(|_| wrong("they cannot be read"))? {
        absent if absent.is_undefined() => Ok(None),
        signal => signal
            .dyn_into()
            .map(Some)
            .map_err(|_| wrong("`signal` must be an AbortSignal")),
    }
}

/// Fails if the call was aborted before it began.
pub(crate) fn check_signal(options: &JsValue) -> Result<(), Failure> {
    match signal(options)? {
        Some(signal) if signal.aborted() => Err(aborted()),
        Some(_) | None => Ok(()),
    }
}

/// The work, which is given up when the signal says so.
pub(crate) async fn unless_aborted<T>(
    options: &JsValue,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let Some(signal) = signal(options)? else {
        return work.await;
    };
    if signal.aborted() {
        return Err(aborted());
    }
    let (tell, told) = oneshot::channel();
    let listener = Closure::once(move || {
        // Nobody waits for it any more when the work is done.
        let _ = tell.send(());
    });
    let function = listener.as_ref().unchecked_ref();
    let listens = signal.add_event_listener_with_callback("abort", function);
    listens.map_err(|_| Failure::argument("the options", "`signal` cannot be listened to"))?;
    let done = match select(pin!(work), told).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(aborted()),
    };
    // If it is not there any more, it need not be taken away.
    let _ = signal.remove_event_listener_with_callback("abort", function);
    done
}

fn aborted() -> Failure {
    Failure::new("aborted", "the call was aborted by its signal")
}
