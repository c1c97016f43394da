//! The few things that the page is asked for directly.

use std::time::Duration;

use hustings_protocol::{RoomId, RoomLink};
use hustings_room::clock::{Clock, SystemClock};
use js_sys::{Array, Uint8Array};
use leptos::prelude::{document, request_animation_frame, window};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    BeforeUnloadEvent, Blob, BlobPropertyBag, ClipboardEvent, FocusOptions, HtmlAnchorElement,
    HtmlDocument, HtmlElement, HtmlInputElement, Storage, Url, UrlSearchParams,
};

use crate::route::{fragment, fragment_of};
use crate::settings::Server;

#[wasm_bindgen(raw_module = "./boot.js")]
extern "C" {
    /// Says that a part of the page did not arrive, where there are no views to say it.
    #[wasm_bindgen(js_name = sayMissing)]
    pub(crate) fn say_missing();
}

/// Takes away what the page shows while it is loaded.
pub(crate) fn remove_loading() {
    if let Some(loading) = document().get_element_by_id("loading") {
        loading.remove();
    }
}

/// The content of a `<meta>` of the page, if it has one.
pub(crate) fn meta(name: &str) -> Option<String> {
    let element = document()
        .query_selector(&format!("meta[name={name}]"))
        .ok()??;
    let content = element.get_attribute("content")?;
    Some(content).filter(|content| !content.trim().is_empty())
}

/// A parameter of the page's address.
pub(crate) fn parameter(name: &str) -> Option<String> {
    let search = window().location().search().ok()?;
    UrlSearchParams::new_with_str(&search).ok()?.get(name)
}

/// True if the page came by HTTPS or from this machine: nobody between can have changed it, and the
/// browser gives it all that it has.
pub(crate) fn is_secure() -> bool {
    window().is_secure_context()
}

/// True if this device is in any network, as far as the browser knows.
pub(crate) fn has_network() -> bool {
    window().navigator().on_line()
}

/// The server at an address; the one that the page came from where there is no address. `None` for
/// an address that is none, or of another kind: `localhost:9000` is one of the scheme `localhost`.
pub(crate) fn server(address: Option<&str>) -> Option<Server> {
    let location = window().location();
    let url = match address {
        Some(address) => Url::new(address).ok()?,
        None => Url::new(&location.origin().ok()?).ok()?,
    };
    let schemes = ["http:", "https:", "ws:", "wss:"];
    if !schemes.contains(&url.protocol().as_str()) {
        return None;
    }
    Some(Server {
        scheme: url.protocol().trim_end_matches(':').to_owned(),
        host: url.hostname(),
        port: url.port().parse().ok(),
        path: url.pathname(),
    })
}

/// The text behind the `#` in the page's address.
pub(crate) fn hash() -> String {
    window().location().hash().unwrap_or_default()
}

/// Shows a poll.
pub(crate) fn go_to(link: RoomId) {
    show(&fragment(link));
}

/// Shows the view of a fragment.
pub(crate) fn show(fragment: &str) {
    // Only a document that is being torn down refuses.
    let _ = window().location().set_hash(fragment);
}

/// Puts another fragment into the address, in place of the one that is there: the view stays, and
/// the way back does not lead to it.
pub(crate) fn put_into_address(fragment: &str) {
    if let Ok(history) = window().history() {
        let address = Some(fragment);
        // What a browser refuses here, which it does if it is asked all the time, stays as it is.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", address);
    }
}

/// Has the page printed.
pub(crate) fn print() {
    // A browser that cannot print does nothing, which is to be seen.
    let _ = window().print();
}

/// True if the page can fill the screen: a phone may not let it.
pub(crate) fn can_fill_screen() -> bool {
    document().fullscreen_enabled()
}

/// Fills the screen with the page, or no longer.
pub(crate) fn fill_screen_or_not() {
    let document = document();
    if document.fullscreen_element().is_some() {
        document.exit_fullscreen();
    } else if let Some(root) = document.document_element() {
        // A browser that refuses leaves the page as it is, which is to be seen.
        let _ = root.request_fullscreen();
    }
}

/// The address that an invited person opens.
pub(crate) fn invitation_address(link: RoomLink) -> String {
    let plain = shared_address(link.room).unwrap_or_else(|| own_address(link.room));
    plain.replace(&fragment(link.room), &fragment_of(link))
}

