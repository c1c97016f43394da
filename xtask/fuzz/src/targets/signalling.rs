//! Anything from a signalling server, a WebRTC stack and a peer's channel at an endpoint.

use std::time::Duration;

use bytes::Bytes;
use hustings_protocol::Address;
use hustings_room::transport::TransportEvent;
use hustings_room::{LinkId, Moment};
use hustings_transport_peerjs::wire::{
    ChannelKind, ChannelMessage, Endpoint, Fingerprint, FromServer, IceCandidate, Output,
    RtcAction, RtcId, RtcState, SocketId, is_peer_id,
};
use hustings_transport_peerjs::{Config, Token};

use crate::input::Input;
use crate::people::peer;

const MAX_STEPS: usize = 200;

pub(super) fn run(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    if let Err(error) = FromServer::decode(text, Config::default().limits.max_signal_bytes) {
        assert!(
            error.to_string().len() < 2_000,
            "{} bytes of reasons",
            error.to_string().len()
        );
    }
    let _ = Fingerprint::of(text).map_err(|error| error.to_string());
    let _ = is_peer_id(text);

    let (first, again) = (Run::of(bytes), Run::of(bytes));
    assert_eq!(
        first.outputs, again.outputs,
        "the same inputs, other outputs"
    );
}

fn sdp(number: u8) -> String {
    let hex = vec![format!("{number:02X}"); 32].join(":");
    format!(
        "v=0\r\na=fingerprint:sha-256 {hex}\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
         a=setup:actpass\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef012345\r\n"
    )
}

struct Run {
    endpoint: Endpoint,
    now: Moment,
    socket: Option<SocketId>,
    rtcs: Vec<RtcId>,
    links: Vec<LinkId>,
    connection_ids: Vec<String>,
    outputs: Vec<String>,
}

impl Run {
    fn of(bytes: &[u8]) -> Self {
        let token = Token::new("t").unwrap();
        let me = Address::Owner(peer(9));
        let endpoint = Endpoint::new(&Config::default(), &me, &token, [3; 32], Moment::START);
        let mut run = Self {
            endpoint: endpoint.unwrap(),
            now: Moment::START,
            socket: None,
            rtcs: Vec::new(),
            links: Vec::new(),
            connection_ids: Vec::new(),
            outputs: Vec::new(),
        };
        run.drain();
        let mut input = Input::new(bytes);
        for _ in 0..MAX_STEPS {
            if input.is_empty() {
                break;
            }
            run.step(&mut input);
            run.drain();
        }
        run
    }

    fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match &output {
                Output::OpenSocket { socket, .. } => self.socket = Some(*socket),
                Output::SendSocket { text, .. } => {
                    let at = text.find("\"connectionId\":\"").map(|at| at + 16);
                    let id = at.and_then(|at| text[at..].split('"').next());
                    self.connection_ids.extend(id.map(str::to_owned));
                }
                Output::Rtc {
                    rtc,
                    action: RtcAction::CreateOffer { .. } | RtcAction::CreateAnswer { .. },
                } => self.rtcs.push(*rtc),
                Output::Event(TransportEvent::LinkUp { link, .. }) if link.is_accepted() => {
                    self.links.push(*link);
                }
                _ => {}
            }
            self.outputs.push(format!("{output:?}"));
        }
        let limits = Config::default().limits;
        assert!(
            self.endpoint.connections() <= limits.max_incoming + self.links.len() + 64,
            "{} connections",
            self.endpoint.connections()
        );
    }

    /// A message of a server, more or less.
    fn text(&self, input: &mut Input<'_>) -> String {
        let src = Address::Owner(peer(input.byte() % 4)).to_string();
        let which = input.byte();
        let new = format!("c{which}");
        let id = input.pick(&self.connection_ids).unwrap_or(&new);
        let sdp = sdp(which).replace("\r\n", "\\r\\n");
        match input.below(8) {
            0 => r#"{"type":"OPEN"}"#.to_owned(),
            1 => r#"{"type":"ID-TAKEN"}"#.to_owned(),
            2 => r#"{"type":"ERROR","payload":{"msg":"hm"}}"#.to_owned(),
            3 => format!(r#"{{"type":"EXPIRE","src":"{src}"}}"#),
            4 => format!(r#"{{"type":"LEAVE","src":"{src}"}}"#),
            5 => {
                let serialization = ["raw", "json", "binary"][usize::from(which) % 3];
                format!(
                    r#"{{"type":"OFFER","src":"{src}","payload":{{"sdp":{{"type":"offer","sdp":"{sdp}"}},"type":"data","connectionId":"{new}","reliable":true,"serialization":"{serialization}"}}}}"#
                )
            }
            6 => format!(
                r#"{{"type":"ANSWER","src":"{src}","payload":{{"sdp":{{"type":"answer","sdp":"{sdp}"}},"connectionId":"{id}"}}}}"#
            ),
            _ => format!(
                r#"{{"type":"CANDIDATE","src":"{src}","payload":{{"candidate":{{"candidate":"x"}},"connectionId":"{id}"}}}}"#
            ),
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let now = self.now;
        let choice = input.below(16);
        let rtc = input.pick(&self.rtcs).copied();
        let link = input.pick(&self.links).copied();
        match (choice, self.socket, rtc, link) {
            (0, Some(socket), _, _) => self.endpoint.handle_socket_open(socket, now),
            (1, Some(socket), _, _) => {
                // Another has taken the address, or the line was cut.
                let code = (input.byte() % 2 == 1).then_some(4001);
                self.endpoint.handle_socket_closed(socket, code, now);
            }
            (2 | 3, Some(socket), _, _) => {
                let text = self.text(input);
                let text = input.altered(text.as_bytes());
                let text = String::from_utf8_lossy(&text);
                self.endpoint.handle_socket_text(socket, &text, now);
            }
            (4, Some(socket), _, _) => {
                let text = String::from_utf8_lossy(input.some());
                self.endpoint.handle_socket_text(socket, &text, now);
            }
            (5, _, _, _) => {
                let link = LinkId::dialled(self.links.len() as u64);
                self.links.push(link);
                self.endpoint
                    .dial(link, &Address::Owner(peer(input.byte() % 4)), now);
            }
            (6, _, _, Some(link)) => self.endpoint.hangup(link, now),
            (7, _, _, Some(link)) => {
                let frame = Bytes::from(vec![b'x'; usize::from(input.number())]);
                self.endpoint.send(link, frame, now);
            }
            (8, _, Some(rtc), _) => {
                let sdp = input.altered(sdp(input.clone().byte()).as_bytes());
                let sdp = String::from_utf8_lossy(&sdp).into_owned();
                self.endpoint.handle_description(rtc, sdp, now);
            }
            (9, _, Some(rtc), _) => {
                let candidate = IceCandidate {
                    candidate: String::from_utf8_lossy(input.some()).into_owned(),
                    sdp_mid: None,
                    sdp_m_line_index: Some(u16::from(input.byte())),
                    username_fragment: None,
                };
                self.endpoint.handle_candidate(rtc, candidate, now);
            }
            (10, _, Some(rtc), _) => {
                use RtcState::{Closed, Connected, Connecting, Disconnected, Failed, New};
                let states = [New, Connecting, Connected, Disconnected, Failed, Closed];
                self.endpoint.handle_state(rtc, states[input.below(6)], now);
            }
            (11, _, Some(rtc), _) => {
                let kind = ChannelKind {
                    ordered: input.below(8) != 7,
                    ..ChannelKind::RELIABLE
                };
                self.endpoint.handle_channel(rtc, kind, now);
            }
            (12, _, Some(rtc), _) => self.endpoint.handle_channel_open(rtc, now),
            (13, _, Some(rtc), _) => {
                let message = Bytes::copy_from_slice(input.some());
                let message = match String::from_utf8(message.to_vec()) {
                    Ok(text) if input.below(4) == 3 => ChannelMessage::Text(text),
                    _ => ChannelMessage::Binary(message),
                };
                self.endpoint.handle_message(rtc, message, now);
            }
            (14, _, Some(rtc), _) => match input.below(3) {
                0 => self.endpoint.handle_channel_closed(rtc, now),
                1 => self.endpoint.handle_failure(rtc, "broken", now),
                _ => {
                    let bytes = usize::from(input.number()) * 64;
                    self.endpoint.handle_buffered(rtc, bytes, now);
                }
            },
            (15, _, _, _) if input.below(8) == 7 => self.endpoint.claim(now),
            _ => {
                self.now = now + Duration::from_millis(u64::from(input.number()));
                self.endpoint.handle_timeout(self.now);
            }
        }
    }
}
