//! Profile pictures: limits of uploads, storage and delivery.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// The folder of pictures in the storage and in their URLs.
pub(crate) const PICTURES_FOLDER: &str = "profile_pics";
/// The path of the default picture.
pub(crate) const DEFAULT_PICTURE_PATH: &str = "/static/profile_pics/default.jpg";

/// What a host configures about profile pictures.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MediaPolicy {
    /// Where files are stored.
    pub storage: StoragePolicy,
    /// How browsers get the files.
    pub delivery: Delivery,
    /// Maximum size of an uploaded file, in bytes.
    pub upload_bytes_max: usize,
    /// Maximum time to wait for the next bytes of an upload.
    pub upload_pause_max: Duration,
    /// Maximum duration of an upload. Keep it below the time limit on requests.
    pub upload_time_max: Duration,
    /// Maximum number of concurrent uploads; further ones are rejected.
    pub uploads_max: usize,
    /// Threads that decode pictures.
    pub decoding_threads: NonZeroUsize,
    /// Maximum memory for decoding, in bytes. Pictures that need more are rejected.
    pub decoding_memory_bytes_max: u64,
}

impl Default for MediaPolicy {
    fn default() -> Self {
        const THREADS_MAX: NonZeroUsize = NonZeroUsize::new(4).expect("not zero");
        Self {
            storage: StoragePolicy::Disk { folder: PathBuf::from("data/media") },
            delivery: Delivery::Served,
            upload_bytes_max: 5 * 1024 * 1024,
            upload_pause_max: Duration::from_secs(10),
            upload_time_max: Duration::from_secs(25),
            uploads_max: 64,
            decoding_threads: std::thread::available_parallelism().map_or(NonZeroUsize::MIN, |n| n.min(THREADS_MAX)),
            decoding_memory_bytes_max: 80 * 1024 * 1024,
        }
    }
}

impl MediaPolicy {
    /// Returns the URL of a user's picture, or of the default picture. A path without a host is on our own site.
    pub fn picture_url(&self, image_file: Option<&str>) -> String {
        let Some(file) = image_file else {
            return DEFAULT_PICTURE_PATH.to_owned();
        };
        let base = match (&self.delivery, &self.storage) {
            (Delivery::Base(url), _) => url.trim_end_matches('/').to_owned(),
            (Delivery::Direct, StoragePolicy::S3(bucket)) => bucket.public_url(),
            _ => "/media".to_owned(),
        };
        format!("{base}/{PICTURES_FOLDER}/{file}")
    }
}

/// Where files are stored. Paths in the storage start with `profile_pics`.
#[derive(Clone, Debug)]
pub enum StoragePolicy {
    /// In a folder on this machine, created with the first file.
    Disk {
        /// The folder.
        folder: PathBuf,
    },
    /// In a bucket of Amazon S3 or a compatible service.
    S3(BucketPolicy),
}

/// How browsers get pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// From us, under `/media`, wherever the files are stored.
    Served,
    /// From the bucket, which is publicly readable; on disk the same as [`Delivery::Served`].
    Direct,
    /// From a private bucket: `/media` redirects to a URL that is valid for a short time.
    Presigned,
    /// From another server, such as a CDN, with this URL before `/profile_pics`.
    Base(String),
}

/// A bucket and how to reach it.
#[derive(Clone)]
#[non_exhaustive]
pub struct BucketPolicy {
    /// The bucket's name.
    pub bucket: String,
    /// The bucket's region.
    pub region: String,
    /// The credentials that sign requests; `None` uses those that the cloud gives to the machine.
    pub credentials: Option<BucketCredentials>,
    /// A server other than Amazon's: scheme, host and port.
    pub endpoint_url: Option<String>,
    /// Where the bucket's name goes in the URL.
    pub addressing: Addressing,
}

impl BucketPolicy {
    /// A bucket of Amazon S3 in this region, with the credentials of the machine.
    pub fn new(bucket: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            region: region.into(),
            credentials: None,
            endpoint_url: None,
            addressing: Addressing::Host,
        }
    }
}

