//! The `age` file format, version 1, with a passphrase: <https://age-encryption.org/v1>.
//!
//! | bytes | contents |
//! |---|---|
//! | header | `age-encryption.org/v1`, one `scrypt` stanza with the file key, and a MAC, as text |
//! | 16 | nonce |
//! | the rest | chunks of 64 KiB, each with a tag; the nonce of each says whether it is the last |
//!
//! Any tool that reads `age` opens such a file. The crate of that name would bring 140 others and
//! 240 KB into a page; of the format only this part is needed.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::base64;
use super::{Passphrase, ReadError, WorkFactor};

/// The first line of every file of the format.
const INTRO: &[u8] = b"age-encryption.org/v1\n";
/// The line before the wrapped file key, up to its arguments.
const STANZA: &[u8] = b"-> scrypt ";
/// The line with the MAC, up to it.
const MAC: &[u8] = b"--- ";
/// The text before the salt.
const SALT_LABEL: &[u8] = b"age-encryption.org/v1/scrypt";
/// Plain bytes of every chunk but the last.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;

type Key = Zeroizing<[u8; 32]>;

/// The random parts of one file.
pub(super) struct Random {
    pub(super) file_key: Zeroizing<[u8; 16]>,
    pub(super) salt: [u8; 16],
    pub(super) nonce: [u8; 16],
}

/// Everything of a file but its contents: made before these, because it takes long and may fail.
pub(super) struct Sealed {
    head: Vec<u8>,
    payload_key: Key,
}

impl Sealed {
    pub(super) fn new(passphrase: &Passphrase, factor: WorkFactor, random: &Random) -> Self {
        let Random {
            file_key,
            salt,
            nonce,
        } = random;
        let mut body = file_key.to_vec();
        let wrap_key = wrap_key(passphrase, salt, factor);
        cipher(&wrap_key)
            .encrypt_in_place(&[0; 12].into(), b"", &mut body)
            .expect("sixteen bytes are not too many for ChaCha20-Poly1305");
        let mut head = [INTRO, STANZA].concat();
        head.extend_from_slice(base64::encode(salt).as_bytes());
        head.extend_from_slice(format!(" {}\n", factor.log_n()).as_bytes());
        head.extend_from_slice(base64::encode(&body).as_bytes());
        head.extend_from_slice(b"\n---");
        let mac = mac(file_key, &head).finalize().into_bytes();
        head.extend_from_slice(format!(" {}\n", base64::encode(&mac)).as_bytes());
        head.extend_from_slice(nonce);
        Self {
            head,
            payload_key: derived(file_key, Some(nonce), b"payload"),
        }
    }

    /// The file with these contents.
    pub(super) fn file(self, plain: &[u8]) -> Vec<u8> {
        let Self {
            head: mut file,
            payload_key,
        } = self;
        let cipher = cipher(&payload_key);
        // No contents are one chunk without bytes.
        let count = plain.len().div_ceil(CHUNK).max(1);
        file.reserve_exact(plain.len() + count * TAG);
        for number in 0..count {
            let from = number * CHUNK;
            let mut chunk = plain[from..plain.len().min(from + CHUNK)].to_vec();
            cipher
                .encrypt_in_place(&nonce_of(number, number + 1 == count), b"", &mut chunk)
                .expect("a chunk is not too long for ChaCha20-Poly1305");
            file.extend_from_slice(&chunk);
        }
        file
    }
}

/// The contents of a file.
pub(super) fn open(
    file: &[u8],
    passphrase: &Passphrase,
    most: WorkFactor,
) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let rest = file.strip_prefix(INTRO).ok_or(ReadError::NotAnExport)?;
    // Any other stanza is that of a key, or of a later version.
    let rest = rest.strip_prefix(STANZA).ok_or(ReadError::NotAnExport)?;
    let (arguments, rest) = line(rest)?;
    let (salt, factor) = arguments.split_once(' ').ok_or(ReadError::Damaged)?;
    let salt: [u8; 16] = base64::decode(salt).ok_or(ReadError::Damaged)?;
    let factor = WorkFactor::parse(factor).ok_or(ReadError::Damaged)?;
    if factor > most {
        return Err(ReadError::TooMuchWork);
    }
    let (body, rest) = line(rest)?;
    let body: [u8; 32] = base64::decode(body).ok_or(ReadError::Damaged)?;
    let rest = rest.strip_prefix(MAC).ok_or(ReadError::Damaged)?;
    let headed = file.len() - rest.len() - 1;
    let (told, rest) = line(rest)?;
    let told: [u8; 32] = base64::decode(told).ok_or(ReadError::Damaged)?;
    let (nonce, mut rest) = rest.split_first_chunk::<16>().ok_or(ReadError::Damaged)?;

    let wrap_key = wrap_key(passphrase, &salt, factor);
    let mut body = Zeroizing::new(body.to_vec());
    cipher(&wrap_key)
        .decrypt_in_place(&[0; 12].into(), b"", &mut *body)
        .map_err(|_| ReadError::WrongPassphrase)?;
    let file_key: [u8; 16] = body.as_slice().try_into().map_err(|_| ReadError::Damaged)?;
    let file_key = Zeroizing::new(file_key);
    mac(&file_key, &file[..headed])
        .verify_slice(&told)
        .map_err(|_| ReadError::Damaged)?;

    let cipher = cipher(&derived(&file_key, Some(nonce), b"payload"));
    let mut plain = Zeroizing::new(Vec::with_capacity(rest.len()));
    let mut number = 0;
    loop {
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK + TAG));
        let mut chunk = Zeroizing::new(chunk.to_vec());
        cipher
            .decrypt_in_place(&nonce_of(number, after.is_empty()), b"", &mut *chunk)
            .map_err(|_| ReadError::Damaged)?;
        // Only contents that are empty have an empty chunk.
        if chunk.is_empty() && number > 0 {
            return Err(ReadError::Damaged);
        }
        plain.extend_from_slice(&chunk);
        if after.is_empty() {
            return Ok(plain);
        }
        (rest, number) = (after, number + 1);
    }
}

