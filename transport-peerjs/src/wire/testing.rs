//! Session descriptions for the tests, of the shape that browsers write.

/// Bytes as `AA:BB:…`.
pub(crate) fn hex(bytes: [u8; 32]) -> String {
    bytes.map(|byte| format!("{byte:02X}")).join(":")
}

/// A description as Chromium writes it: the fingerprint is the medium's.
pub(crate) fn chromium_sdp(fingerprint: [u8; 32]) -> String {
    [
        "v=0",
        "o=- 4611732953713640423 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:qX2c",
        "a=ice-pwd:n0tAr3alPassw0rd0fAnyb0dy",
        "a=ice-options:trickle",
        &format!("a=fingerprint:sha-256 {}", hex(fingerprint)),
        "a=setup:actpass",
        "a=mid:0",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        "",
    ]
    .join("\r\n")
}

/// A description as Firefox writes it: the fingerprint is the session's.
pub(crate) fn firefox_sdp(fingerprint: [u8; 32]) -> String {
    [
        "v=0",
        "o=mozilla...THIS_IS_SDPARTA-99.0 3141592653589793238 0 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        &format!("a=fingerprint:sha-256 {}", hex(fingerprint)),
        "a=group:BUNDLE 0",
        "a=ice-options:trickle",
        "a=msid-semantic:WMS *",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=sendrecv",
        "a=ice-pwd:0123456789abcdef0123456789abcdef",
        "a=ice-ufrag:0a1b2c3d",
        "a=mid:0",
        "a=setup:actpass",
        "a=sctp-port:5000",
        "a=max-message-size:1073741823",
        "",
    ]
    .join("\r\n")
}
