//! A bucket of Amazon S3 or a compatible service.

use std::fmt;

use secrecy::SecretString;

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
