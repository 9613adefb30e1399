//! Decides what an operator may set about backups that the server makes by itself.

use std::fmt;
use std::path::PathBuf;

use age::x25519::Recipient;

use super::ShellSettings;
use super::values::{bucket_name, whole_number};

/// What can be set about backups.
#[derive(conf::Conf)]
pub struct BackupSettings {
    /// Where the server puts backups that it makes by itself: a folder that is there, or `s3://bucket/prefix`, which is reached by
    /// the `S3_` settings. It is for this installation alone. Without it none are made. For SQLite; PostgreSQL has `pg_dump`.
    #[conf(env, value_parser = shelf)]
    pub backup_to: Option<BackupShelf>,

    /// How long after one backup was begun the next one is, in hours. Of several instances one makes it.
    #[conf(env, default_value = "24", value_parser = whole_number(1..=8760))]
    pub backup_every_hours: u32,

    /// How many of these backups are kept. The oldest is deleted when a new one is complete.
    #[conf(env, default_value = "7", value_parser = whole_number(1..=10_000))]
    pub backup_keep: u32,

    /// To whom backups are encrypted: public keys that begin with `age1`, separated by commas, such as `backup-key` makes. It
    /// holds for the command `backup` too, unless that is told otherwise. Without it they are not encrypted.
    #[conf(env, value_parser = recipients)]
    pub backup_recipients: Option<Recipients>,
}

/// Where many backups go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupShelf {
    /// Into a folder.
    Folder(PathBuf),
    /// Into a bucket.
    Bucket {
        /// Its name.
        bucket: String,
        /// What stands before their names in it, without a slash at either end; may be empty.
        prefix: String,
    },
}

impl fmt::Display for BackupShelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// Public keys.
#[derive(Clone, Debug)]
pub struct Recipients(pub(crate) Vec<Recipient>);

impl ShellSettings {
    /// To whom backups are encrypted; with none they are not.
    pub(crate) fn backup_recipients(&self) -> Vec<Recipient> {
        self.backups.backup_recipients.as_ref().map(|recipients| recipients.0.clone()).unwrap_or_default()
    }
}

fn shelf(text: &str) -> Result<BackupShelf, &'static str> {
    match text.split_once("://") {
        Some(("s3", place)) => {
            let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
            let prefix = prefix.trim_end_matches('/');
            if !prefix.is_empty() && !is_key(prefix) {
                return Err("the prefix has a part that is empty or not printable");
            }
            Ok(BackupShelf::Bucket { bucket: bucket_name(bucket)?, prefix: prefix.to_owned() })
        }
        Some(_) => Err("accepted is a folder, or s3://bucket/prefix"),
        None => Ok(BackupShelf::Folder(PathBuf::from(text))),
    }
}

/// The bucket and the name of an object in it, of what follows `s3://`.
pub(crate) fn object(place: &str) -> Result<(String, &str), &'static str> {
    match place.split_once('/') {
        Some((bucket, key)) if is_key(key) => Ok((bucket_name(bucket)?, key)),
        _ => Err("accepted is s3://BUCKET/NAME, such as s3://backups/countersign.tar"),
    }
}

/// Whether a text can be the name of an object as it is.
fn is_key(text: &str) -> bool {
    const BYTES_MAX: usize = 900;
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.=+@".contains(&byte))
    };
    text.len() <= BYTES_MAX && text.split('/').all(is_part)
}

/// A public key of age.
pub(crate) fn recipient(text: &str) -> Result<Recipient, &'static str> {
    text.trim().parse().map_err(|_| "accepted is a public key that begins with age1, such as `backup-key` makes")
}

fn recipients(text: &str) -> Result<Recipients, &'static str> {
    let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty()).map(recipient);
    keys.collect::<Result<_, _>>().map(Recipients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backups_go_into_a_folder_or_a_bucket() {
        let bucket = |prefix: &str| BackupShelf::Bucket { bucket: "backups".to_owned(), prefix: prefix.to_owned() };
        for (text, kept) in [
            ("/var/backups", BackupShelf::Folder("/var/backups".into())),
            ("s3://backups", bucket("")),
            ("s3://backups/", bucket("")),
            ("s3://backups/blog/daily/", bucket("blog/daily")),
        ] {
            assert_eq!(shelf(text), Ok(kept), "{text}");
        }
        for text in ["s3://", "s3://a", "s3://backups//x", "s3://backups/../x", "s3://backups/a b", "gs://backups"] {
            assert!(shelf(text).is_err(), "{text}");
        }
        assert_eq!(object("backups/a/b.tar"), Ok(("backups".to_owned(), "a/b.tar")));
        for text in ["", "backups", "backups/", "/b.tar", "backups/a/", "backups/./a", "backups/\u{e9}"] {
            assert!(object(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_recipient_is_a_public_key() {
        let key = age::x25519::Identity::generate();
        let public = key.to_public().to_string();
        assert_eq!(recipients(&format!("{public}, {public},")).unwrap().0.len(), 2);
        for text in ["age1", &public[..public.len() - 1], "ssh-ed25519 AAAA", &public.replace("age1", "age2")] {
            assert!(recipients(text).is_err(), "{text}");
        }
    }
}
