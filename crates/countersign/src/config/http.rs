//! Limits of HTTP requests: the maximum size of a body.

/// Limits of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpPolicy {
    /// Maximum size of a request's body, in bytes.
    pub body_bytes_max: usize,
}

impl Default for HttpPolicy {
    fn default() -> Self {
        Self { body_bytes_max: 65_536 }
    }
}
