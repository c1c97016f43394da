//! Closed peer connections, which a browser counts until it has collected them.
//!
//! Chromium lets a page have 500, also closed ones, and does not collect for their sake: a page
//! that had made and closed so many and did little else could make none for minutes. It does
//! collect for the sake of memory, so that a large buffer that nobody wants gets it to.

use js_sys::{Array, Function, Reflect};
use wasm_bindgen::{JsCast, JsValue};

/// The number of connections after which the browser is asked to collect them. With those that
/// this side may have at a time it is less than what Chromium allows.
const CLOSED: usize = 32;

/// Bytes of the buffer. Nobody writes into it, so that it takes no memory. With 160 connections
/// that come up, of 50 in a second, Chromium 156 counted up to 353 with one such buffer for each 64,
/// and 482 with a quarter of it.
const BUFFER: u32 = 64 * 1024 * 1024;

/// The number of connections that were closed since the browser was last asked.
#[derive(Debug, Default)]
pub(super) struct Closed(usize);

impl Closed {
    /// One more is closed.
    pub(super) fn add(&mut self) {
        self.0 += 1;
        if self.0 >= CLOSED {
            self.collect();
        }
    }

    /// Asks the browser to collect those that are closed.
    pub(super) fn collect(&mut self) {
        self.0 = 0;
        // Not `ArrayBuffer::new`: a browser without the memory for it throws, which is no harm.
        let class: Result<JsValue, _> = Reflect::get(&js_sys::global(), &"ArrayBuffer".into());
        if let Some(class) = class.ok().as_ref().and_then(JsCast::dyn_ref::<Function>) {
            let _: Result<JsValue, _> = Reflect::construct(class, &Array::of1(&BUFFER.into()));
        }
    }
}
