//! An upload while it arrives: a little of it in memory, the rest in an unnamed temporary file. Many slow uploads take
//! little memory, and nothing is left behind after a crash.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::mem;

/// How much of an upload is kept in memory before it is written to the file, in bytes.
const GATHERED_BYTES_MAX: usize = 128 * 1024;

/// Why an upload was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The upload exceeds the maximum size.
    #[error("too large")]
    TooLarge,
    /// The temporary file failed.
    #[error("a temporary file: {0}")]
    Io(#[from] io::Error),
}

/// The bytes received so far.
pub struct Upload {
    gathered: Vec<u8>,
    file: Option<File>,
    bytes: usize,
    bytes_max: usize,
}

impl Upload {
    /// Creates an upload of at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { gathered: Vec::new(), file: None, bytes: 0, bytes_max }
    }

    /// Appends bytes. Writes go to the system's file cache, so this does not block.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        if bytes.len() > self.bytes_max - self.bytes {
            return Err(UploadError::TooLarge);
        }
        self.bytes += bytes.len();
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHERED_BYTES_MAX {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(tempfile::tempfile()?),
            };
            file.write_all(&self.gathered)?;
            self.gathered.clear();
        }
        Ok(())
    }

    /// Returns how many bytes have been received.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns all bytes, in memory.
    pub(crate) fn into_bytes(mut self) -> io::Result<Vec<u8>> {
        let Some(mut file) = self.file else {
            return Ok(self.gathered);
        };
        file.rewind()?;
        let mut all = Vec::with_capacity(self.bytes);
        file.read_to_end(&mut all)?;
        all.append(&mut mem::take(&mut self.gathered));
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_and_no_more_than_is_allowed() {
        for (size, step) in [(0, 1), (10, 3), (GATHERED_BYTES_MAX, 1_000), (3 * GATHERED_BYTES_MAX + 5, 77_777)] {
            let bytes: Vec<u8> = (0..size).map(|index| u8::try_from(index % 251).unwrap()).collect();
            let mut upload = Upload::new(size);
            for chunk in bytes.chunks(step) {
                upload.push(chunk).unwrap();
            }
            assert!(matches!(upload.push(&[1]), Err(UploadError::TooLarge)));
            assert_eq!(upload.bytes(), size);
            assert!(upload.into_bytes().unwrap() == bytes);
        }
    }
}
