//! The identity of a store's user.

use std::fmt;

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use hustings_protocol::{DeviceId, PeerId};

#[cfg(target_family = "wasm")]
use crate::Listed;
use crate::keys::{self, Fields, Key, corrupt, misplaced, unknown_key};
use crate::seal::{self, Unsealed};
use crate::{Batch, Durability, Store, StoreError};

/// The length of a token in characters: 130 bits.
pub(crate) const TOKEN_LEN: usize = 26;

/// The characters of a token. A PeerServer gets it unescaped in a URL, so letters and digits only.
const TOKEN_ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The text that [`Identity::from_seed`] signs to make a token that only the holder of the key can
/// know.
const TOKEN_CONTEXT: &[u8] = b"hustings/outbox/token-from-seed";

/// A person's key, and the device that acts for them.
///
/// There is one key and one token for each store, and one device for each slot (the tabs of a
/// browser have a slot each; natively there is slot 0). The secret leaves this type only through
/// [`signing_key`](Identity::signing_key); `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    signing_key: SigningKey,
    device: DeviceId,
    token: String,
}

impl Identity {
    /// Reads the identity of a slot. Missing parts are made, and committed
    /// [`Strict`](Durability::Strict)ly before this returns.
    ///
    /// Two callers that run this at the same time on a new store (two tabs of a browser that opens
    /// them together) get the same identity: the second reads what the first has made.
    ///
    /// # Errors
    ///
    /// The store's own errors, [`StoreError::Corrupt`] for a damaged record, and [`StoreError::Io`]
    /// if the platform gives no random bytes.
    pub async fn load_or_create(store: &impl Store, slot: u32) -> Result<Self, StoreError> {
        // Once for the key and once for the device: what somebody else has made stays.
        for _ in 0..2 {
            match Self::load_or_try_to_create(store, slot).await {
                Err(StoreError::Unmet(_)) => {}
                done => return done,
            }
        }
        Self::load_or_try_to_create(store, slot).await
    }

    /// Fails with [`StoreError::Unmet`] if somebody else makes what is missing meanwhile.
    async fn load_or_try_to_create(store: &impl Store, slot: u32) -> Result<Self, StoreError> {
        let stored = Stored::read(store).await?;
        let mut batch = Batch::new();
        let (signing_key, token) = match stored.key {
            Some(key) => key,
            None => {
                let place = Key::new(keys::IDENTITY);
                refuse_misplaced(store, &place.clone().bytes(), "the identity").await?;
                batch.require(place.clone().bytes(), None);
                let signing_key = SigningKey::from_bytes(&random()?);
                let token = token_from(&random()?);
                put_key(&mut batch, &signing_key, &token);
                (signing_key, token)
            }
        };
        let device = match stored.devices.iter().find(|(of, _)| *of == slot) {
            Some((_, value)) => read_device(slot, value)?,
            None => {
                let place = Key::new(keys::IDENTITY).slot(slot);
                let name = format!("the device of slot {slot}");
                refuse_misplaced(store, &place.clone().bytes(), &name).await?;
                batch.require(place.clone().bytes(), None);
                let device = DeviceId::from_bytes(random()?);
                seal::put(&mut batch, place, device.as_bytes());
                device
            }
        };
        if !batch.is_empty() {
            store.commit(batch, Durability::Strict).await?;
        }
        Ok(Self {
            signing_key,
            device,
            token,
        })
    }

    /// The identity of this seed, for tests and demos: the same seed gives the same key and token.
    #[must_use]
    pub fn from_seed(seed: [u8; 32], device: DeviceId) -> Self {
        let signing_key = SigningKey::from_bytes(&seed);
        let signature = signing_key.sign(TOKEN_CONTEXT).to_bytes();
        let (bytes, _) = signature
            .split_first_chunk()
            .expect("a signature is longer than a token");
        Self {
            token: token_from(bytes),
            signing_key,
            device,
        }
    }

    /// The devices of a store and the slot of each.
    ///
    /// # Errors
    ///
    /// The store's own errors, and [`StoreError::Corrupt`] for a damaged key.
    #[cfg(target_family = "wasm")]
    pub(crate) async fn slots(store: &impl Store) -> Result<Listed<(u32, DeviceId)>, StoreError> {
        let mut listed = Listed::default();
        for (slot, value) in Stored::read(store).await?.devices {
            match read_device(slot, &value) {
                Ok(device) => listed.found.push((slot, device)),
                Err(error) => {
                    let key = Key::new(keys::IDENTITY).slot(slot).bytes();
                    listed.damage(&key, error);
                }
            }
        }
        Ok(listed)
    }