/// The address of a poll on this page.
pub(crate) fn own_address(link: RoomId) -> String {
    let location = window().location();
    let base = || Some(location.origin().ok()? + &location.pathname().ok()?);
    address(&base().unwrap_or_default(), link)
}

/// The address that others open to join a poll, if it is not [`own_address`].
pub(crate) fn shared_address(link: RoomId) -> Option<String> {
    meta("share").map(|base| address(&base, link))
}

fn address(base: &str, link: RoomId) -> String {
    let search = window().location().search().unwrap_or_default();
    format!("{base}{search}{}", fragment(link))
}

/// Takes the keyboard to an element; whether it is there.
pub(crate) fn focus(id: &str) -> bool {
    let element = document().get_element_by_id(id);
    let element = element.and_then(|element| element.dyn_into::<HtmlElement>().ok());
    element.is_some_and(|element| element.focus().is_ok())
}

/// Takes the keyboard to an element without scrolling to it.
pub(crate) fn focus_in_place(id: &str) {
    let element = document().get_element_by_id(id);
    if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        let options = FocusOptions::new();
        options.set_prevent_scroll(true);
        // What cannot be focused is left alone.
        let _ = element.focus_with_options(&options);
    }
}

/// Takes the keyboard to an element: at once if it is there, so that nothing is typed into another
/// one, or as soon as it is shown.
pub(crate) fn focus_soon(id: String) {
    if !focus(&id) {
        request_animation_frame(move || {
            focus(&id);
        });
    }
}

/// The text that is being pasted, and the rest of the field around it: what is selected is replaced.
pub(crate) fn pasted(event: &ClipboardEvent) -> Option<(String, String, String)> {
    let text = event.clipboard_data()?.get_data("text/plain").ok()?;
    let field: HtmlInputElement = event.target()?.dyn_into().ok()?;
    // The browser counts in UTF-16.
    let units: Vec<u16> = field.value().encode_utf16().collect();
    let place = |at: Option<u32>| at.map_or(units.len(), |at| (at as usize).min(units.len()));
    let (start, end) = (field.selection_start(), field.selection_end());
    let (start, end) = (place(start.ok()?), place(end.ok()?));
    let before = String::from_utf16_lossy(units.get(..start)?);
    let after = String::from_utf16_lossy(units.get(end..)?);
    Some((before, text, after))
}

/// Makes the browser ask before the page is left, in its own words, whatever is given to it here.
pub(crate) fn ask_before_leaving(event: &BeforeUnloadEvent) {
    event.prevent_default();
    event.set_return_value("stay");
}

/// Loads the page again: what was durable is there again.
pub(crate) fn reload() {
    let _ = window().location().reload();
}

/// Waits.
pub(crate) async fn pause(time: Duration) {
    let clock = SystemClock::new();
    clock.sleep_until(clock.now() + time).await;
}

/// Puts the text of a field into the clipboard; whether that went well. Where the page has no
/// clipboard, which needs HTTPS, the text is left selected.
pub(crate) async fn copy(field: &HtmlInputElement) -> bool {
    field.select();
    let navigator = window().navigator();
    let has_clipboard = js_sys::Reflect::get(&navigator, &"clipboard".into())
        .is_ok_and(|clipboard| clipboard.is_object());
    if has_clipboard {
        let written = navigator.clipboard().write_text(&field.value());
        if JsFuture::from(written).await.is_ok() {
            return true;
        }
    }
    let document = document().dyn_into::<HtmlDocument>();
    document.is_ok_and(|document| document.exec_command("copy").unwrap_or(false))
}

/// Puts a text into the clipboard; whether that went well. Where the page has none it does not.
pub(crate) async fn copy_text(text: &str) -> bool {
    let navigator = window().navigator();
    let has_clipboard = js_sys::Reflect::get(&navigator, &"clipboard".into())
        .is_ok_and(|clipboard| clipboard.is_object());
    has_clipboard
        && JsFuture::from(navigator.clipboard().write_text(text))
            .await
            .is_ok()
}

/// Hands somebody a file.
pub(crate) fn download(name: &str, kind: &str, content: &str) {
    // Nothing here fails in a window; if it did, there would be no file, and nothing to say but
    // that.
    let _ = offer(name, kind, content);
}

/// Hands somebody a file that is no text.
pub(crate) fn download_bytes(name: &str, content: &[u8]) {
    let _ = offer_part(name, "application/octet-stream", &Uint8Array::from(content));
}

