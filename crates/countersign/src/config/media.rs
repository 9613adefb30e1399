//! Profile pictures: limits of uploads, storage and delivery.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "s3")]
use super::BucketPolicy;

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
            #[cfg(feature = "s3")]
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
    #[cfg(feature = "s3")]
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

#[cfg(all(test, feature = "s3"))]
mod tests {
    use super::*;
    use crate::config::Addressing;

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
