//! The HTTP endpoints, and the way to the socket.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::connect_info::{Connected, IntoMakeServiceWithConnectInfo};
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, Path, Query, Request, State, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::IncomingStream;

use super::listener::BoundedListener;
use super::pool::Source;
use super::shared::Shared;
use super::socket::Parameters;
use super::{pages, socket};

const INFO: &str = concat!(
    r#"{"name":"hustings broker","description":"Introduces peers that speak PeerJS to each other","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}"#
);

/// Everything that is served, with the addresses of those who ask.
pub(crate) fn service(shared: Arc<Shared>) -> IntoMakeServiceWithConnectInfo<Router, Client> {
    router(shared).into_make_service_with_connect_info()
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client(IpAddr);

impl Connected<IncomingStream<'_, BoundedListener>> for Client {
    fn connect_info(stream: IncomingStream<'_, BoundedListener>) -> Self {
        Self(stream.remote_addr().ip().to_canonical())
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let path = shared.path.clone();
    let pages = shared.config.pages.as_deref().map(pages::router);
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
    let router = router.layer(middleware::from_fn(cors)).with_state(shared);
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
    ConnectInfo(Client(address)): ConnectInfo<Client>,
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
    let source = Source::from(client(address, &headers, &shared.config.trusted_proxies));
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.map(str::to_owned);
    let max = shared.config.limits.max_message_bytes;
    upgrade
        .max_message_size(max)
        .max_frame_size(max)
        .read_buffer_size(8 * 1024)
        .write_buffer_size(4 * 1024)
        .on_upgrade(move |socket| socket::serve(socket, source, host, parameters, shared))
}

/// Lets pages of any origin read the answers, as PeerServer does.
async fn cors(request: Request, next: Next) -> Response {
    let is_preflight = request.method() == Method::OPTIONS;
    let asked = request
        .headers()
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
        .cloned();
    let mut response = if is_preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    let any = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    if is_preflight {
        let methods = HeaderValue::from_static("GET,HEAD");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        if let Some(asked) = asked {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
        }
    }
    response
}
