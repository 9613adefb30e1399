//! Decides where what is not complete yet has its place: in a folder that is gone afterwards.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Failure;
use crate::schema::create_private_folder;

/// The names of all that can be in a workshop.
pub(super) const ARCHIVE: &str = "backup.tar";
pub(super) const DATABASE: &str = "database.db";
pub(super) const SUMS: &str = "SHA256SUMS";
pub(super) const FETCHED: &str = "fetched";

/// A folder for one at a time, which nobody else may enter, and which is gone afterwards. What a killed one left is cleared
/// away by the next.
pub(super) struct Workshop {
    folder: PathBuf,
    /// Folders above it that were made for it, the innermost first.
    made: Vec<PathBuf>,
    _lock: File,
}

impl Workshop {
    /// `taken` is what is said when somebody else is in it.
    pub(super) fn open(folder: PathBuf, taken: &str) -> Result<Self, Failure> {
        let above = folder.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
        let made = above.take_while(|above| !above.exists()).map(Path::to_owned).collect();
        create_private_folder(&folder)?;
        let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Failure(taken.to_owned())),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        for name in [ARCHIVE, DATABASE, SUMS, FETCHED] {
            if folder.join(name).exists() {
                fs::remove_file(folder.join(name))?;
            }
        }
        Ok(Self { folder, made, _lock: lock })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What stays is cleared away by the next one.
        let _ = fs::remove_dir_all(&self.folder);
        for folder in &self.made {
            // Only if nothing else is in it by now.
            let _ = fs::remove_dir(folder);
        }
    }
}

pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name beside a file, hidden and with another ending.
pub(super) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(ending);
    file.with_file_name(name)
}
