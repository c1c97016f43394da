//! The address of a page, and its sign that it is ready.

/// A page to open: its address, and what is true in it once its own code has run.
#[derive(Debug, Clone)]
pub struct Page {
    pub(crate) url: String,
    pub(crate) ready: &'static str,
}

impl Page {
    /// A page, and the expression that is true in it as soon as it can be spoken to. That a browser
    /// takes the page for loaded says less: it holds for one whose module could not be fetched,
    /// too.
    #[must_use]
    pub fn new(url: impl Into<String>, ready: &'static str) -> Self {
        let url = url.into();
        Self { url, ready }
    }

    /// The same page with one more word in the query of its address, which has one already.
    #[must_use]
    pub fn with(mut self, word: &str) -> Self {
        self.url = format!("{}&{word}", self.url);
        self
    }

    /// The empty page that a tab begins with. It has no code to wait for.
    #[must_use]
    pub fn blank() -> Self {
        Self::new("about:blank", "true")
    }

    /// A page of `pages`. Each says so in its last line.
    pub(crate) fn of_ours(url: String) -> Self {
        Self::new(url, "window.ready === true")
    }
}
