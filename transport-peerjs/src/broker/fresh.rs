//! Pages that a browser has already are not sent again.

use std::fs::Metadata;
use std::path::Path;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The marks of the files that an answer may come from.
#[derive(Debug, Clone)]
pub(crate) struct Marks(String);

impl Marks {
    /// For a file and those that may go in its place.
    pub(crate) fn of<'a>(files: impl Iterator<Item = &'a Path>) -> Self {
        let marks = files.filter_map(|file| Some(mark(&file.metadata().ok()?)));
        Self(marks.collect())
    }
}

/// Another text when the file has been put there anew. Its size and the time in it are not enough:
/// images and archives give every file the same time, and an index that names its parts by hashes
/// has the same size in each release.
fn mark(metadata: &Metadata) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (seconds, nanoseconds) = (metadata.ctime(), metadata.ctime_nsec());
        format!("-{:x}.{seconds:x}.{nanoseconds:x}", metadata.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        String::new()
    }
}

/// Answers a request for what has not changed with 304.
pub(crate) async fn or_unchanged(mut request: Request, next: Next) -> Response {
    let Some(Marks(marks)) = request.extensions().get().cloned() else {
        return next.run(request).await;
    };
    // Whoever answers behind this knows less about what has changed.
    let headers = request.headers_mut();
    let known: Vec<HeaderValue> = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .cloned()
        .collect();
    for name in [
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_MATCH,
        header::IF_UNMODIFIED_SINCE,
    ] {
        headers.remove(name);
    }
    if headers.remove(header::IF_RANGE).is_some() {
        headers.remove(header::RANGE);
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.remove(header::LAST_MODIFIED);
    let Some(tag) = tag(headers, &marks) else {
        return response;
    };
    headers.insert(header::ETAG, tag.clone());
    if response.status() == StatusCode::OK && known.iter().any(|known| names(known, &tag)) {
        let tag = [(header::ETAG, tag)];
        return (StatusCode::NOT_MODIFIED, tag).into_response();
    }
    response
}

fn tag(headers: &HeaderMap, marks: &str) -> Option<HeaderValue> {
    let tag = headers.get(header::ETAG)?.to_str().ok()?;
    let tag = tag.strip_suffix('"')?;
    format!("{tag}{marks}\"").parse().ok()
}

/// True if a list of tags has this one in it, or stands for all.
fn names(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(known), Ok(tag)) = (known.to_str(), tag.to_str()) else {
        return false;
    };
    // No tag of ours has a comma in it.
    known.split(',').map(str::trim).any(|known| {
        let known = known.strip_prefix("W/").unwrap_or(known);
        known == "*" || known == tag
    })
}
