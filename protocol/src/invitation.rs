//! Invitations: one-time secrets, each of which makes a voter of the first person that redeems it.
//!
//! The secret is in the link that one person is given. An owner keeps its [id](InvitationId), which
//! is a hash of it: whoever reads an owner's journal cannot vote with it.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha512};

use crate::PollId;
use crate::ids::{IdError, base32_id, decode_base32, encode_base32};
use crate::strict::Word;

base32_id! {
    /// The id of an invitation: 128 bits of SHA-512 over the poll and the secret, written as 26
    /// characters of lower-case base32.
    InvitationId, 16, 26, "an invitation's id"
}

/// The secret of an invitation: 128 random bits, written as 26 characters of lower-case base32.
///
/// Its text form is for the link of the person who is invited. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InvitationSecret([u8; 16]);

impl InvitationSecret {
    /// The length of the text form, in characters.
    pub const TEXT_LEN: usize = 26;

    /// The secret of these bytes, which must come from a source of randomness for keys.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The id that its poll knows it by.
    #[must_use]
    pub fn id(&self, poll_id: PollId) -> InvitationId {
        // The label and both parts have fixed lengths, so no two of them run together to the same
        // bytes.
        let hash = Sha512::new()
            .chain_update(b"hustings/2/invitation")
            .chain_update(poll_id.as_uuid().as_bytes())
            .chain_update(self.0)
            .finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        InvitationId::from_bytes(id)
    }
}

impl fmt::Display for InvitationSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(encode_base32(&self.0, &mut [0; Self::TEXT_LEN]))
    }
}

impl fmt::Debug for InvitationSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvitationSecret(..)")
    }
}

impl FromStr for InvitationSecret {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let kind = "an invitation";
        if text.len() != Self::TEXT_LEN {
            return Err(IdError::Length {
                kind,
                expected: Self::TEXT_LEN,
                actual: text.len(),
            });
        }
        let mut bytes = [0; 16];
        decode_base32(text, &mut bytes, &mut [0; Self::TEXT_LEN])
            .map(|()| Self(bytes))
            .ok_or(IdError::Alphabet {
                kind,
                alphabet: "lower-case base32",
            })
    }
}

impl Serialize for InvitationSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InvitationSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Word(text) = Word::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}
