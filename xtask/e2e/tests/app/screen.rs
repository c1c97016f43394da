//! Finding things on the page: by the words that people read, or have read to them.

use hustings_e2e::Page;

/// The web app at this address. It is ready when it has put something on the page: until then
/// there is nothing to read, and nothing that would be lost by who does not wait.
pub(crate) fn app(url: &str) -> Page {
    Page::new(url, "document.querySelector('main') !== null")
}

/// A script in the page that reads what it shows.
pub(crate) const SCRIPT: &str = include_str!("screen.js");

/// A button by its text.
pub(crate) fn button(name: &str) -> String {
    format!("//button[normalize-space()='{name}']")
}

/// A field or a box to tick by its label.
pub(crate) fn field(label: &str) -> String {
    let of_label = format!("@id=//label[normalize-space()='{label}']/@for");
    let in_label = format!("ancestor::label[normalize-space()='{label}']");
    format!("//input[{of_label} or {in_label} or @aria-label='{label}']")
}

/// An option of the poll, to choose it.
pub(crate) fn option(label: &str) -> String {
    format!("//form//li//label[input][normalize-space()='{label}']")
}

/// The button that sends the vote, the first or another.
pub(crate) const VOTE: &str =
    "//button[normalize-space()='Vote' or normalize-space()='Change vote']";

/// The list of the roles that somebody may be given. Their name is isolated in its label, as it is
/// in the middle of a sentence.
pub(crate) fn roles(of: &str) -> String {
    format!("//select[@aria-label='Role of \u{2068}{of}\u{2069}']")
}

/// A role to give to somebody.
pub(crate) fn role(of: &str, role: &str) -> String {
    format!("{}/option[normalize-space()='{role}']", roles(of))
}

/// The button that shows the code to scan, or folds it away.
pub(crate) const QR_CODE: &str = "//summary[normalize-space()='Show as QR code']";

/// Pastes the text `arg` into the field that has the keyboard, as far as the page has a say in it.
pub(crate) const PASTE: &str = "const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', arg);
    const paste = { clipboardData, bubbles: true, cancelable: true };
    document.activeElement.dispatchEvent(new ClipboardEvent('paste', paste))";