/// Where the name of a bucket goes in its URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Addressing {
    /// In the path, which every server understands.
    Path,
    /// In the host name, as Amazon prefers.
    Host,
}

/// An access key.
#[derive(Clone)]
#[non_exhaustive]
pub struct BucketCredentials {
    /// The key's id; not a secret, but kept private.
    pub access_key_id: SecretString,
    /// The secret key.
    pub secret_access_key: SecretString,
}

impl BucketCredentials {
    /// A key with its id.
    pub fn new(access_key_id: SecretString, secret_access_key: SecretString) -> Self {
        Self { access_key_id, secret_access_key }
    }
}

impl fmt::Debug for BucketPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, region, endpoint_url, addressing, .. } = self;
        f.debug_struct("BucketPolicy")
            .field("bucket", bucket)
            .field("region", region)
            .field("endpoint_url", endpoint_url)
            .field("addressing", addressing)
            .finish_non_exhaustive()
    }
}

impl BucketPolicy {
    /// Returns the bucket's own URL, without a trailing slash.
    pub fn public_url(&self) -> String {
        let Self { bucket, region, .. } = self;
        match (&self.endpoint_url, self.addressing) {
            (None, Addressing::Host) => format!("https://{bucket}.s3.{region}.amazonaws.com"),
            (None, Addressing::Path) => format!("https://s3.{region}.amazonaws.com/{bucket}"),
            (Some(endpoint), Addressing::Path) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
            (Some(_), Addressing::Host) => self.endpoint_with_bucket(),
        }
    }

    /// Turns `https://host` into `https://bucket.host`.
    pub(crate) fn endpoint_with_bucket(&self) -> String {
        let endpoint = self.endpoint_url.as_deref().unwrap_or_default().trim_end_matches('/');
        match endpoint.split_once("://") {
            Some((scheme, host)) => format!("{scheme}://{}.{host}", self.bucket),
            None => endpoint.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(endpoint_url: Option<&str>, addressing: Addressing) -> MediaPolicy {
        let storage = StoragePolicy::S3(BucketPolicy {
            bucket: "pics".to_owned(),
            region: "eu-west-1".to_owned(),
            credentials: None,
            endpoint_url: endpoint_url.map(str::to_owned),
            addressing,
        });
        MediaPolicy { storage, delivery: Delivery::Direct, ..MediaPolicy::default() }
    }

    #[test]
    fn the_url_of_a_picture_follows_storage_and_delivery() {
        let disk = MediaPolicy::default();
        assert_eq!(disk.picture_url(None), "/static/profile_pics/default.jpg");
        assert_eq!(disk.picture_url(Some("a.jpg")), "/media/profile_pics/a.jpg");
        let cdn = MediaPolicy { delivery: Delivery::Base("https://cdn.example/m/".to_owned()), ..disk };
        assert_eq!(cdn.picture_url(Some("a.jpg")), "https://cdn.example/m/profile_pics/a.jpg");
        for (endpoint, addressing, expected) in [
            (None, Addressing::Host, "https://pics.s3.eu-west-1.amazonaws.com/profile_pics/a.jpg"),
            (None, Addressing::Path, "https://s3.eu-west-1.amazonaws.com/pics/profile_pics/a.jpg"),
            (Some("http://localhost:9000/"), Addressing::Path, "http://localhost:9000/pics/profile_pics/a.jpg"),
            (Some("https://s3.example"), Addressing::Host, "https://pics.s3.example/profile_pics/a.jpg"),
        ] {
            assert_eq!(bucket(endpoint, addressing).picture_url(Some("a.jpg")), expected);
        }
        let presigned = MediaPolicy { delivery: Delivery::Presigned, ..bucket(None, Addressing::Host) };
        assert_eq!(presigned.picture_url(Some("a.jpg")), "/media/profile_pics/a.jpg");
    }
}
