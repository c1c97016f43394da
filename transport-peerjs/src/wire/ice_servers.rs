//! STUN and TURN servers that the signalling server hands out.
//!
//! That is an extension of PeerServer's protocol: a client says in its URL that it takes them, and a
//! server that knows what this means and has some sends them before it says OPEN, on the registered
//! socket and no other. A client that was sent some asks for new ones before they are over. Other
//! servers ignore the word in the URL, and are asked for nothing.

use std::time::Duration;

use hustings_room::Moment;
use serde::Deserialize;

use super::messages::DecodeError;
use super::output::TimeoutReason;
use crate::config::IceServer;

/// The word in a socket's URL, by its name and its value.
pub(crate) const PARAMETER: (&str, &str) = ("ice", "1");

/// The type of the server's message with the servers, and of the client's that asks for it.
pub(crate) const ICE: &str = "HUSTINGS-ICE";

/// Most servers that are taken, and most addresses of one. A browser warns of more than five, as
/// each is asked for each connection.
const MAX_SERVERS: usize = 8;
/// The longest address, name or password, in bytes.
const MAX_TEXT: usize = 512;
/// The time in which an answer is due before it is asked for again.
const AGAIN: Duration = Duration::from_secs(60);
/// The shortest and the longest time for which servers are taken to be good.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload {
    ice_servers: Vec<Server>,
    lifetime: u64,
}

#[derive(Deserialize)]
struct Server {
    urls: Vec<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    credential: Option<String>,
}

/// Servers, and the time for which they are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedServers {
    /// The servers.
    pub servers: Vec<IceServer>,
    /// The time for which they are good.
    pub lifetime: Duration,
}

impl Payload {
    /// The servers, if a browser would take them all.
    pub(super) fn read(self) -> Result<HandedServers, DecodeError> {
        let malformed = |why: String| DecodeError::Malformed(why);
        let texts = |server: &Server| {
            let name = server.username.iter().chain(&server.credential);
            let mut all = server.urls.iter().chain(name);
            all.all(|text| text.len() <= MAX_TEXT) && server.urls.len() <= MAX_SERVERS
        };
        if self.ice_servers.len() > MAX_SERVERS || !self.ice_servers.iter().all(texts) {
            return Err(malformed("too many ICE servers, or too long ones".into()));
        }
        let servers = self.ice_servers.into_iter().map(|server| IceServer {
            urls: server.urls,
            username: server.username,
            credential: server.credential,
        });
        let servers: Vec<_> = servers.collect();
        crate::ice::check(&servers).map_err(|error| malformed(error.to_string()))?;
        let lifetime = Duration::from_secs(self.lifetime).clamp(SHORTEST, LONGEST);
        Ok(HandedServers { servers, lifetime })
    }
}

/// The servers that this side has: its own, and those that it was handed.
#[derive(Debug)]
pub(super) struct IceServers {
    own: Vec<IceServer>,
    handed: Option<Handed>,
}

#[derive(Debug)]
struct Handed {
    until: Moment,
    /// The moment at which new ones are asked for. None if the server may be another one by now.
    ask_at: Option<Moment>,
}

/// A thing to be done about the servers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Ask the server for new ones.
    Ask,
    /// Make do with these.
    Use(Vec<IceServer>),
}

impl IceServers {
    pub(super) fn new(own: &[IceServer]) -> Self {
        Self {
            own: own.to_vec(),
            handed: None,
        }
    }

    /// The server has handed out some. Returns all that there are.
    pub(super) fn take(&mut self, handed: HandedServers, now: Moment) -> Vec<IceServer> {
        let HandedServers { servers, lifetime } = handed;
        self.handed = Some(Handed {
            until: now + lifetime,
            // A dial with old ones still has half of their time.
            ask_at: Some(now + lifetime / 2),
        });
        let mut all = self.own.clone();
        all.extend(servers);
        all
    }

    /// Another socket is open. If the server behind it hands out any, it does so without a question;
    /// one that does not would not know the question.
    pub(super) fn socket_opened(&mut self) {
        if let Some(handed) = &mut self.handed {
            handed.ask_at = None;
        }
    }

