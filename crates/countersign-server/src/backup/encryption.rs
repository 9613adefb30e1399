//! Encrypts backups to recipients, and decrypts them.
//!
//! The format is age (<https://age-encryption.org/v1>, X25519), so `age` and `rage` can open a backup without this
//! program.

use std::io::{self, BufReader, ErrorKind, Read as _, Write};
use std::path::Path;

use age::stream::StreamWriter;
use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use fs_err::{File, OpenOptions};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The first bytes of an age file.
const MAGIC: &[u8] = b"age-encryption.org/v1\n";
/// Maximum size of an identity file, in bytes.
const KEYS_BYTES_MAX: usize = 64 * 1024;
const CUT_OFF_OR_ALTERED: &str = "it was truncated or altered after it was encrypted";

/// Returns whether `begin` is the beginning of an encrypted file.
pub(crate) fn is_sealed(begin: &[u8]) -> bool {
    begin.starts_with(MAGIC)
}

/// The writer of a backup, which encrypts if there are recipients.
pub(crate) enum Envelope<W: Write> {
    /// Not encrypted.
    Open(W),
    /// Encrypted to the recipients.
    Sealed(StreamWriter<W>),
}

impl<W: Write> Envelope<W> {
    /// Encrypts to each of the recipients, or not at all if there are none.
    pub(crate) fn new(recipients: &[Recipient], sink: W) -> Result<Self, Failure> {
        if recipients.is_empty() {
            return Ok(Self::Open(sink));
        }
        let encryptor = Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as &dyn age::Recipient))
            .map_err(|_| Failure("it cannot be encrypted to these recipients together".to_owned()))?;
        Ok(Self::Sealed(encryptor.wrap_output(sink)?))
    }

    /// Writes the end of the file, without which it cannot be opened.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self {
            Self::Open(sink) => Ok(sink),
            Self::Sealed(sealed) => sealed.finish(),
        }
    }
}

impl<W: Write> Write for Envelope<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Open(sink) => sink.write(bytes),
            Self::Sealed(sealed) => sealed.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Open(sink) => sink.flush(),
            Self::Sealed(sealed) => sealed.flush(),
        }
    }
}

/// The secret keys that open a backup. No `Debug`, so that they cannot be printed.
pub(crate) struct Identities(Vec<Identity>);

impl Identities {
    /// Reads a file in the format of `backup-key` and `age-keygen`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let failure = |reason: String| Failure(format!("--identity {shown}: {reason}"));
        // Allocated in full, because a reallocation would leave copies of the keys in memory.
        let mut text = Zeroizing::new(String::with_capacity(KEYS_BYTES_MAX + 1));
        let file = std::fs::File::open(path).map_err(|error| failure(error.to_string()))?;
        file.take(KEYS_BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(|error| failure(error.to_string()))?;
        if text.len() > KEYS_BYTES_MAX {
            return Err(failure("it is too large for an identity file".to_owned()));
        }
        if is_sealed(text.as_bytes()) {
            return Err(failure("it is encrypted itself; decrypt it first".to_owned()));
        }
        let lines = text.lines().map(str::trim).enumerate();
        let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(at, line)| {
            line.parse().map_err(|_| failure(format!("line {} is not a key that begins with AGE-SECRET-KEY-1", at + 1)))
        });
        let keys: Vec<Identity> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(failure("it contains no key".to_owned())) } else { Ok(Self(keys)) }
    }

    /// Decrypts a file to a new one that only its owner can read.
    pub(crate) fn open(&self, sealed: &Path, target: &Path) -> Result<(), Failure> {
        let file = BufReader::with_capacity(1 << 18, File::open(sealed)?);
        let decryptor = Decryptor::new_buffered(file).map_err(refusal)?;
        if decryptor.is_scrypt() {
            return Err(Failure("it is encrypted with a passphrase; decrypt it with `age --decrypt` first".to_owned()));
        }
        let keys = self.0.iter().map(|key| key as &dyn age::Identity);
        let mut content = decryptor.decrypt(keys).map_err(refusal)?;
        let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(target)?;
        io::copy(&mut content, &mut target).map(drop).map_err(|error| refusal(DecryptError::Io(error)))
    }
}

/// Uses our own messages, because those of the crate are localized.
fn refusal(error: DecryptError) -> Failure {
    Failure(match error {
        DecryptError::NoMatchingKeys => "it is encrypted, and none of the keys of --identity opens it".to_owned(),
        DecryptError::Io(error) if !matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
            return error.into();
        }
        _ => CUT_OFF_OR_ALTERED.to_owned(),
    })
}
