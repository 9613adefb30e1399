//! Private temporary folders for incomplete files.

use std::ffi::OsString;
use std::fs::TryLockError;
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::OpenOptionsExt as _;
use fs_err::{self as fs, File, OpenOptions};

use crate::failure::Failure;
use crate::schema::create_private_folder;

/// The names of all files that a staging may contain.
pub(crate) const ARCHIVE: &str = "backup.tar";
pub(crate) const DATABASE: &str = "database.db";
pub(crate) const SUMS: &str = "SHA256SUMS";
pub(crate) const FETCHED: &str = "fetched";

/// A private temporary folder for one process at a time, deleted when dropped. The next process cleans up after one
/// that was killed.
pub(crate) struct StagingFolder {
    folder: PathBuf,
    /// Parent folders that were created for it, innermost first.
    made: Vec<PathBuf>,
    _lock: File,
}

impl StagingFolder {
    /// Opens the folder; fails with `taken` if another process has it.
    pub(crate) fn open(folder: PathBuf, taken: &str) -> Result<Self, Failure> {
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

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for StagingFolder {
    fn drop(&mut self) {
        // The next process deletes what is left.
        let _ = fs::remove_dir_all(&self.folder);
        for folder in &self.made {
            // Fails if another file is in it by now.
            let _ = fs::remove_dir(folder);
        }
    }
}

pub(crate) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns a hidden file name next to `file`, with another ending.
pub(crate) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(ending);
    file.with_file_name(name)
}
