//! The settings of profile pictures, combined into the library's policy.

use std::time::Duration;

use countersign::config::{Addressing, BucketCredentials, BucketPolicy, Delivery, MediaPolicy, StoragePolicy};

use super::load::Purpose;
use super::{BackupDestination, MediaDelivery, ShellSettings};

/// Time reserved for decoding and storing a picture whose upload ends just in time.
const AFTER_UPLOAD: Duration = Duration::from_secs(5);

impl ShellSettings {
    /// Returns the name of a setting that contradicts others, and why.
    pub(super) fn media_contradiction(&self, purpose: Purpose) -> Option<(&'static str, &'static str)> {
        let is_bucket = self.s3_bucket_name.is_some();
        match (&self.s3_access_key_id, &self.s3_secret_access_key) {
            (Some(_), None) => return Some(("S3_SECRET_ACCESS_KEY", "is not set, but S3_ACCESS_KEY_ID is")),
            (None, Some(_)) => return Some(("S3_ACCESS_KEY_ID", "is not set, but S3_SECRET_ACCESS_KEY is")),
            _ => {}
        }
        // A command may take a bucket as an argument, and backups may use another bucket.
        let has_another =
            purpose == Purpose::Inspect || matches!(self.backups.backup_to, Some(BackupDestination::Bucket { .. }));
        if !is_bucket && !has_another && self.s3_endpoint_url.is_some() {
            return Some(("S3_BUCKET_NAME", "is not set, but S3_ENDPOINT_URL is"));
        }
        let needs_bucket = matches!(self.media_delivery, Some(MediaDelivery::Direct | MediaDelivery::Presigned));
        (!is_bucket && needs_bucket).then_some(("MEDIA_DELIVERY", "needs S3_BUCKET_NAME, which is not set"))
    }

    /// Returns the policy of the bucket named `bucket`, which the `S3_` settings describe.
    pub(crate) fn bucket_policy(&self, bucket: &str) -> BucketPolicy {
        let mut policy = BucketPolicy::new(bucket, &self.s3_region);
        if let (Some(id), Some(secret)) = (&self.s3_access_key_id, &self.s3_secret_access_key) {
            policy.credentials = Some(BucketCredentials::new(id.clone(), secret.clone()));
        }
        policy.endpoint_url.clone_from(&self.s3_endpoint_url);
        let is_path_style = self.s3_path_style.unwrap_or(self.s3_endpoint_url.is_some());
        policy.addressing = if is_path_style { Addressing::Path } else { Addressing::Host };
        policy
    }

    pub(crate) fn media_policy(&self) -> MediaPolicy {
        let request_time_max = Duration::from_secs(self.request_timeout_seconds.into());
        let (storage, usual) = match &self.s3_bucket_name {
            Some(bucket) => (StoragePolicy::S3(self.bucket_policy(bucket)), MediaDelivery::Direct),
            None => (StoragePolicy::Disk { folder: self.media_dir.clone() }, MediaDelivery::Served),
        };
        let delivery = match (&self.media_url, self.media_delivery.unwrap_or(usual)) {
            (Some(url), _) => Delivery::Base(url.clone()),
            (None, MediaDelivery::Served) => Delivery::Served,
            (None, MediaDelivery::Direct) => Delivery::Direct,
            (None, MediaDelivery::Presigned) => Delivery::Presigned,
        };
        let mut policy = MediaPolicy::default();
        policy.storage = storage;
        policy.delivery = delivery;
        policy.upload_bytes_max = self.max_upload_size_bytes;
        policy.upload_time_max = request_time_max.saturating_sub(AFTER_UPLOAD).max(request_time_max / 2);
        policy
    }
}
