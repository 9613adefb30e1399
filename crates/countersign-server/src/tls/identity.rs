//! Loads a certificate and its key, and says why they are unusable.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use zeroize::Zeroizing;

use super::provider;
use super::validity::{Validity, validity};

/// Larger than any chain, in bytes, so that a device file or a log given by mistake is not read to its end.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Time before expiry from which to warn. Renewal usually happens when a third of the lifetime is left, so by then it
/// has failed.
const LATE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The files of certificate and key.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    /// The certificate and its intermediate certificates, in PEM.
    pub(crate) certificate: PathBuf,
    /// The private key, in PEM.
    pub(crate) key: PathBuf,
}

/// A certificate with its key.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(super) key: Arc<CertifiedKey>,
    pub(crate) validity: Validity,
}

/// Why a certificate and a key are unusable; names the setting of the file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("{setting} names {}, which cannot be read: {error}", path.display())]
    Unreadable { setting: &'static str, path: PathBuf, error: io::Error },
    #[error("{setting} names {}, which {what}", path.display())]
    Bad { setting: &'static str, path: PathBuf, what: String },
    #[error("TLS_KEY_FILE names {}, which is not the key of the certificate in {}", key.display(), certificate.display())]
    Mismatch { key: PathBuf, certificate: PathBuf },
    #[error("TLS cannot be set up: {0}")]
    Library(Error),
}

const CERTIFICATE: &str = "TLS_CERT_FILE";
const KEY: &str = "TLS_KEY_FILE";

impl Identity {
    pub(crate) fn load(files: &TlsFiles) -> Result<Self, Unusable> {
        let bad_certificate = |what: String| bad(CERTIFICATE, &files.certificate, what);
        let bad_key = |what: String| bad(KEY, &files.key, what);

        let pem = read(CERTIFICATE, &files.certificate)?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|error| bad_certificate(format!("is not in PEM: {error}")))?;
        let Some(first) = chain.first() else {
            return Err(bad_certificate("has no certificate in PEM (`-----BEGIN CERTIFICATE-----`)".to_owned()));
        };
        let validity =
            validity(first).ok_or_else(|| bad_certificate("has a certificate that is damaged".to_owned()))?;

        let pem = read(KEY, &files.key)?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
            bad_key(
                "has no private key in PEM (`-----BEGIN PRIVATE KEY-----`); one with a passphrase cannot be used"
                    .to_owned(),
            )
        })?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                Unusable::Mismatch { key: files.key.clone(), certificate: files.certificate.clone() }
            }
            Error::InvalidCertificate(_) => bad_certificate("has a certificate that is damaged".to_owned()),
            error => bad_key(format!("has a private key that cannot be used: {error}; expected ECDSA, Ed25519 or RSA")),
        })?;
        Ok(Self { key: Arc::new(key), validity })
    }

    /// Returns whether browsers reject it now, or will soon.
    pub(crate) fn is_untimely(&self, now: Timestamp) -> bool {
        now < self.validity.not_before || self.validity.not_after.duration_since(now) < LATE
    }

    /// Describes how long it is valid.
    pub(crate) fn lifetime(&self, now: Timestamp) -> String {
        let Validity { not_before, not_after } = self.validity;
        let days = not_after.duration_since(now).as_hours() / 24;
        if now < not_before {
            format!("the certificate is not valid before {not_before}; browsers refuse it until then")
        } else if now >= not_after {
            format!("the certificate has expired, at {not_after}; browsers refuse it")
        } else if days <= 1 {
            format!("the certificate expires at {not_after}")
        } else {
            format!("the certificate expires in {days} days, at {not_after}")
        }
    }
}

fn bad(setting: &'static str, path: &Path, what: String) -> Unusable {
    Unusable::Bad { setting, path: path.to_owned(), what }
}

/// Reads a file, which may be a private key.
fn read(setting: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, Unusable> {
    let unreadable = |error| Unusable::Unreadable { setting, path: path.to_owned(), error };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(bad(setting, path, format!("has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}
