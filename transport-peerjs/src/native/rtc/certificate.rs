//! The certificate by which this process is known to its peers.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use p256::SecretKey;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate;
use p256::pkcs8::EncodePrivateKey;
use str0m::config::DtlsCert;
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder, Error, Result as Built};
use x509_cert::der::Encode;
use x509_cert::ext::Extension;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use x509_cert::time::Validity;

/// The time for which it says that it is valid. Nobody looks: what counts is its fingerprint, which
/// comes in the description, and which the handshake of the room signs.
const VALID: Duration = Duration::from_secs(365 * 24 * 3_600);

/// The process's certificate. It is made for the first connection and stays the same: to make one
/// for each would cost every stranger's offer a key, and peers learn nothing by it that the
/// handshake does not tell them.
pub(super) fn of_this_process() -> Result<DtlsCert, String> {
    static MADE: OnceLock<Result<Arc<DtlsCert>, String>> = OnceLock::new();
    let made = MADE.get_or_init(|| make().map(Arc::new));
    made.as_deref().cloned().map_err(String::clone)
}

fn make() -> Result<DtlsCert, String> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|error| error.to_string())?;
    let secret = SecretKey::try_generate().map_err(|error| error.to_string())?;
    let key = secret
        .to_pkcs8_der()
        .map_err(|error| error.to_string())?
        .as_bytes()
        .to_vec();
    let certificate =
        sign(&SigningKey::from(secret), &serial).map_err(|error| error.to_string())?;
    Ok(DtlsCert {
        certificate,
        private_key: key,
    })
}

/// Firefox takes no two certificates with the same name and the same serial number.
fn sign(key: &SigningKey, serial: &[u8]) -> Built<Vec<u8>> {
    let public = SubjectPublicKeyInfo::from_key(key.verifying_key())?;
    let serial = SerialNumber::new(serial)?;
    let validity = Validity::from_now(VALID)?;
    let builder = CertificateBuilder::new(SelfSigned, serial, validity, public)?;
    let certificate = builder.build::<_, DerSignature>(key)?;
    certificate.to_der().map_err(Error::from)
}

/// A certificate without names and extensions: WebRTC's have nobody who would vouch for them.
struct SelfSigned;

impl BuilderProfile for SelfSigned {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        Name::default()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        _: &TbsCertificate,
    ) -> Built<Vec<Extension>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_and_the_same() {
        let (first, second) = (of_this_process().unwrap(), of_this_process().unwrap());
        assert_eq!(first.certificate, second.certificate);
        assert!(!first.certificate.is_empty() && !first.private_key.is_empty());
    }
}
