//! TLS for a server without a proxy in front, and its certificate.
//!
//! The certificate is read from two files, and reloaded when they change. Existing connections keep the one they began
//! with. If the new files are unusable, the old certificate stays in use.

mod identity;
mod validity;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use countersign::clock::Clock;
use jiff::Timestamp;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

pub(crate) use self::identity::{Identity, TlsFiles, Unusable};

/// How often to check whether the files have changed.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// ALPN protocols, preferred first (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The TLS configuration; cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls {
    files: TlsFiles,
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
}

/// The certificate for new connections.
#[derive(Debug)]
struct Shown(RwLock<Identity>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).key))
    }
}

/// Returns the crypto provider for rustls. It prefers a post-quantum key exchange.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    use aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    Arc::new(CryptoProvider {
        kx_groups: vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1],
        ..aws_lc_rs::default_provider()
    })
}

impl Tls {
    /// Loads the files.
    pub(crate) fn load(files: TlsFiles) -> Result<Self, Unusable> {
        let shown = Arc::new(Shown(RwLock::new(Identity::load(&files)?)));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(Unusable::Library)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as _);
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(Unusable::Library)?;
        Ok(Self { files, shown, config: Arc::new(config) })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Logs a warning if the certificate is not valid yet, has expired or soon will.
    pub(crate) fn warn_of_its_time(&self, now: Timestamp) {
        if let Some(complaint) = self.complaint(now) {
            warn!("{complaint}");
        }
    }

    fn complaint(&self, now: Timestamp) -> Option<String> {
        let identity = self.shown.0.read().unwrap_or_else(PoisonError::into_inner);
        identity.is_untimely(now).then(|| format!("{}: {}", self.files.certificate.display(), identity.lifetime(now)))
    }

    /// Reloads the files when they change, as long as it is polled.
    pub(crate) async fn keep_current(&self, clock: &dyn Clock) {
        let mut taken = Stamps::of(&self.files);
        let mut seen = taken;
        let mut complained = self.complaint(clock.now());
        loop {
            sleep(LOOK_AGAIN).await;
            let found = Stamps::of(&self.files);
            // Two files are not replaced atomically, so it waits until both have stopped changing.
            if found != taken && found == seen {
                taken = found;
                self.take_up();
            }
            seen = found;
            let complaint = self.complaint(clock.now());
            if complaint != complained
                && let Some(text) = &complaint
            {
                warn!("{text}");
            }
            complained = complaint;
        }
    }

    fn take_up(&self) {
        match Identity::load(&self.files) {
            Ok(identity) => {
                info!(certificate = %self.files.certificate.display(), until = %identity.validity.not_after, "new certificate");
                *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = identity;
            }
            Err(unusable) => warn!("{unusable}; the previous certificate stays in use"),
        }
    }
}

/// Detects changes of the files.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamps([Option<Stamp>; 2]);

/// Device, inode, length, and modification time in seconds and nanoseconds.
type Stamp = (u64, u64, u64, i64, i64);

impl Stamps {
    fn of(files: &TlsFiles) -> Self {
        Self([&files.certificate, &files.key].map(|path| stamp(path).ok()))
    }
}

/// Follows links, because renewals often only change a link.
fn stamp(path: &Path) -> io::Result<Stamp> {
    let found = fs::metadata(path)?;
    Ok((found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}
