//! The broker serves an app at the origin of its signalling.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use hustings_transport_peerjs::broker::{Broker, BrokerConfig, BrokerError};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server's answer: the first line and the headers in lower case, and the body.
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn is(&self, status: u16) -> bool {
        self.head.starts_with(&format!("http/1.1 {status} "))
    }

    fn says(&self, header: &str) -> bool {
        self.head.contains(&format!("\r\n{header}"))
    }

    /// The items of a header's value, in their order in the alphabet.
    fn items(&self, header: &str, between: char) -> Vec<&str> {
        let lines = self.head.split("\r\n");
        let mut values = lines.filter_map(|line| line.strip_prefix(header)?.strip_prefix(": "));
        let value = values.next().unwrap_or_default();
        assert_eq!(values.next(), None, "{header} is there once");
        let mut items: Vec<&str> = value.split(between).map(str::trim).collect();
        items.sort_unstable();
        items
    }
}

async fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let read = timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes));
    read.await.unwrap().unwrap();
    let end = bytes.windows(4).position(|at| at == b"\r\n\r\n").unwrap();
    Answer {
        head: String::from_utf8_lossy(&bytes[..end]).to_lowercase(),
        body: bytes[end + 4..].to_vec(),
    }
}

/// An app in a folder, and a secret beside it.
fn app() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("pages");
    fs::create_dir_all(pages.join("peerjs")).unwrap();
    for (name, content) in [
        ("pages/index.html", "<h1>polls</h1>"),
        ("pages/app.js", "export {}"),
        ("pages/app_bg.wasm", "\0asm"),
        ("pages/style.css", "h1 {}"),
        ("pages/style.css.gz", "smaller"),
        ("pages/peerjs/id", "not the endpoint"),
        ("secret", "nobody's business"),
    ] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

async fn serve(pages: &Path, path: &str) -> SocketAddr {
    let config = BrokerConfig {
        pages: Some(pages.into()),
        path: path.into(),
        ..BrokerConfig::default()
    };
    serve_with(config).await
}

async fn serve_with(config: BrokerConfig) -> SocketAddr {
    let broker = Broker::bind("127.0.0.1:0", config).await.unwrap();
    let address = broker.local_addr();
    tokio::spawn(broker.serve(std::future::pending()));
    address
}

#[tokio::test]
async fn pages_come_with_the_types_that_browsers_insist_on() {
    let folder = app();
    let at = serve(&folder.path().join("pages"), "/").await;
    for (path, kind, body) in [
        ("/", "text/html", "<h1>polls</h1>"),
        ("/?peerserver=x", "text/html", "<h1>polls</h1>"),
        ("/app.js", "text/javascript", "export {}"),
        ("/app_bg.wasm", "application/wasm", "\0asm"),
        ("/style.css", "text/css", "h1 {}"),
    ] {
        let answer = get(at, path, "").await;
        assert!(answer.is(200), "{path}: {}", answer.head);
        let content_type = format!("content-type: {kind}");
        assert!(answer.says(&content_type), "{path}: {}", answer.head);
        assert!(answer.says("cache-control: no-cache"), "{}", answer.head);
        assert_eq!(answer.body, body.as_bytes(), "{path}");
    }
    let smaller = get(at, "/style.css", "Accept-Encoding: gzip\r\n").await;
    assert!(smaller.says("content-encoding: gzip"), "{}", smaller.head);
    assert!(smaller.says("content-type: text/css"), "{}", smaller.head);
    assert_eq!(smaller.body, b"smaller");
}

#[tokio::test]
async fn the_endpoints_of_signalling_are_at_the_same_origin() {
    let folder = app();
    let at = serve(&folder.path().join("pages"), "/").await;
    let id = get(at, "/peerjs/id", "").await;
    assert!(id.is(200), "{}", id.head);
    assert_eq!(id.body.len(), 36, "a file of that name does not hide it");
    let socket = get(at, "/peerjs", "").await;
    assert!(socket.is(400), "no upgrade was asked for: {}", socket.head);

    let at = serve(&folder.path().join("pages"), "/signalling").await;
    assert_eq!(get(at, "/signalling/peerjs/id", "").await.body.len(), 36);
    assert!(
        get(at, "/signalling/", "")
            .await
            .says("content-type: application/json")
    );
    assert!(get(at, "/", "").await.says("content-type: text/html"));
}

#[tokio::test]
async fn nothing_outside_of_the_folder_is_served() {
    let folder = app();
    let at = serve(&folder.path().join("pages"), "/").await;
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/peerjs/../../secret",
        "/..%5csecret",
        "//secret",
        "/nothing.html",
    ] {
        let answer = get(at, path, "").await;
        assert!(answer.is(404) || answer.is(400), "{path}: {}", answer.head);
    }
}

