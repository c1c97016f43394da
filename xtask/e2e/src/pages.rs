//! The server that pages come from.

use std::path::Path;

use anyhow::Context;
use axum::Router;
use axum::http::{HeaderName, HeaderValue};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

/// With these a page has nothing to do with other sites, and the browser gives it a clock of 5 µs
/// in place of 100. Few people's pages are like that, so only what is measured by that clock is.
const ISOLATION: [(&str, &str); 2] = [
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
];

/// A server of static files at a free port of this machine, until it is dropped.
#[derive(Debug)]
pub struct Pages {
    port: u16,
    serving: JoinHandle<()>,
}

impl Pages {
    /// Serves the files of each folder below its path: `("/", folder)` for all of them, which are
    /// below `/isolated` once more, as pages with a better clock.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub async fn serve(mounts: &[(&str, &Path)]) -> anyhow::Result<Self> {
        let mut router = Router::new();
        for (path, folder) in mounts {
            router = match *path {
                "/" => router
                    .nest("/isolated", isolated(folder))
                    .fallback_service(ServeDir::new(folder)),
                path => router.nest_service(path, ServeDir::new(folder)),
            };
        }
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("the page server")?;
        let port = listener.local_addr()?.port();
        let serving = tokio::spawn(async move {
            // It ends when it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { port, serving })
    }

    /// The address of a page.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        // Browsers take 127.0.0.1 for safe without HTTPS: it has IndexedDB, locks and WebCrypto.
        format!("http://127.0.0.1:{}/{path}", self.port)
    }
}

/// The files of a folder, as pages with the better clock.
fn isolated(folder: &Path) -> Router {
    let pages = Router::new().fallback_service(ServeDir::new(folder));
    ISOLATION.iter().fold(pages, |pages, (name, value)| {
        let name = HeaderName::from_static(name);
        let value = HeaderValue::from_static(value);
        pages.layer(SetResponseHeaderLayer::overriding(name, value))
    })
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
