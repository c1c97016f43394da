//! The pages of an app, beside the signalling.

use std::path::Path;

use axum::Router;
use axum::http::{HeaderValue, header};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

/// Serves the files of a folder and nothing outside of it, `index.html` for a folder, and in place
/// of a file that has a compressed one beside it (`x.gz`) that one, to browsers that take it.
pub(crate) fn router(folder: &Path) -> Router {
    let set =
        |name, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    Router::new()
        .fallback_service(ServeDir::new(folder).precompressed_gzip())
        // Asked for again each time, and sent again only when it has changed: an app and its wasm
        // belong together.
        .layer(set(header::CACHE_CONTROL, "no-cache"))
        .layer(set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
}
