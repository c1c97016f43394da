//! The pages that may use the server, told by the origin that browsers send with their requests.

use axum::http::{HeaderMap, HeaderValue, header};

use super::BrokerError;

/// A list of origins. Empty, it is all.
#[derive(Debug, Clone)]
pub(crate) struct Origins(Vec<HeaderValue>);

impl Origins {
    pub(crate) fn new(origins: &[String]) -> Result<Self, BrokerError> {
        let read = origins.iter().map(|origin| {
            normal(origin)
                .and_then(|normal| HeaderValue::try_from(normal).ok())
                .ok_or_else(|| BrokerError::Origin(origin.clone()))
        });
        Ok(Self(read.collect::<Result<_, _>>()?))
    }

    pub(crate) fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// True for a request of a page that is in the list, and for one of no page: what is no browser
    /// can say what it likes, so that it has to say nothing.
    pub(crate) fn allow(&self, headers: &HeaderMap) -> bool {
        let mut said = headers.get_all(header::ORIGIN).iter();
        self.is_all() || said.all(|origin| self.0.contains(origin))
    }
}

/// An origin as browsers write it: in small letters, without the port that goes without saying.
fn normal(origin: &str) -> Option<String> {
    let origin = origin.trim().to_ascii_lowercase();
    if origin == "null" {
        return Some(origin);
    }
    let (scheme, host) = origin.split_once("://")?;
    let host = host.strip_suffix('/').unwrap_or(host);
    let host = match scheme {
        "http" => host.strip_suffix(":80").unwrap_or(host),
        "https" => host.strip_suffix(":443").unwrap_or(host),
        _ => host,
    };
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let is_origin = !scheme.is_empty() && scheme.chars().all(is_scheme);
    (is_origin && !host.is_empty() && host.chars().all(is_host))
        .then(|| format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_people_write_them() {
        for (written, sent) in [
            ("https://polls.example.org", "https://polls.example.org"),
            (
                " HTTPS://Polls.Example.org:443/ ",
                "https://polls.example.org",
            ),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("tauri://localhost", "tauri://localhost"),
            ("null", "null"),
        ] {
            assert_eq!(normal(written).as_deref(), Some(sent));
        }
        for wrong in [
            "",
            "*",
            "polls.example.org",
            "https://",
            "https://a/b",
            "https://a b",
            "https://a?",
        ] {
            assert_eq!(normal(wrong), None, "{wrong}");
        }
    }
}
