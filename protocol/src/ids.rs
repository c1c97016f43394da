//! Ids: the names of things, each with one text form.
//!
//! An id has exactly one spelling; a text that does not round-trip to the same characters is
//! refused. With two spellings, one thing could have two map keys, two addresses or two signatures.

mod base32;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

pub(crate) use self::base32::{decode_base32, encode_base32};

/// The order of bytes. Nearly always the first few decide it, and no function is called for these.
pub(crate) fn compare<const N: usize>(one: &[u8; N], other: &[u8; N]) -> Ordering {
    let start = |bytes: &[u8; N]| bytes.first_chunk().copied().map(u64::from_be_bytes);
    start(one).cmp(&start(other)).then_with(|| one.cmp(other))
}

/// The reason why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text has the wrong length.
    #[error("{kind} must have {expected} characters, not {actual}")]
    Length {
        /// The expected kind of id.
        kind: &'static str,
        /// The number of characters that every id of this kind has.
        expected: usize,
        /// The number of characters of the text.
        actual: usize,
    },
    /// A character is outside the alphabet, or the text is not the canonical spelling.
    #[error("{kind} must be {alphabet}")]
    Alphabet {
        /// The expected kind of id.
        kind: &'static str,
        /// The alphabet or the form in which it is written.
        alphabet: &'static str,
    },
    /// A separator between the parts is missing.
    #[error("{kind} must have the form {form}")]
    Form {
        /// The expected kind of id.
        kind: &'static str,
        /// The form in which it is written.
        form: &'static str,
    },
}

/// Serde, `Display` and `Debug` of an id that is text outside and bytes inside.
macro_rules! text_id {
    ($name:ident, $kind:literal) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.with_text(|text| f.write_str(text))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.with_text(|text| serializer.serialize_str(text))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($kind)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Visitor)
            }
        }
    };
}

/// An id of `N` bytes, written as `$chars` characters of base32.
macro_rules! base32_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $chars:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; $bytes]);

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                $crate::ids::compare(&self.0, &other.0)
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// The length of the text form, in characters.
            pub const TEXT_LEN: usize = $chars;

            /// The id with these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The bytes of the id.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// Runs `then` on the text form, which needs no allocation.
            pub(crate) fn with_text<R>(&self, then: impl FnOnce(&str) -> R) -> R {
                then($crate::ids::encode_base32(&self.0, &mut [0; $chars]))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::IdError;

            fn from_str(text: &str) -> Result<Self, $crate::IdError> {
                if text.len() != $chars {
                    return Err($crate::IdError::Length {
                        kind: $kind,
                        expected: $chars,
                        actual: text.len(),
                    });
                }
                let mut bytes = [0; $bytes];
                $crate::ids::decode_base32(text, &mut bytes)
                    .map(|()| Self(bytes))
                    .ok_or($crate::IdError::Alphabet {
                        kind: $kind,
                        alphabet: "lower-case base32",
                    })
            }
        }

        $crate::ids::text_id!($name, $kind);
    };
}

pub(crate) use {base32_id, text_id};

base32_id! {
    /// A person's identity: an Ed25519 public key, written as 52 characters of lower-case base32.
    ///
    /// It is durable and, for an owner, it is the PeerJS id that participants dial. It is only a
    /// *claim* until the handshake has shown that the other side holds the key: any 32 bytes make a
    /// `PeerId`, and only [`handshake::verify`](crate::handshake) proves one.
    PeerId, 32, 52, "a peer id"
}

base32_id! {
    /// One installation, or one browser tab slot, of an identity: 8 characters of base32.
    DeviceId, 5, 8, "a device id"
}

/// A UUID, written in the hyphenated lower-case form and no other.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The length of the text form, in characters.
            pub const TEXT_LEN: usize = 36;

            /// The id of this UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID of this id.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// Runs `then` on the text form, which needs no allocation.
            pub(crate) fn with_text<R>(&self, then: impl FnOnce(&str) -> R) -> R {
                then(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if text.len() != Self::TEXT_LEN {
                    return Err(IdError::Length {
                        kind: $kind,
                        expected: Self::TEXT_LEN,
                        actual: text.len(),
                    });
                }
                // Uuid's own parser also takes upper case; one id has one spelling here.
                match Uuid::try_parse(text) {
                    Ok(uuid) if !text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                        Ok(Self(uuid))
                    }
                    Ok(_) | Err(_) => Err(IdError::Alphabet {
                        kind: $kind,
                        alphabet: "a lower-case hyphenated UUID",
                    }),
                }
            }
        }

        text_id!($name, $kind);
    };
}

uuid_id! {
    /// A poll. A poll is a room.
    PollId, "a poll id"
}

uuid_id! {
    /// One option of a poll. The person who adds the option makes the id at random, so two people
    /// who add one at the same moment never make the same id.
    OptionId, "an option id"
}

uuid_id! {
    /// One command, named by its sender (UUID v7).
    CommandId, "a command id"
}

impl CommandId {
    /// A command id (UUID v7) of a time, in milliseconds since 1970, and ten random bytes. The
    /// caller supplies both.
    #[must_use]
    pub fn new(unix_millis: u64, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(unix_millis, &random).into_uuid())
    }
}

/// A room: one poll of one owner. Its text, `<owner PeerId>/<PollId>`, is the *room link* that
/// people share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId {
    /// The owner of the poll, whose address a participant dials.
    pub owner: PeerId,
    /// The owner's poll.
    pub poll_id: PollId,
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.poll_id)
    }
}

impl FromStr for RoomId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (owner, poll_id) = text.split_once('/').ok_or(IdError::Form {
            kind: "a room link",
            form: "<owner's peer id>/<poll id>",
        })?;
        Ok(Self {
            owner: owner.parse()?,
            poll_id: poll_id.parse()?,
        })
    }
}

/// An address that a transport dials.
///
/// An owner's address is exactly its [`PeerId`]; a participant's is `<PeerId>-<DeviceId>`, so that
/// two devices or tabs of one person never fight for one address. Both fit PeerJS's rule for ids,
/// `^[A-Za-z0-9]+(?:[ _-][A-Za-z0-9]+)*$`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// The address of an owner, at which all of its polls are.
    Owner(PeerId),
    /// The address of one device of a participant.
    Participant(PeerId, DeviceId),
}

impl Address {
    /// The person who claims to be at this address. The transport proves nothing; the handshake
    /// does.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        match self {
            Self::Owner(peer) | Self::Participant(peer, _) => *peer,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner(peer) => peer.fmt(f),
            Self::Participant(peer, device) => write!(f, "{peer}-{device}"),
        }
    }
}

impl FromStr for Address {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.split_once('-') {
            None => text.parse().map(Self::Owner),
            Some((peer, device)) => Ok(Self::Participant(peer.parse()?, device.parse()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_order_of_their_bytes() {
        let of = |at: usize, byte: u8| {
            let mut bytes = [7; 32];
            bytes[at] = byte;
            bytes
        };
        for one in (0..32).flat_map(|at| [of(at, 6), of(at, 7), of(at, 0x80)]) {
            for other in (0..32).flat_map(|at| [of(at, 6), of(at, 7), of(at, 0x80)]) {
                let ids = (PeerId::from_bytes(one), PeerId::from_bytes(other));
                assert_eq!(ids.0.cmp(&ids.1), one.cmp(&other));
                assert_eq!(ids.0 < ids.1, one < other);
            }
        }
    }
}