/// The next line, which is ASCII, and what follows it.
fn line(text: &[u8]) -> Result<(&str, &[u8]), ReadError> {
    let end = text.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or(ReadError::Damaged)?;
    let line = std::str::from_utf8(&text[..end]).map_err(|_| ReadError::Damaged)?;
    Ok((line, &text[end + 1..]))
}

fn cipher(key: &Key) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new((&**key).into())
}

/// The nonce of a chunk.
fn nonce_of(number: usize, is_last: bool) -> chacha20poly1305::Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&(number as u64).to_be_bytes());
    nonce[11] = u8::from(is_last);
    nonce.into()
}

fn wrap_key(passphrase: &Passphrase, salt: &[u8; 16], factor: WorkFactor) -> Key {
    let params = scrypt::Params::new(factor.log_n(), 8, 1)
        .expect("a work factor is between 1 and 18, and scrypt takes 1 to 63");
    let mut key = Zeroizing::new([0; 32]);
    let salt = [SALT_LABEL, salt].concat();
    scrypt::scrypt(passphrase.as_bytes(), &salt, &params, &mut *key)
        .expect("scrypt makes 32 bytes");
    key
}

fn mac(file_key: &[u8; 16], header: &[u8]) -> Hmac<Sha256> {
    let key = derived(file_key, None, b"header");
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&*key)
        .expect("HMAC takes a key of any length");
    mac.update(header);
    mac
}

fn derived(file_key: &[u8; 16], salt: Option<&[u8; 16]>, info: &[u8]) -> Key {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(salt.map(|salt| &salt[..]), file_key)
        .expand(info, &mut *key)
        .expect("HKDF makes 32 bytes");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by the `age` crate, version 0.12.1.
    const BY_AGE: &[u8] = include_bytes!("../../tests/files/by-age.age");
    const PLAIN: &[u8] = b"hustings export 1\nfrom another tool";

    fn words() -> Passphrase {
        Passphrase::new("correct horse".to_owned())
    }

    #[test]
    fn a_file_of_age_is_read_and_made_byte_for_byte() {
        let plain = open(BY_AGE, &words(), WorkFactor::MAX).unwrap();
        assert_eq!(&plain[..], PLAIN);

        let text = String::from_utf8_lossy(BY_AGE);
        let mut lines = text.lines().skip(1);
        let stanza = lines.next().unwrap().strip_prefix("-> scrypt ").unwrap();
        let (salt, factor) = stanza.split_once(' ').unwrap();
        let salt = base64::decode(salt).unwrap();
        let factor = WorkFactor::parse(factor).unwrap();
        let body: [u8; 32] = base64::decode(lines.next().unwrap()).unwrap();
        let mut file_key = body.to_vec();
        cipher(&wrap_key(&words(), &salt, factor))
            .decrypt_in_place(&[0; 12].into(), b"", &mut file_key)
            .unwrap();
        let behind = BY_AGE.len() - PLAIN.len() - TAG - 16;
        let random = Random {
            file_key: Zeroizing::new(file_key.try_into().unwrap()),
            salt,
            nonce: BY_AGE[behind..behind + 16].try_into().unwrap(),
        };
        let made = Sealed::new(&words(), factor, &random).file(PLAIN);
        assert_eq!(made, BY_AGE);
    }

    #[test]
    fn contents_of_every_length_around_a_chunk_come_back() {
        let factor = WorkFactor::new(1).unwrap();
        for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7] {
            let plain: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let random = Random {
                file_key: Zeroizing::new([1; 16]),
                salt: [2; 16],
                nonce: [3; 16],
            };
            let file = Sealed::new(&words(), factor, &random).file(&plain);
            assert_eq!(*open(&file, &words(), factor).unwrap(), plain);
            // Chunks that are missing, doubled or out of order are no contents.
            let body = file.len() - plain.len() - plain.len().div_ceil(CHUNK).max(1) * TAG;
            let chunk = CHUNK + TAG;
            if file.len() > body + chunk {
                let (head, chunks) = file.split_at(body);
                let first = [head, &chunks[..chunk]].concat();
                let doubled = [head, &chunks[..chunk], chunks].concat();
                let turned = [head, &chunks[chunk..], &chunks[..chunk]].concat();
                for other in [first, doubled, turned] {
                    assert_eq!(open(&other, &words(), factor), Err(ReadError::Damaged));
                }
            }
        }
    }
}
