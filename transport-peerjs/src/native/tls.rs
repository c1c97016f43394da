//! TLS to the signalling server, by rustls.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};

use super::OpenError;

/// Most certificates that one text may hold. A platform trusts some 150 authorities.
const MAX_CERTIFICATES: usize = 1_000;

/// The certificate of an authority that may vouch for servers, beside those that the platform
/// trusts.
#[derive(Clone, PartialEq, Eq)]
pub struct RootCertificate(CertificateDer<'static>);

impl RootCertificate {
    /// Reads the certificates of a PEM file: the texts between `BEGIN CERTIFICATE` and
    /// `END CERTIFICATE`, of which there may be several. What else is in it is left out.
    ///
    /// # Errors
    ///
    /// [`RootError`] if there is none, or if one of them could vouch for nobody.
    pub fn read_pem(pem: &[u8]) -> Result<Vec<Self>, RootError> {
        let mut read = Vec::new();
        for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
            if index == MAX_CERTIFICATES {
                return Err(RootError::TooMany);
            }
            let number = index + 1;
            let malformed = |why: String| RootError::Malformed { number, why };
            let certificate = certificate.map_err(|error| malformed(error.to_string()))?;
            let mut alone = RootCertStore::empty();
            let taken = alone.add(certificate.clone());
            taken.map_err(|error| malformed(error.to_string()))?;
            read.push(Self(certificate));
        }
        if read.is_empty() {
            return Err(RootError::None);
        }
        Ok(read)
    }
}

impl fmt::Debug for RootCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootCertificate({} bytes)", self.0.len())
    }
}

/// The reason why a text is no list of root certificates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
    /// It has none.
    #[error("there is no certificate in the PEM text: it has to have a line BEGIN CERTIFICATE")]
    None,
    /// It has more than a machine could trust.
    #[error("there are more than {MAX_CERTIFICATES} certificates in the PEM text")]
    TooMany,
    /// One cannot be read as an authority's.
    #[error("certificate {number} in the PEM text cannot be used: {why}")]
    Malformed {
        /// Its place in the text, counted from 1.
        number: usize,
        /// The fault in it.
        why: String,
    },
}

/// The settings of TLS, with the roots that the platform trusts and `more` of them.
pub(super) fn client(more: &[RootCertificate]) -> Result<Arc<ClientConfig>, OpenError> {
    let mut roots = RootCertStore::empty();
    let platform = rustls_native_certs::load_native_certs();
    // A platform may keep some that nobody can read. They vouch for nobody.
    roots.add_parsable_certificates(platform.certs);
    roots.add_parsable_certificates(more.iter().map(|root| root.0.clone()));
    if roots.is_empty() {
        let why = platform.errors.first().map(ToString::to_string);
        return Err(OpenError::NoRoots(why.unwrap_or_else(|| "none".into())));
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    // WebSockets are a matter of this version.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The fault of a server's certificate, for people.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls says the rest, of which most is about revocation lists"
)]
pub(super) fn told(fault: &rustls::Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(fault) = fault else {
        return None;
    };
    Some(match fault {
        CertificateError::UnknownIssuer => "this machine trusts nobody who vouches for it".into(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired, or this machine's clock is wrong".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet, or this machine's clock is wrong".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".into()
        }
        CertificateError::BadSignature => "it is not signed by whom it names".into(),
        CertificateError::Revoked => "it was revoked".into(),
        other => other.to_string(),
    })
}
