//! Changes to the page around the tests.

use std::cell::Cell;

use js_sys::{Function, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::HtmlIFrameElement;

/// A name that no other test of this run uses, nor one of an earlier run in the same profile.
pub(crate) fn unique_name() -> String {
    thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });
    let count = COUNT.get();
    COUNT.set(count + 1);
    format!("test-{}-{count}", js_sys::Date::now())
}

/// Runs the body of an async function, to which `name` is a database or a lock.
pub(crate) async fn js(name: &str, body: &str) -> JsValue {
    let body = format!("return (async () => {{ {body} }})()");
    let done = Function::new_with_args("name", &body).call1(&JsValue::UNDEFINED, &name.into());
    let promise: Promise = done.expect("an async function does not throw").into();
    match JsFuture::from(promise).await {
        Ok(result) => result,
        Err(thrown) => panic!("{thrown:?}"),
    }
}

/// Something of the page's that does not do what it should until this is dropped.
pub(crate) struct Broken {
    mend: Function,
}

impl Broken {
    /// Replaces a property of an object by a getter.
    pub(crate) fn getter(object: &str, property: &str, body: &str) -> Self {
        Self::with(object, property, &format!("get() {{ {body} }}"))
    }

    /// Replaces a method; the one that was there is `original`.
    pub(crate) fn method(object: &str, method: &str, body: &str) -> Self {
        Self::with(object, method, &format!("value(...args) {{ {body} }}"))
    }

    fn with(object: &str, property: &str, descriptor: &str) -> Self {
        let make = format!(
            "const before = Object.getOwnPropertyDescriptor({object}, '{property}');
             const original = before.value;
             Object.defineProperty({object}, '{property}', {{ configurable: true, {descriptor} }});
             return () => Object.defineProperty({object}, '{property}', before);"
        );
        let mend = Function::new_no_args(&make).call0(&JsValue::UNDEFINED);
        Self {
            mend: mend.expect("the property is there").unchecked_into(),
        }
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        self.mend
            .call0(&JsValue::UNDEFINED)
            .expect("what was there fits");
    }
}

/// A browser whose timers for answers that are overdue go off at once.
pub(crate) fn impatient() -> Broken {
    let at_once = "return original.call(this, args[0], args[1] === 10000 ? 0 : args[1])";
    Broken::method("window", "setTimeout", at_once)
}

/// A page that came by plain HTTP from another machine, as far as its tabs are concerned: it has no
/// Web Locks.
pub(crate) fn insecure() -> Broken {
    Broken::getter("Navigator.prototype", "locks", "return undefined")
}

/// Resolves once the browser has dealt with the locks that this page has let go.
pub(crate) async fn let_go() {
    let asked = "await new Promise(then => setTimeout(then)); await navigator.locks?.query()";
    js("", asked).await;
}

/// A frame of the page's origin, which is to locks and databases what another tab is.
pub(crate) struct Tab {
    frame: HtmlIFrameElement,
}

impl Tab {
    /// Opens it, and waits until it is loaded: some browsers give an empty frame another window
    /// then, and with the first one everything ends that was done in it.
    pub(crate) async fn open() -> Self {
        let open = "const frame = document.createElement('iframe');
            const loaded = new Promise(resolve => (frame.onload = resolve));
            document.body.append(frame);
            await loaded;
            return frame";
        Self {
            frame: js("", open).await.unchecked_into(),
        }
    }

    /// Runs the body of an async function in the tab, to which `tab` is its window.
    pub(crate) async fn js(&self, name: &str, body: &str) -> JsValue {
        let window = self.frame.content_window().unwrap();
        js_sys::Reflect::set(&js_sys::global(), &"tab".into(), &window).unwrap();
        js(name, body).await
    }

    /// Ends it without notice.
    pub(crate) fn close(self) {
        self.frame.remove();
    }
}