    /// The person's id: the public half of the key.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        PeerId::from_bytes(self.signing_key.verifying_key().to_bytes())
    }

    /// The device of this slot.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// The key that proves the identity. Anybody who has it is this person.
    #[must_use]
    pub const fn signing_key(&self) -> &SigningKey {
        &self.signing_key
    }

    /// The token that reclaims this identity's address from a signalling server after a reload: 26
    /// lower-case letters and digits, which need no escaping in a URL. The server sees it; nobody
    /// else should.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("peer_id", &self.peer_id())
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// The part of an identity that is exported: all but the devices.
#[cfg(feature = "export")]
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) signing_key: SigningKey,
    pub(crate) token: String,
}

#[cfg(feature = "export")]
impl Secret {
    /// The secret of this key; `None` if the token is not one.
    pub(crate) fn new(key: &[u8; 32], token: &str) -> Option<Self> {
        let is_token =
            token.len() == TOKEN_LEN && token.bytes().all(|c| TOKEN_ALPHABET.contains(&c));
        is_token.then(|| Self {
            signing_key: SigningKey::from_bytes(key),
            token: token.to_owned(),
        })
    }

    pub(crate) async fn read(store: &impl Store) -> Result<Option<Self>, StoreError> {
        let key = Stored::read(store).await?.key;
        Ok(key.map(|(signing_key, token)| Self { signing_key, token }))
    }

    /// Makes it the store's, in place of any other. The devices stay: nobody has heard of them.
    pub(crate) fn put(&self, batch: &mut Batch) {
        put_key(batch, &self.signing_key, &self.token);
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        PeerId::from_bytes(self.signing_key.verifying_key().to_bytes())
    }
}

/// The stored parts of an identity.
struct Stored {
    key: Option<(SigningKey, String)>,
    /// The devices by slot, in order, still as bytes: a damaged one is an error only for its own
    /// slot.
    devices: Vec<(u32, Bytes)>,
}

impl Stored {
    async fn read(store: &impl Store) -> Result<Self, StoreError> {
        let mut stored = Self {
            key: None,
            devices: Vec::new(),
        };
        // The key's record comes first: its store key is a prefix of those of the slots.
        let range = Key::new(keys::IDENTITY).prefix_range();
        for (key, value) in store.scan(range).await? {
            let mut fields = Fields::after(&key, 1);
            if fields.is_empty() {
                stored.key = Some(read_key(&key, &value)?);
                continue;
            }
            let (Some(slot), true) = (fields.slot(), fields.is_empty()) else {
                return Err(unknown_key("the identity", &key));
            };
            // A new key for old devices would be a new person in the middle of old commands.
            if stored.key.is_none() {
                return Err(corrupt("the identity", "the key is missing"));
            }
            stored.devices.push((slot, value));
        }
        Ok(stored)
    }
}

fn put_key(batch: &mut Batch, signing_key: &SigningKey, token: &str) {
    let mut value = signing_key.to_bytes().to_vec();
    value.extend_from_slice(token.as_bytes());
    seal::put(batch, Key::new(keys::IDENTITY), &value);
}

fn read_key(key: &[u8], value: &Bytes) -> Result<(SigningKey, String), StoreError> {
    let damaged = |reason| corrupt("the identity", reason);
    let value = seal::open(key, value, Unsealed::Len(32 + TOKEN_LEN)).map_err(damaged)?;
    let (seed, token) = value
        .split_first_chunk::<32>()
        .ok_or_else(|| damaged("the key is too short"))?;
    match std::str::from_utf8(token) {
        Ok(text) if text.len() == TOKEN_LEN && token.iter().all(|c| TOKEN_ALPHABET.contains(c)) => {
            Ok((SigningKey::from_bytes(seed), text.to_owned()))
        }
        Ok(_) | Err(_) => Err(damaged("the token is invalid")),
    }
}

fn read_device(slot: u32, value: &Bytes) -> Result<DeviceId, StoreError> {
    let damaged = |reason| corrupt(format_args!("the device of slot {slot}"), reason);
    let key = Key::new(keys::IDENTITY).slot(slot).bytes();
    let value = seal::open(&key, value, Unsealed::Len(5)).map_err(damaged)?;
    <[u8; 5]>::try_from(value.as_ref())
        .map(DeviceId::from_bytes)
        .map_err(|_| damaged("a device id must have 5 bytes"))
}

/// A part that is missing is not made anew while it stands under another key: that would be another
/// person, or a device whose commands nobody delivers.
async fn refuse_misplaced(store: &impl Store, own: &[u8], name: &str) -> Result<(), StoreError> {
    match seal::find_misplaced(store, own).await? {
        Some(key) => Err(misplaced(name, &key)),
        None => Ok(()),
    }
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| StoreError::Io(format!("no random bytes: {error}")))?;
    Ok(bytes)
}

fn token_from(bytes: &[u8; TOKEN_LEN]) -> String {
    bytes
        .iter()
        .map(|byte| char::from(TOKEN_ALPHABET[usize::from(byte & 31)]))
        .collect()
}
