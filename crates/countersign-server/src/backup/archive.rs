//! The backup format: writing it, and verifying it before a restore.
//!
//! A tar archive of plain files that standard tools can read: `FORMAT`, the pictures, `database.db`, `manifest.json`,
//! and finally `SHA256SUMS` over everything before it, for `sha256sum -c`.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read, Seek as _, SeekFrom, Write};
use std::path::Path;

use bytes::Bytes;
use countersign::model::PictureFile;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use fs_err::{File, OpenOptions};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The format version that this program writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;
const FORMAT_FILE: &str = "FORMAT";
const FORMAT_BEGIN: &str = "countersign backup ";
const PICTURES: &str = "profile_pics/";
const DATABASE: &str = "database.db";
const MANIFEST: &str = "manifest.json";
const SUMS: &str = "SHA256SUMS";

/// Block size of a tar archive, in bytes. The archive ends with two blocks of zeros.
const BLOCK: u64 = 512;
/// Maximum size of a picture, in bytes. The library stores no larger ones.
const PICTURE_BYTES_MAX: u64 = 4 * 1024 * 1024;
const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;
/// Maximum length of a checksum line, in bytes: 64 digits, two spaces, the longest name, and the line break.
const LINE_BYTES_MAX: u64 = 160;

/// The description of a backup, stored inside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The format version, [`FORMAT`] of the program that wrote it.
    pub(crate) format: u32,
    /// The host application that wrote it.
    pub(crate) program: String,
    /// Its version.
    pub(crate) version: String,
    /// When the database was copied.
    pub(crate) created_at: String,
    /// The latest applied migration of each set.
    pub(crate) schema: BTreeMap<String, i64>,
    /// The number of rows of each table.
    pub(crate) rows: BTreeMap<String, i64>,
    /// The number of pictures in the backup.
    pub(crate) pictures: u64,
    /// The number of pictures that rows refer to but the storage lacked.
    pub(crate) pictures_missing: u64,
}

impl Manifest {
    pub(crate) fn users(&self) -> i64 {
        self.rows.get("auth_users").copied().unwrap_or_default()
    }
}

/// Why a file is rejected as a backup.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("it is not a backup of this program")]
    Foreign,
    #[error("it has format {0} of a newer program; this one reads up to format {FORMAT}")]
    Newer(u32),
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("it cannot be read")]
    Io(#[from] io::Error),
}

fn damaged(what: impl Into<String>) -> ArchiveError {
    ArchiveError::Damaged(what.into())
}

/// The number of bytes that [`format_of`] needs from the beginning of a file.
pub(crate) const BEGINNING_BYTES: u64 = 2 * BLOCK;

/// Reads the beginning of a file, which identifies its format.
pub(crate) fn beginning_of(file: &Path) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    File::open(file)?.take(BEGINNING_BYTES).read_to_end(&mut begin)?;
    Ok(begin)
}

/// Returns the format version, if `begin` is the beginning of a backup.
pub(crate) fn format_of(begin: &[u8]) -> Result<u32, ArchiveError> {
    let (header, content) = begin.split_at_checked(512).ok_or(ArchiveError::Foreign)?;
    let name = header.strip_prefix(FORMAT_FILE.as_bytes());
    let text = content.split(|byte| *byte == b'\n').next().and_then(|line| std::str::from_utf8(line).ok());
    match (name, text.and_then(|text| text.strip_prefix(FORMAT_BEGIN))) {
        (Some([0, ..]), Some(number)) => number.parse().map_err(|_| ArchiveError::Foreign),
        _ => Err(ArchiveError::Foreign),
    }
}

/// Writes a backup.
pub(crate) struct ArchiveWriter<W: Write> {
    tar: tar::Builder<W>,
    sums: File,
    written_at: u64,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins a backup in `sink`, with `sums` as a temporary file.
    pub(crate) fn begin(sink: W, sums: &Path, now: Timestamp) -> io::Result<Self> {
        let sums = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(sums)?;
        let tar = tar::Builder::new(sink);
        let mut writer = Self { tar, sums, written_at: u64::try_from(now.as_second()).unwrap_or_default() };
        writer.add(FORMAT_FILE, format!("{FORMAT_BEGIN}{FORMAT}\n").as_bytes())?;
        Ok(writer)
    }