#[tokio::test]
async fn a_name_with_a_hash_is_kept_for_good_and_any_other_is_asked_for_again() {
    let folder = app();
    let pages = folder.path().join("pages");
    for name in ["app-0123abcd.js", "app_bg-0123456789abcdef.wasm"] {
        fs::write(pages.join(name), "x").unwrap();
    }
    // Too short, no hash, and not at the end.
    for name in ["app-0123abc.js", "app-0123abcg.js", "a-0123abcd-b.js"] {
        fs::write(pages.join(name), "x").unwrap();
    }
    let at = serve(&pages, "/").await;
    for (path, is_kept) in [
        ("/app-0123abcd.js", true),
        ("/app_bg-0123456789abcdef.wasm", true),
        ("/app-0123abc.js", false),
        ("/app-0123abcg.js", false),
        ("/a-0123abcd-b.js", false),
        ("/", false),
    ] {
        let answer = get(at, path, "").await;
        assert!(answer.is(200), "{path}: {}", answer.head);
        let kept = answer.says("cache-control: public, max-age=31536000, immutable");
        let asked = answer.says("cache-control: no-cache");
        assert_eq!(
            (kept, asked),
            (is_kept, !is_kept),
            "{path}: {}",
            answer.head
        );
    }
    // It may be there a moment later.
    let missing = get(at, "/gone-0123abcd.js", "").await;
    assert!(missing.is(404), "{}", missing.head);
    assert!(missing.says("cache-control: no-cache"), "{}", missing.head);
}

#[tokio::test]
async fn the_smallest_that_a_browser_takes_is_sent() {
    let folder = app();
    let pages = folder.path().join("pages");
    fs::write(pages.join("style.css.br"), "smallest").unwrap();
    let at = serve(&pages, "/").await;
    for (takes, encoding, body) in [
        ("gzip, deflate, br", Some("br"), "smallest"),
        ("gzip", Some("gzip"), "smaller"),
        ("identity", None, "h1 {}"),
    ] {
        let answer = get(at, "/style.css", &format!("Accept-Encoding: {takes}\r\n")).await;
        assert_eq!(answer.body, body.as_bytes(), "{takes}: {}", answer.head);
        if let Some(encoding) = encoding {
            let header = format!("content-encoding: {encoding}");
            assert!(answer.says(&header), "{takes}: {}", answer.head);
        }
        assert!(answer.says("vary: accept-encoding"), "{}", answer.head);
        assert!(answer.says("content-type: text/css"), "{}", answer.head);
    }
}

#[tokio::test]
async fn the_server_says_that_it_is_well() {
    let folder = app();
    let at = serve(&folder.path().join("pages"), "/signalling").await;
    let answer = get(at, "/healthz", "").await;
    assert!(answer.is(200), "{}", answer.head);
    assert_eq!(answer.body, b"ok\n");
    assert!(answer.says("cache-control: no-store"), "{}", answer.head);
    // Signalling that is mounted there goes before it.
    let at = serve(&folder.path().join("pages"), "/healthz").await;
    let answer = get(at, "/healthz", "").await;
    assert!(
        answer.says("content-type: application/json"),
        "{}",
        answer.head
    );
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again_and_what_has_changed_is() {
    let folder = app();
    let pages = folder.path().join("pages");
    let index = pages.join("index.html");
    // As in an image or an archive, where all files have one time.
    let put = |text: &str| {
        fs::write(pages.join("new"), text).unwrap();
        fs::rename(pages.join("new"), &index).unwrap();
        let file = fs::File::options().append(true).open(&index).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1))
            .unwrap();
    };
    put("app-0123abcd.js");
    let at = serve(&pages, "/").await;
    let first = get(at, "/", "").await;
    let etag = first.head.split("\r\netag: ").nth(1).unwrap();
    let etag = etag.split("\r\n").next().unwrap().to_owned();
    assert!(!first.says("last-modified"), "{}", first.head);
    for known in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"other\", {etag}"),
        "*".into(),
    ] {
        let again = get(at, "/", &format!("If-None-Match: {known}\r\n")).await;
        assert!(again.is(304), "{known}: {}", again.head);
        assert!(again.says(&format!("etag: {etag}")), "{}", again.head);
        assert!(again.says("cache-control: no-cache"), "{}", again.head);
        assert!(again.body.is_empty());
    }
    let other = get(at, "/", "If-None-Match: \"other\"\r\n").await;
    assert!(other.is(200), "{}", other.head);
    // A release of the same size.
    put("app-4567cdef.js");
    let headers =
        format!("If-None-Match: {etag}\r\nIf-Modified-Since: Thu, 01 Jan 1970 00:00:01 GMT\r\n");
    let changed = get(at, "/", &headers).await;
    assert!(changed.is(200), "{}", changed.head);
    assert_eq!(changed.body, b"app-4567cdef.js");
    // A part of what was there before is no part of what is there now.
    let part = format!("Range: bytes=0-2\r\nIf-Range: {etag}\r\n");
    assert!(get(at, "/", &part).await.is(200));
}

