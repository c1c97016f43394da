//! Names and passwords that are computed, in coturn's REST scheme: the name says until when it is
//! good and for whom, and the password is a hash of both with the secret.

use std::fmt;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use turn_types::stun::message::{IntegrityAlgorithm, IntegrityKey, LongTermCredentials};

use super::config::Secret;

/// The realm of the credentials, which is part of what they sign with.
pub(crate) const REALM: &str = "hustings";

/// Credentials as a peer is handed them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) username: String,
    pub(crate) password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl Credentials {
    /// Those of a peer, good until this second since 1970.
    pub(crate) fn new(secret: &Secret, peer: &str, until: u64) -> Self {
        let username = format!("{until}:{peer}");
        let password = password(secret, &username);
        Self { username, password }
    }
}

fn password(secret: &Secret, username: &str) -> String {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC has keys of any length");
    mac.update(username.as_bytes());
    BASE64.encode(&mac.finalize().into_bytes())
}

/// The reason why a name is good for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is not one of those that are handed out.
    Malformed,
    /// Its time is over.
    Expired,
}

/// A name as it is read. That it is somebody's is shown by a signature with the key alone.
pub(crate) struct Claim {
    /// The peer whose name it is.
    pub(crate) peer: String,
    /// The key that whoever was handed the name signs with.
    pub(crate) key: IntegrityKey,
}

/// Reads a name at this second since 1970.
pub(crate) fn read(secret: &Secret, username: &str, now: u64) -> Result<Claim, Unfit> {
    let (until, peer) = username.split_once(':').ok_or(Unfit::Malformed)?;
    let until: u64 = until.parse().map_err(|_| Unfit::Malformed)?;
    if !crate::wire::is_peer_id(peer) {
        return Err(Unfit::Malformed);
    }
    if until <= now {
        return Err(Unfit::Expired);
    }
    let peer = peer.to_owned();
    let password = password(secret, username);
    let credentials = LongTermCredentials::new(username.to_owned(), password);
    let key = credentials
        .to_key(REALM.to_owned())
        .make_key(IntegrityAlgorithm::Sha1);
    Ok(Claim { peer, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::new("north").expect("it is one")
    }

    #[test]
    fn the_password_is_coturns() {
        // `echo -n 1433895918:user | openssl dgst -sha1 -hmac north -binary | base64`
        let credentials = Credentials::new(&secret(), "user", 1_433_895_918);
        assert_eq!(credentials.username, "1433895918:user");
        assert_eq!(credentials.password, EXPECTED);
        assert!(!format!("{credentials:?}").contains(EXPECTED));
    }

    const EXPECTED: &str = "/gk4t5tUc08OpM3NjrVjHSFVNmY=";

    #[test]
    fn a_name_is_good_until_its_time() {
        let of = |name: &str, now| read(&secret(), name, now).map(|claim| claim.peer);
        assert_eq!(of("100:ab-1", 99), Ok("ab-1".into()));
        assert_eq!(of("100:ab-1", 100), Err(Unfit::Expired));
        for name in ["", "100", "x:ab", "-1:ab", "100:", "100:a:b", "100:é"] {
            assert_eq!(of(name, 1), Err(Unfit::Malformed), "{name}");
        }
    }
}
