//! The HTTP endpoints, and the way to the socket.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Extension;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, Query, Request, State, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::headers::Headers;
use super::listener::Connection;
use super::origins::Origins;
use super::pool::Source;
use super::shared::Shared;
use super::socket::Parameters;
use super::{pages, socket};

const INFO: &str = concat!(
    r#"{"name":"hustings broker","description":"Introduces peers that speak PeerJS to each other","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}"#
);

/// Settings that have been read.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) origins: Origins,
    pub(crate) page_headers: Headers,
}

/// Everything that is served.
pub(crate) fn router(shared: Arc<Shared>, settings: Settings) -> Router {
    let path = shared.path.clone();
    let Settings {
        origins,
        page_headers,
    } = settings;
    let pages = shared.config.pages.as_deref();
    let pages = pages.map(|folder| pages::router(folder, page_headers));
    let mut router = Router::new()
        .route(&format!("{path}peerjs"), get(upgrade))
        .route(&format!("{path}{{key}}/id"), get(new_id))
        .route(&format!("{path}{{key}}/peers"), get(peers));
    if path != "/healthz/" {
        router = router.route("/healthz", get(healthz));
    }
    // At the root the pages have the first word.
    if pages.is_none() || path != "/" {
        router = router.route(&path, get(info));
    }
    if let Some(bare) = path.strip_suffix('/').filter(|bare| !bare.is_empty()) {
        router = router.route(bare, get(info));
    }
    let router = router
        .layer(middleware::from_fn_with_state(origins, cors))
        .with_state(shared);
    match pages {
        Some(pages) => router.fallback_service(pages),
        None => router,
    }
}

/// PeerServer's words at its socket, and a hint for whoever has set this up.
const WRONG_KEY: &str = "Invalid key provided: the server was started with another one (--key)\n";

fn unauthorized(message: &'static str) -> Response {
    (StatusCode::UNAUTHORIZED, message).into_response()
}

/// There is no place for one more socket of a client's.
fn crowded() -> Response {
    let later = [(header::RETRY_AFTER, "10")];
    let message = "Too many connections from this address (see --max-sockets-each)\n";
    (StatusCode::SERVICE_UNAVAILABLE, later, message).into_response()
}

/// For those who watch over it: it takes requests.
async fn healthz() -> Response {
    ([(header::CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

async fn info() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], INFO).into_response()
}

async fn new_id(State(shared): State<Arc<Shared>>, Path(key): Path<String>) -> Response {
    if key != shared.config.key {
        return unauthorized(WRONG_KEY);
    }
    loop {
        let mut bytes = [0; 16];
        if getrandom::fill(&mut bytes).is_err() {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let id = uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string();
        if !shared.realm().contains(&id) {
            let headers = [
                (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            return (headers, id).into_response();
        }
    }
}

async fn peers(State(shared): State<Arc<Shared>>, Path(key): Path<String>) -> Response {
    if key != shared.config.key {
        return unauthorized(WRONG_KEY);
    }
    if !shared.config.allow_discovery {
        return unauthorized("This server does not list its peers (see --allow-discovery)\n");
    }
    // Ids are letters, digits, spaces, _ and -: they need no escaping.
    let ids = shared.realm().ids().join("\",\"");
    let list = if ids.is_empty() {
        "[]".into()
    } else {
        format!("[\"{ids}\"]")
    };
    ([(header::CONTENT_TYPE, "application/json")], list).into_response()
}

/// The address of the client behind a connection.
fn client(connected: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    let is_proxy = |address: &IpAddr| proxies.iter().any(|proxy| proxy.to_canonical() == *address);
    if !is_proxy(&connected) {
        return connected;
    }
    // Each proxy adds at the end the address that it was connected from. What is before the first
    // stranger, seen from there, is what that stranger says.
    let values = headers.get_all("x-forwarded-for").iter();
    let said: Vec<&str> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    said.iter()
        .rev()
        .map_while(|address| address.trim().parse::<IpAddr>().ok())
        .map(|address| address.to_canonical())
        .find(|address| !is_proxy(address))
        .unwrap_or(connected)
}

async fn upgrade(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    parameters: Result<Query<Parameters>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let parameters = parameters
        .map(|Query(parameters)| parameters)
        .unwrap_or_default();
    let proxies = &shared.config.trusted_proxies;
    let source = Source::from(client(connection.remote, &headers, proxies));
    if !connection.becomes_socket(source) {
        tracing::debug!(reason = "crowded", "refused");
        shared.realm().counts().refused("crowded");
        return crowded();
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.map(str::to_owned);
    let max = shared.config.limits.max_message_bytes;
    upgrade
        .max_message_size(max)
        .max_frame_size(max)
        // Each socket has it for as long as it lasts, and nearly always only heartbeats come; it
        // grows for an offer.
        .read_buffer_size(1024)
        .write_buffer_size(4 * 1024)
        .on_upgrade(move |socket| socket::serve(socket, source, host, parameters, shared))
}

/// Refuses pages of other origins than those that may use the server, and lets these read the
/// answers, as PeerServer does.
async fn cors(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    if !origins.allow(request.headers()) {
        let message = "Pages of this origin may not use this server (see --allow-origin)\n";
        return (StatusCode::FORBIDDEN, message).into_response();
    }
    let is_preflight = request.method() == Method::OPTIONS;
    let headers = request.headers();
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let origin = headers.get(header::ORIGIN).cloned();
    let mut response = if is_preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    if origins.is_all() {
        let any = HeaderValue::from_static("*");
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    } else {
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
    }
    if is_preflight {
        let methods = HeaderValue::from_static("GET,HEAD");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        if let Some(asked) = asked {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
        }
    }
    response
}
