//! The types of messages, and their words on the wire.

use std::fmt;

use crate::CommandKind;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// The `type` of a message.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            /// A command, on its way to the owner or relayed by it.
            Command(CommandKind),
            $($(#[$doc])* $variant,)*
        }

        impl Kind {
            /// Every type.
            pub fn all() -> impl Iterator<Item = Self> {
                let commands = CommandKind::ALL.iter().copied().map(Self::Command);
                commands.chain([$(Self::$variant,)*])
            }

            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::Command(kind) => kind.as_str(),
                    $(Self::$variant => $word,)*
                }
            }

            /// The type with this word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => CommandKind::from_word(word).map(Self::Command),
                }
            }
        }
    };
}

kinds! {
    /// The whole poll.
    PollState = "poll:state",
    /// The votes since the last message, counted.
    PollTally = "poll:tally",
    /// The list of the people who are here, or of those who came and went.
    PeerDiscovery = "peer:discovery",
    /// A command was applied.
    Ack = "ack",
    /// A command was rejected, or something else was wrong.
    Error = "error",
    /// A participant is behind.
    SyncRequest = "sync:request",
    /// Handshake: the participant's greeting.
    AuthHello = "auth:hello",
    /// Handshake: the owner's proof and challenge.
    AuthChallenge = "auth:challenge",
    /// Handshake: the participant's proof.
    AuthProof = "auth:proof",
    /// A request for a `pong`.
    Ping = "ping",
    /// The answer to a `ping`.
    Pong = "pong",
}

impl Kind {
    /// True if messages of this type carry a command.
    #[must_use]
    pub const fn is_command(self) -> bool {
        matches!(self, Self::Command(_))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
