//! The pages of an app, beside the signalling.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use super::fresh::{self, Marks};
use super::headers::{self, Headers};

/// Serves the files of a folder and nothing outside of it, `index.html` for a folder, and in place
/// of a file that has a compressed one beside it (`x.br`, `x.gz`) that one, to browsers that take
/// it. A browser keeps what has a hash of its content in its name (`x-0123abcd.js`), and asks for
/// anything else each time.
///
/// No link leads out of the folder, and what begins with a dot is not there: neither is meant for
/// the public, however it came to lie among the pages.
pub(crate) fn router(folder: &Path, headers: Headers) -> Router {
    let vary = HeaderValue::from_static("Accept-Encoding");
    // Once, so that a folder which is itself a link to the newest release does not change under
    // the pages that it has served. A folder that is gone has no pages.
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.into());
    let root: Arc<Path> = folder.as_path().into();
    Router::new()
        .fallback_service(
            ServeDir::new(folder)
                .precompressed_br()
                .precompressed_gzip(),
        )
        .layer(middleware::from_fn(fresh::or_unchanged))
        .layer(middleware::from_fn_with_state(root, only_inside))
        .layer(middleware::from_fn(kept))
        .layer(SetResponseHeaderLayer::overriding(header::VARY, vary))
        .layer(middleware::from_fn_with_state(headers, headers::set))
}

/// Says for how long an answer may be kept.
async fn kept(request: Request, next: Next) -> Response {
    let has_hash = has_hash(request.uri().path());
    let mut response = next.run(request).await;
    let status = response.status();
    let is_there = status.is_success() || status == StatusCode::NOT_MODIFIED;
    let value = if has_hash && is_there {
        HeaderValue::from_static("public, max-age=31536000, immutable")
    } else {
        // Asked for again each time, and sent again only when it has changed: an app and its wasm
        // belong together.
        HeaderValue::from_static("no-cache")
    };
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}

/// True for `x-0123abcd.js`: other content has another name.
fn has_hash(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.')
        .and_then(|(stem, _)| stem.rsplit_once('-'))
        .is_some_and(|(_, hash)| {
            let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            hash.len() >= 8 && hash.bytes().all(is_hex)
        })
}

async fn only_inside(State(root): State<Arc<Path>>, mut request: Request, next: Next) -> Response {
    let Some(asked) = relative(request.uri().path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // The file system is asked where that may take its time.
    let looked = tokio::task::spawn_blocking(move || public(&root, &asked)).await;
    if let Ok(Some(marks)) = looked {
        request.extensions_mut().insert(marks);
        next.run(request).await
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

/// The path below the folder that a request asks for. None if it leads out of it, or to what begins
/// with a dot, or is no path.
fn relative(path: &str) -> Option<PathBuf> {
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let mut relative = PathBuf::new();
    for name in decoded.split('/').filter(|name| !name.is_empty()) {
        // A colon is a drive to Windows, or a stream of a file.
        if name.starts_with('.') || name.contains(['\\', '\0', ':']) {
            return None;
        }
        relative.push(name);
    }
    Some(relative)
}

/// The marks of everything that may be served for a path, if all of that is inside of the folder,
/// wherever its links lead. A file with a compressed one beside it that leads out is withheld, too:
/// the two are one answer, and a page that half of the browsers can read would be looked for in
/// vain.
fn public(root: &Path, asked: &Path) -> Option<Marks> {
    let mut file = root.join(asked);
    if file.is_dir() {
        // Looked at in its own right: the index may be inside where its folder is not.
        if !leads_inside(root, &file) {
            return None;
        }
        file.push("index.html");
    }
    let files = ["", ".gz", ".br"].map(|extension| {
        let mut name = file.clone().into_os_string();
        name.push(extension);
        PathBuf::from(name)
    });
    let all = files.iter().map(PathBuf::as_path);
    all.clone()
        .all(|file| leads_inside(root, file))
        .then(|| Marks::of(all))
}

/// A file that is not there leads nowhere, which is for others to say.
fn leads_inside(root: &Path, file: &Path) -> bool {
    match file.canonicalize() {
        Ok(real) => real.strip_prefix(root).is_ok_and(|inside| {
            let mut names = inside.iter();
            !names.any(|name| name.as_encoded_bytes().starts_with(b"."))
        }),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}