/// The bytes of the file that was chosen in a field; `None` if there is none, or it cannot be read.
/// A file of more than `most` bytes is none either.
pub(crate) async fn chosen_file(field: &HtmlInputElement, most: usize) -> Option<Vec<u8>> {
    let file = field.files()?.get(0)?;
    if file.size() > most as f64 {
        return None;
    }
    let buffer = JsFuture::from(file.array_buffer()).await.ok()?;
    Some(Uint8Array::new(&buffer).to_vec())
}

fn offer(name: &str, kind: &str, content: &str) -> Option<()> {
    offer_part(name, kind, &content.into())
}

fn offer_part(name: &str, kind: &str, content: &JsValue) -> Option<()> {
    let options = BlobPropertyBag::new();
    options.set_type(kind);
    let blob = Blob::new_with_blob_sequence_and_options(&Array::of1(content), &options);
    let url = Url::create_object_url_with_blob(&blob.ok()?).ok()?;
    let link: HtmlAnchorElement = document().create_element("a").ok()?.dyn_into().ok()?;
    link.set_href(&url);
    link.set_download(name);
    link.click();
    Url::revoke_object_url(&url).ok()
}

/// Something small that the page remembers, such as a name. A browser that stores nothing forgets
/// it.
pub(crate) fn remembered(key: &str) -> Option<String> {
    storage()?.get_item(key).ok()?
}

/// Remembers it.
pub(crate) fn remember(key: &str, value: &str) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(key, value);
    }
}

/// Remembers it no longer.
pub(crate) fn forget(key: &str) {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(key);
    }
}

fn storage() -> Option<Storage> {
    window().local_storage().ok()?
}

/// A moment, in milliseconds of Unix time, as people here read it, with their time zone.
pub(crate) fn local_moment(unix_millis: u64) -> String {
    local(&date(unix_millis), "long")
}

/// A moment as a field for a date and a time has it, in the zone of whoever is here.
pub(crate) fn field_of_moment(unix_millis: u64) -> String {
    let date = date(unix_millis);
    let (year, month, day) = (date.get_full_year(), date.get_month() + 1, date.get_date());
    let (hour, minute) = (date.get_hours(), date.get_minutes());
    let minutes = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}");
    match (date.get_seconds(), date.get_milliseconds()) {
        (0, 0) => minutes,
        (second, 0) => format!("{minutes}:{second:02}"),
        (second, millis) => format!("{minutes}:{second:02}.{millis:03}"),
    }
}

/// The moment that is in such a field; `None` if it is empty or there is no such time.
pub(crate) fn moment_of_field(text: &str) -> Option<u64> {
    // Without a zone it is local, as the standard has it of a date with a time.
    let time = js_sys::Date::new(&text.into()).get_time();
    (time >= 0.0).then_some(time as u64)
}

/// True of a field in which something is typed that is not whole, and so counts as empty: a date
/// without a time, for instance.
pub(crate) fn is_incomplete(id: &str) -> bool {
    let field = document().get_element_by_id(id);
    let field = field.and_then(|field| field.dyn_into::<HtmlInputElement>().ok());
    field.is_some_and(|field| field.validity().bad_input())
}

/// True of a moment that has passed by the clock of this device.
pub(crate) fn has_passed(unix_millis: u64) -> bool {
    unix_millis as f64 <= js_sys::Date::now()
}

fn date(unix_millis: u64) -> js_sys::Date {
    js_sys::Date::new(&(unix_millis as f64).into())
}

/// The time, as JSON writes it.
pub(crate) fn now() -> String {
    String::from(js_sys::Date::new_0().to_iso_string())
}

/// Such a time as people here read it. One that is none is shown as it is.
pub(crate) fn local_time(time: &str) -> String {
    let date = js_sys::Date::new(&time.into());
    if date.get_time().is_nan() {
        return time.to_owned();
    }
    local(&date, "short")
}

fn local(date: &js_sys::Date, time_style: &str) -> String {
    let options = js_sys::Object::new();
    for (name, style) in [("dateStyle", "medium"), ("timeStyle", time_style)] {
        // A new object takes everything.
        let _ = js_sys::Reflect::set(&options, &name.into(), &style.into());
    }
    // In the language of the page.
    date.to_locale_string("en-GB", &options).into()
}