    /// The first thing to be done by itself, and when.
    pub(super) fn timeout(&self) -> Option<(Moment, TimeoutReason)> {
        let handed = self.handed.as_ref()?;
        let at = handed
            .ask_at
            .map_or(handed.until, |at| at.min(handed.until));
        Some((at, TimeoutReason::IceServers))
    }

    /// The next thing that is due.
    pub(super) fn due(&mut self, now: Moment) -> Option<Due> {
        let handed = self.handed.as_mut()?;
        if handed.until <= now {
            self.handed = None;
            return Some(Due::Use(self.own.clone()));
        }
        handed.ask_at.filter(|at| *at <= now)?;
        handed.ask_at = Some(now + AGAIN);
        Some(Due::Ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<HandedServers, DecodeError> {
        serde_json::from_str::<Payload>(json)?.read()
    }

    #[test]
    fn servers_are_those_that_a_browser_would_take() {
        let json = r#"{"iceServers":[{"urls":["turn:a","turn:b?transport=tcp"],"username":"u","credential":"c"}],"lifetime":600}"#;
        let handed = read(json).unwrap();
        assert_eq!(handed.lifetime, Duration::from_secs(600));
        assert_eq!(handed.servers[0].urls, ["turn:a", "turn:b?transport=tcp"]);
        let long = format!("turn:{}", "a".repeat(MAX_TEXT));
        let many = [r#"{"urls":["stun:a"]}"#; MAX_SERVERS + 1].join(",");
        for servers in [
            r#"{"urls":["turn:a"]}"#.to_owned(),
            r#"{"urls":["http:a"],"username":"u","credential":"c"}"#.to_owned(),
            format!(r#"{{"urls":["{long}"],"username":"u","credential":"c"}}"#),
            many,
        ] {
            let json = format!(r#"{{"iceServers":[{servers}],"lifetime":600}}"#);
            assert!(read(&json).is_err(), "{json}");
        }
        for (lifetime, taken) in [(0, SHORTEST), (u64::MAX, LONGEST)] {
            let json = format!(r#"{{"iceServers":[],"lifetime":{lifetime}}}"#);
            assert_eq!(read(&json).unwrap().lifetime, taken);
        }
    }

    fn handed() -> HandedServers {
        HandedServers {
            servers: vec![IceServer::new("stun:handed")],
            lifetime: Duration::from_secs(600),
        }
    }

    #[test]
    fn new_ones_are_asked_for_in_time_until_they_come_or_the_old_ones_are_over() {
        let at = |seconds| Moment::START + Duration::from_secs(seconds);
        let own = [IceServer::new("stun:own")];
        let mut servers = IceServers::new(&own);
        assert_eq!((servers.timeout(), servers.due(at(0))), (None, None));
        let all = servers.take(handed(), at(0));
        assert_eq!(
            all,
            [IceServer::new("stun:own"), IceServer::new("stun:handed")]
        );
        assert_eq!(servers.due(at(299)), None);
        for second in [300, 360, 420, 480, 540] {
            assert_eq!(servers.timeout().unwrap().0, at(second));
            assert_eq!(servers.due(at(second)), Some(Due::Ask));
            assert_eq!(servers.due(at(second)), None, "once");
        }
        assert_eq!(servers.timeout().unwrap().0, at(600));
        assert_eq!(servers.due(at(600)), Some(Due::Use(own.to_vec())));
        assert_eq!((servers.timeout(), servers.due(at(600))), (None, None));
    }

    #[test]
    fn another_server_is_asked_for_nothing() {
        let at = |seconds| Moment::START + Duration::from_secs(seconds);
        let mut servers = IceServers::new(&[]);
        servers.take(handed(), at(0));
        servers.socket_opened();
        assert_eq!(servers.due(at(599)), None);
        assert_eq!(servers.timeout().unwrap().0, at(600));
        servers.take(handed(), at(599));
        assert_eq!(servers.due(at(899)), Some(Due::Ask));
    }
}