    pub(crate) fn add_picture(&mut self, file: &PictureFile, bytes: &[u8]) -> io::Result<()> {
        self.add(&format!("{PICTURES}{}", file.as_str()), bytes)
    }

    pub(crate) fn add_database(&mut self, database: &Path) -> io::Result<()> {
        let database = File::open(database)?;
        let size = database.metadata()?.len();
        let mut reader = Hashing { inner: database, hash: Sha256::new() };
        self.tar.append(&header(DATABASE, size, self.written_at)?, &mut reader)?;
        self.note(DATABASE, reader.hash)
    }

    /// Ends the archive and returns the sink.
    pub(crate) fn finish(mut self, manifest: &Manifest) -> io::Result<W> {
        self.add(MANIFEST, format!("{}\n", serde_json::to_string_pretty(manifest)?).as_bytes())?;
        let size = self.sums.stream_position()?;
        self.sums.rewind()?;
        self.tar.append(&header(SUMS, size, self.written_at)?, &self.sums)?;
        self.tar.into_inner()
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.tar.append(&header(name, bytes.len() as u64, self.written_at)?, bytes)?;
        self.note(name, Sha256::new_with_prefix(bytes))
    }

    fn note(&mut self, name: &str, hash: Sha256) -> io::Result<()> {
        self.sums.write_all(sums_line(name, hash).as_bytes())
    }
}

fn header(name: &str, size: u64, written_at: u64) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(written_at);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    Ok(header)
}

fn sums_line(name: &str, hash: Sha256) -> String {
    use std::fmt::Write as _;
    let mut line = String::new();
    for byte in hash.finalize() {
        let _ = write!(line, "{byte:02x}");
    }
    line + "  " + name + "\n"
}

/// A reader that hashes everything read through it.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

/// A backup that was read completely and matches its checksums.
#[derive(Debug)]
pub(crate) struct Backup {
    file: File,
    pub(crate) manifest: Manifest,
}

impl Backup {
    /// Reads and verifies a whole file; `progress` receives the number of parts read and the total.
    pub(crate) fn verified(path: &Path, mut progress: impl FnMut(u64, u64)) -> Result<Self, ArchiveError> {
        match format_of(&beginning_of(path)?)? {
            FORMAT => {}
            later if later > FORMAT => return Err(ArchiveError::Newer(later)),
            _ => return Err(ArchiveError::Foreign),
        }
        let (mut sums, parts) = find_sums(path)?;
        let file = File::open(path)?;
        let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 18, &file));
        let (mut done, mut databases, mut pictures, mut manifest) = (0, 0_u32, 0, None);
        for entry in archive.entries()?.raw(true) {
            let mut entry = entry?;
            let name = name_of(&entry)?;
            let mut line = String::new();
            (&mut sums).take(LINE_BYTES_MAX).read_line(&mut line).map_err(unreadable_sums)?;
            if name == SUMS {
                if !line.is_empty() {
                    return Err(damaged("parts are missing"));
                }
                break;
            }
            let size = entry.size();
            let mut content = Vec::new();
            let mut reader = Hashing { inner: &mut entry, hash: Sha256::new() };
            let read = if name == MANIFEST && size <= MANIFEST_BYTES_MAX {
                reader.read_to_end(&mut content)? as u64
            } else {
                io::copy(&mut reader, &mut io::sink())?
            };
            if read != size {
                return Err(damaged(format!("it is truncated in {name}")));
            }
            if sums_line(&name, reader.hash) != line {
                return Err(damaged(format!("{name} does not match its checksum")));
            }
            match name.as_str() {
                DATABASE => databases += 1,
                MANIFEST => manifest = serde_json::from_slice::<Manifest>(&content).ok(),
                FORMAT_FILE => {}
                _ => pictures += 1,
            }
            done += 1;
            progress(done, parts);
        }
        let manifest = manifest.ok_or_else(|| damaged("its manifest is missing or unreadable"))?;
        if databases != 1 || pictures != manifest.pictures {
            return Err(damaged("its parts do not match its manifest"));
        }
        Ok(Self { file, manifest })
    }

    /// Extracts the database to a new file that only its owner can read.
    pub(crate) fn extract_database(&self, target: &Path) -> Result<(), ArchiveError> {
        let mut archive = self.archive()?;
        for entry in archive.entries()?.raw(true) {
            let mut entry = entry?;
            if name_of(&entry)? == DATABASE {
                let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(target)?;
                io::copy(&mut entry, &mut file)?;
                return Ok(file.sync_all()?);
            }
        }
        Err(damaged("it has no database"))
    }

    /// Passes the pictures to `put`, in batches of `at_once`.
    pub(crate) async fn for_each_picture<E: From<ArchiveError>>(
        &self,
        at_once: usize,
        mut put: impl AsyncFnMut(Vec<(PictureFile, Bytes)>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut archive = self.archive()?;
        let mut batch = Vec::with_capacity(at_once);
        for entry in archive.entries().map_err(ArchiveError::from)?.raw(true) {
            let mut entry = entry.map_err(ArchiveError::from)?;
            let name = name_of(&entry)?;
            let Some(file) = name.strip_prefix(PICTURES).and_then(|file| file.parse().ok()) else {
                continue;
            };
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(ArchiveError::from)?;
            batch.push((file, Bytes::from(bytes)));
            if batch.len() == at_once {
                put(std::mem::take(&mut batch)).await?;
            }
        }
        if batch.is_empty() { Ok(()) } else { put(batch).await }
    }

    fn archive(&self) -> Result<tar::Archive<BufReader<&File>>, ArchiveError> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        Ok(tar::Archive::new(BufReader::with_capacity(1 << 18, file)))
    }
}

