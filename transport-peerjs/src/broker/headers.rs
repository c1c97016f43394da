//! The headers with which pages are served.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use super::BrokerError;

/// The things that browsers are asked for on behalf of a page. Nothing comes from elsewhere and no
/// page of others is around it; the signalling server may be anywhere. A link to a poll, which is
/// what lets people in, is told to nobody.
const USUAL: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss:; \
         img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
         magnetometer=(), microphone=(), midi=(), payment=(), usb=()",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

/// Headers to set.
pub(crate) type Headers = Arc<[(HeaderName, HeaderValue)]>;

/// The usual headers with others in their place, or beside them. An empty value is for none.
pub(crate) fn with(others: &[(String, String)]) -> Result<Headers, BrokerError> {
    let usual = USUAL.iter().map(|&(name, value)| (name, value));
    let others = others.iter().map(|(name, value)| (&**name, &**value));
    let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
    for (name, value) in usual.chain(others) {
        let wrong = || BrokerError::Header(name.to_owned());
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        let value: HeaderValue = value.trim().parse().map_err(|_| wrong())?;
        headers.retain(|(other, _)| *other != name);
        if !value.is_empty() {
            headers.push((name, value));
        }
    }
    Ok(headers.into())
}

pub(crate) async fn set(State(headers): State<Headers>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in headers.iter() {
        response.headers_mut().insert(name, value.clone());
    }
    response
}
