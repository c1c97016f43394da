//! STUN and TURN servers that no browser would take are named when an address is opened.

use hustings_protocol::{Address, PeerId};
use hustings_room::Moment;
use hustings_transport_peerjs::wire::Endpoint;
use hustings_transport_peerjs::{Config, ConfigError, IceFault, IceServer, Token};

fn opened(ice_servers: Vec<IceServer>) -> Result<(), ConfigError> {
    let config = Config {
        ice_servers,
        ..Config::default()
    };
    let address = Address::Owner(PeerId::from_bytes([1; 32]));
    let token = Token::from_random([7; 20]);
    Endpoint::new(&config, &address, &token, [0; 32], Moment::START).map(|_| ())
}

fn turn(username: Option<&str>, credential: Option<&str>) -> IceServer {
    IceServer {
        urls: vec!["turn:turn.example.org".into()],
        username: username.map(str::to_owned),
        credential: credential.map(str::to_owned),
    }
}

#[test]
fn servers_that_browsers_take_are_taken() {
    for url in [
        "stun:stun.l.google.com:19302",
        "stuns:example.org",
        "STUN:192.0.2.1:3478",
        "stun:[2001:db8::1]",
        "stun:[2001:db8::1]:3478",
    ] {
        assert_eq!(opened(vec![IceServer::new(url)]), Ok(()), "{url}");
    }
    for url in [
        "turns:example.org:443?transport=tcp",
        "turn:a?transport=udp",
    ] {
        let server = IceServer {
            urls: vec![url.into()],
            ..turn(Some("u"), Some("c"))
        };
        assert_eq!(opened(vec![server]), Ok(()), "{url}");
    }
    assert_eq!(opened(Vec::new()), Ok(()));
}

#[test]
fn a_server_without_an_address_or_a_credential_is_named() {
    let none = IceServer {
        urls: Vec::new(),
        ..turn(None, None)
    };
    for (server, field, fault) in [
        (none, "urls", IceFault::NoUrls),
        (turn(None, Some("c")), "username", IceFault::Missing),
        (turn(Some(""), Some("c")), "username", IceFault::Missing),
        (turn(Some("u"), None), "credential", IceFault::Missing),
        (turn(Some("u"), Some("")), "credential", IceFault::Missing),
    ] {
        let error = opened(vec![IceServer::new("stun:a"), server]).err();
        let expected = ConfigError::IceServer {
            index: 1,
            field,
            fault,
        };
        assert_eq!(error, Some(expected));
    }
    let error = opened(vec![turn(Some("u"), None)]).err();
    assert_eq!(
        error.map(|error| error.to_string()).as_deref(),
        Some(
            "invalid ICE server: iceServers[0].credential: a TURN server needs it, as text that is \
             not empty"
        )
    );
}

#[test]
fn an_address_that_is_none_is_named() {
    let fault = |url: &str| match opened(vec![IceServer::new(url)]) {
        Err(ConfigError::IceServer { fault, .. }) => Some(fault),
        Ok(()) | Err(_) => None,
    };
    for url in ["", "example.org", "http://example.org", "stn:example.org"] {
        assert_eq!(fault(url), Some(IceFault::Scheme(url.into())));
    }
    for url in [
        "stun:",
        "stun://example.org",
        "stun:a b",
        "stun:a:",
        "stun:a:0",
        "stun:a:65536",
        "stun:a:+1",
        "stun:a:1:2",
        "stun:[::1",
        "stun:[::1]x",
        "stun:[zz]",
        "stun:a?transport=udp",
        "turn:a?transport=sctp",
    ] {
        assert_eq!(fault(url), Some(IceFault::Malformed(url.into())), "{url}");
    }
}

#[test]
fn a_list_is_read_as_a_page_gives_it_to_webrtc() {
    let read = |json: &str| IceServer::read_list(&serde_json::from_str(json).unwrap());
    let servers = read(
        r#"[{"urls": ["turn:a", "turn:b"], "username": "u", "credential": "c"}, {"urls": "stun:d"}]"#,
    );
    let servers = servers.unwrap();
    assert_eq!(servers[0].urls, ["turn:a", "turn:b"]);
    assert_eq!(servers[0].credential.as_deref(), Some("c"));
    assert_eq!(servers[1], IceServer::new("stun:d"));
    assert_eq!(read("[]"), Ok(vec![]));

    for json in ["{}", "\"none\"", "null", "[\"stun:x\"]", "[7]"] {
        assert_eq!(read(json), Err(ConfigError::IceServers), "{json}");
    }
    for (json, index, field, fault) in [
        (r#"[{"url": "stun:x"}]"#, 0, "urls", IceFault::NoUrls),
        (r#"[{"urls": 7}]"#, 0, "urls", IceFault::NoUrls),
        (r#"[{"urls": ["stun:x", 7]}]"#, 0, "urls", IceFault::NoUrls),
        (
            r#"[{"urls": "stun:x"}, {"urls": "turn:x"}]"#,
            1,
            "username",
            IceFault::Missing,
        ),
        (
            r#"[{"urls": "turn:x", "username": "u", "credential": 1234}]"#,
            0,
            "credential",
            IceFault::NotText,
        ),
    ] {
        let wrong = ConfigError::IceServer {
            index,
            field,
            fault,
        };
        assert_eq!(read(json), Err(wrong), "{json}");
    }
}