#[tokio::test]
async fn pages_say_what_browsers_may_do_with_them() {
    let folder = app();
    let pages = folder.path().join("pages");
    let at = serve(&pages, "/").await;
    for path in ["/", "/app.js", "/nothing"] {
        let answer = get(at, path, "").await;
        for header in [
            "cross-origin-resource-policy: same-origin\r\n",
            "referrer-policy: no-referrer\r\n",
            "x-content-type-options: nosniff",
        ] {
            assert!(answer.says(header), "{path} {header}: {}", answer.head);
        }
        // Each of them by itself: without one, or with more than is needed, a page may do more.
        let policy = [
            "base-uri 'none'",
            "connect-src 'self' ws: wss:",
            "default-src 'self'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "img-src 'self' data: blob:",
            "object-src 'none'",
            "script-src 'self' 'wasm-unsafe-eval'",
        ];
        assert_eq!(answer.items("content-security-policy", ';'), policy);
        let denied = [
            "accelerometer=()",
            "camera=()",
            "display-capture=()",
            "geolocation=()",
            "gyroscope=()",
            "magnetometer=()",
            "microphone=()",
            "midi=()",
            "payment=()",
            "usb=()",
        ];
        assert_eq!(answer.items("permissions-policy", ','), denied);
    }
    // Signalling is for pages of any origin, and no page itself.
    let id = get(at, "/peerjs/id", "").await;
    assert!(!id.says("cross-origin-resource-policy"), "{}", id.head);
    assert!(id.says("x-content-type-options: nosniff"), "{}", id.head);

    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let config = BrokerConfig {
        pages: Some(pages),
        page_headers: vec![
            header("Content-Security-Policy", "default-src *"),
            header("Permissions-Policy", ""),
            header("Cross-Origin-Opener-Policy", "same-origin"),
        ],
        ..BrokerConfig::default()
    };
    let answer = get(serve_with(config).await, "/", "").await;
    assert!(answer.says("content-security-policy: default-src *\r\n"));
    assert!(answer.says("cross-origin-opener-policy: same-origin"));
    assert!(answer.says("referrer-policy: no-referrer"));
    assert!(!answer.says("permissions-policy"), "{}", answer.head);
}

#[tokio::test]
async fn files_that_begin_with_a_dot_are_not_served() {
    let folder = app();
    let pages = folder.path().join("pages");
    fs::create_dir_all(pages.join(".git")).unwrap();
    fs::write(pages.join(".env"), "nobody's business").unwrap();
    fs::write(pages.join(".git/config"), "nobody's business").unwrap();
    let at = serve(&pages, "/").await;
    for path in [
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/%2Egit/config",
        "/.git/",
        "/app.js%00",
        "/%00",
        "/%ff",
        "/./.env",
        "//.env",
    ] {
        let answer = get(at, path, "").await;
        assert!(answer.is(404) || answer.is(400), "{path}: {}", answer.head);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_inside_the_folder_and_not_out_of_it() {
    use std::os::unix::fs::symlink;

    let folder = app();
    let pages = folder.path().join("pages");
    let out = folder.path().join("out");
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("index.html"), "nobody's business").unwrap();
    fs::write(pages.join(".env"), "nobody's business").unwrap();
    fs::create_dir_all(pages.join("sub")).unwrap();
    for (to, name) in [
        ("../secret", "link"),
        ("../out", "folder"),
        (".env", "env"),
        ("../../secret", "sub/index.html"),
        // In place of a harmless file, to browsers that take it compressed.
        ("../secret", "app.js.gz"),
        ("../secret", "app.js.br"),
        ("app.js", "same.js"),
    ] {
        symlink(to, pages.join(name)).unwrap();
    }
    let at = serve(&pages, "/").await;
    for path in ["/link", "/folder/", "/folder/index.html", "/env", "/sub/"] {
        let answer = get(at, path, "").await;
        assert!(answer.is(404), "{path}: {}", answer.head);
    }
    for headers in ["", "Accept-Encoding: gzip, br\r\n"] {
        let answer = get(at, "/app.js", headers).await;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!body.contains("nobody"), "{headers}: {body}");
    }
    assert_eq!(get(at, "/same.js", "").await.body, b"export {}");

    // The folder itself may be a link, as where releases are switched.
    let current = folder.path().join("current");
    symlink("pages", &current).unwrap();
    let at = serve(&current, "/").await;
    assert_eq!(get(at, "/style.css", "").await.body, b"h1 {}");
}

#[tokio::test]
async fn a_wrong_key_is_answered_with_a_message() {
    let folder = app();
    let at = serve(&folder.path().join("pages"), "/").await;
    for (path, message) in [
        ("/other/id", "Invalid key provided"),
        ("/other/peers", "Invalid key provided"),
        ("/peerjs/peers", "allow-discovery"),
    ] {
        let answer = get(at, path, "").await;
        assert!(answer.is(401), "{path}: {}", answer.head);
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(body.contains(message), "{path}: {body:?}");
        assert!(answer.says("content-type: text/plain"), "{}", answer.head);
    }
}

#[tokio::test]
async fn a_folder_without_a_page_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = BrokerConfig {
        pages: Some(folder.path().into()),
        ..BrokerConfig::default()
    };
    let failed = Broker::bind("127.0.0.1:0", config).await.unwrap_err();
    assert!(matches!(failed, BrokerError::NoPages(path) if path == folder.path()));
}
