//! STUN and TURN servers that the signalling server hands out.
//!
//! That is an extension of PeerServer's protocol: a client says in its URL that it takes them, and a
//! server that knows what this means and has some sends them before it says OPEN, on the registered
//! socket and no other. A client that was sent some asks for new ones before they are over. Other
//! servers ignore the word in the URL, and are asked for nothing.

/// The word in a socket's URL, by its name and its value.
pub(crate) const PARAMETER: (&str, &str) = ("ice", "1");

/// The type of the server's message with the servers, and of the client's that asks for it.
pub(crate) const ICE: &str = "HUSTINGS-ICE";
