//! Access to a bucket: endpoint, request signing and timeouts.

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{Attribute, Attributes, BackoffConfig, ClientOptions, PutOptions, RetryConfig};
use secrecy::ExposeSecret as _;

use crate::config::{Addressing, BucketPolicy};

/// Timeouts and retries of requests to a bucket.
#[derive(Clone, Copy, Debug)]
pub struct BucketPatience {
    /// One request including its retries.
    pub request_time_max: Duration,
    /// One attempt.
    pub attempt_time_max: Duration,
    /// Connecting to the server.
    pub connect_time_max: Duration,
    /// Maximum number of retries.
    pub retries_max: usize,
}

/// Opens a bucket without making a request.
pub fn open_bucket(policy: &BucketPolicy, patience: BucketPatience) -> object_store::Result<AmazonS3> {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        ..BackoffConfig::default()
    };
    let retry = RetryConfig { backoff, max_retries: patience.retries_max, retry_timeout: patience.request_time_max };
    let options =
        ClientOptions::new().with_timeout(patience.attempt_time_max).with_connect_timeout(patience.connect_time_max);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&policy.bucket)
        .with_region(&policy.region)
        .with_virtual_hosted_style_request(policy.addressing == Addressing::Host)
        .with_client_options(options)
        .with_retry(retry);
    if let Some(endpoint) = &policy.endpoint_url {
        let url = match policy.addressing {
            Addressing::Path => endpoint.trim_end_matches('/').to_owned(),
            Addressing::Host => policy.endpoint_with_bucket(),
        };
        builder = builder.with_allow_http(url.starts_with("http://")).with_endpoint(url);
    }
    if let Some(credentials) = &policy.credentials {
        builder = builder
            .with_access_key_id(credentials.access_key_id.expose_secret())
            .with_secret_access_key(credentials.secret_access_key.expose_secret());
    }
    builder.build()
}

/// The headers that browsers get with a picture straight from the bucket.
pub(super) fn put_options() -> PutOptions {
    let attributes = Attributes::from_iter([
        (Attribute::ContentType, "image/jpeg"),
        (Attribute::CacheControl, "public, max-age=31536000, immutable"),
    ]);
    PutOptions { attributes, ..PutOptions::default() }
}
