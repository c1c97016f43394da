//! The cryptography of str0m: dimpl's DTLS and the hashes of STUN, all of it RustCrypto's.
//!
//! What joins the two is all there is here. Media would need ciphers of their own; a data channel
//! has none, so that those that str0m asks for refuse.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion,
};
use str0m::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, Aes128CmSha1_80Cipher, CryptoError, CryptoProvider,
    Sha1HmacProvider, Sha1Provider, Sha256Provider, SrtpProvider, SupportedAeadAes128Gcm,
    SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
};

/// All of it, for str0m.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        srtp_provider: &NoMedia,
        sha1_hmac_provider: &Hashes,
        sha1_provider: &Hashes,
        sha256_provider: &Hashes,
        dtls_provider: &DtlsByDimpl,
    }
}

#[derive(Debug)]
struct Hashes;

impl Sha1HmacProvider for Hashes {
    fn sha1_hmac(&self, key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
        let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC has keys of any length");
        for payload in payloads {
            mac.update(payload);
        }
        mac.finalize().into_bytes().into()
    }
}

impl Sha1Provider for Hashes {
    fn sha1(&self, data: &[u8]) -> [u8; 20] {
        Sha1::digest(data).into()
    }
}

impl Sha256Provider for Hashes {
    fn sha256(&self, data: &[u8]) -> [u8; 32] {
        Sha256::digest(data).into()
    }
}

#[derive(Debug)]
struct DtlsByDimpl;

impl DtlsProvider for DtlsByDimpl {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        // Every connection is given the process's.
        None
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let config = config(mtu)?;
        let new = match version {
            DtlsVersion::Dtls12 => dimpl::Dtls::new_12,
            DtlsVersion::Dtls13 => dimpl::Dtls::new_13,
            DtlsVersion::Auto => dimpl::Dtls::new_auto,
            other => return Err(CryptoError::Other(format!("{other} is not known here"))),
        };
        Ok(Box::new(Dtls(new(config, cert.clone(), now))))
    }
}

/// The settings of every connection. To make them, dimpl tries all that its cryptography can do,
/// with keys and signatures of every kind, which takes longer than a handshake does.
fn config(mtu: Option<usize>) -> Result<Arc<dimpl::Config>, CryptoError> {
    type Made = (Option<usize>, Arc<dimpl::Config>);
    static MADE: OnceLock<Made> = OnceLock::new();
    if let Some((of, made)) = MADE.get()
        && *of == mtu
    {
        return Ok(Arc::clone(made));
    }
    // ICE has shown that the other side is where it says: a cookie would cost a round trip.
    let mut config = dimpl::Config::builder().use_server_cookie(false);
    if let Some(mtu) = mtu {
        config = config.mtu(mtu);
    }
    let config = config
        .build()
        .map_err(|error| CryptoError::Other(error.to_string()))?;
    let made = Arc::new(config);
    // All connections have the same. If they had not, the first would be kept.
    let _ = MADE.set((mtu, Arc::clone(&made)));
    Ok(made)
}

struct Dtls(dimpl::Dtls);

impl fmt::Debug for Dtls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dtls(…)")
    }
}

impl DtlsInstance for Dtls {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        self.0.poll_output(buf)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}

/// The ciphers of media, of which there is none. Browsers agree on one in every handshake, so str0m
/// makes it; a packet of media that somebody sends all the same is not read.
#[derive(Debug)]
struct NoMedia;

fn no_media<T>() -> Result<T, CryptoError> {
    Err(CryptoError::Other("there is no media".into()))
}

impl SrtpProvider for NoMedia {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        &Self
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &Self
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &Self
    }

    // Keys of ciphers that do nothing.
    fn srtp_aes_128_ecb_round(&self, _: &[u8], _: &[u8], _: &mut [u8]) {}

    fn srtp_aes_256_ecb_round(&self, _: &[u8], _: &[u8], _: &mut [u8]) {}
}

impl SupportedAes128CmSha1_80 for NoMedia {
    fn create_cipher(&self, _: [u8; 16], _: bool) -> Box<dyn Aes128CmSha1_80Cipher> {
        Box::new(Self)
    }
}

impl SupportedAeadAes128Gcm for NoMedia {
    fn create_cipher(&self, _: [u8; 16], _: bool) -> Box<dyn AeadAes128GcmCipher> {
        Box::new(Self)
    }
}

impl SupportedAeadAes256Gcm for NoMedia {
    fn create_cipher(&self, _: [u8; 32], _: bool) -> Box<dyn AeadAes256GcmCipher> {
        Box::new(Self)
    }
}

impl Aes128CmSha1_80Cipher for NoMedia {
    fn encrypt(&mut self, _: &[u8; 16], _: &[u8], _: &mut [u8]) -> Result<(), CryptoError> {
        no_media()
    }

    fn decrypt(&mut self, _: &[u8; 16], _: &[u8], _: &mut [u8]) -> Result<(), CryptoError> {
        no_media()
    }
}

impl AeadAes128GcmCipher for NoMedia {
    fn encrypt(
        &mut self,
        _: &[u8; 12],
        _: &[u8],
        _: &[u8],
        _: &mut [u8],
    ) -> Result<(), CryptoError> {
        no_media()
    }

    fn decrypt(
        &mut self,
        _: &[u8; 12],
        _: &[&[u8]],
        _: &[u8],
        _: &mut [u8],
    ) -> Result<usize, CryptoError> {
        no_media()
    }
}

impl AeadAes256GcmCipher for NoMedia {
    fn encrypt(
        &mut self,
        _: &[u8; 12],
        _: &[u8],
        _: &[u8],
        _: &mut [u8],
    ) -> Result<(), CryptoError> {
        no_media()
    }

    fn decrypt(
        &mut self,
        _: &[u8; 12],
        _: &[&[u8]],
        _: &[u8],
        _: &mut [u8],
    ) -> Result<usize, CryptoError> {
        no_media()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_their_standards() {
        // RFC 2202, section 3, test case 2; FIPS 180-4's "abc".
        let mac = Hashes.sha1_hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        let hex = |bytes: &[u8]| base16ct::lower::encode_string(bytes);
        assert_eq!(hex(&mac), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(
            hex(&Hashes.sha1(b"abc")),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert!(hex(&Hashes.sha256(b"abc")).starts_with("ba7816bf8f01cfea"));
    }

    #[test]
    fn the_settings_are_tried_once_and_not_for_every_connection() {
        let first = config(None).unwrap();
        assert!(Arc::ptr_eq(&first, &config(None).unwrap()));
        assert!(!Arc::ptr_eq(&first, &config(Some(1_000)).unwrap()));
    }
}