/// Finds the checksums of a backup and returns them with the number of parts before them. They must be the last part.
fn find_sums(path: &Path) -> Result<(BufReader<io::Take<File>>, u64), ArchiveError> {
    let mut file = File::open(path)?;
    let mut archive = tar::Archive::new(BufReader::new(&file));
    let (mut parts, mut found) = (0, None);
    for entry in archive.entries_with_seek()?.raw(true) {
        let entry = entry.map_err(|error| match error.kind() {
            // Only a malformed header causes these errors.
            ErrorKind::Other | ErrorKind::InvalidData | ErrorKind::UnexpectedEof => damaged(error.to_string()),
            _ => ArchiveError::Io(error),
        })?;
        if name_of(&entry)? == SUMS {
            found = Some((entry.raw_file_position(), entry.size()));
            break;
        }
        parts += 1;
    }
    let (position, size) = found.ok_or_else(|| damaged("its end is missing"))?;
    let end = position.saturating_add(size.next_multiple_of(BLOCK));
    file.seek(SeekFrom::Start(end))?;
    let mut rest = Vec::new();
    (&file).take(3 * BLOCK).read_to_end(&mut rest)?;
    if rest.len() as u64 != 2 * BLOCK || rest.iter().any(|byte| *byte != 0) {
        return Err(damaged("its end is malformed"));
    }
    file.seek(SeekFrom::Start(position))?;
    Ok((BufReader::new(file.take(size)), parts))
}

/// Returns the name of a part, if a backup may contain it.
fn name_of<R: Read>(entry: &tar::Entry<'_, R>) -> Result<String, ArchiveError> {
    let name = String::from_utf8_lossy(&entry.header().path_bytes()).into_owned();
    let picture = name.strip_prefix(PICTURES).map(str::parse::<PictureFile>);
    let is_ours = match (name.as_str(), picture) {
        (FORMAT_FILE | DATABASE | MANIFEST | SUMS, _) => true,
        (_, Some(Ok(_))) => entry.size() <= PICTURE_BYTES_MAX,
        _ => false,
    };
    if is_ours && entry.header().entry_type() == tar::EntryType::Regular {
        Ok(name)
    } else {
        Err(damaged(format!("{} is not part of a backup", name.escape_default())))
    }
}

fn unreadable_sums(error: io::Error) -> ArchiveError {
    match error.kind() {
        ErrorKind::InvalidData => damaged("its checksums cannot be read"),
        _ => ArchiveError::Io(error),
    }
}
