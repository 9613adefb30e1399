//! HTTP requests: the largest body.

/// Bounds on requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpPolicy {
    /// Largest body of a request, in bytes.
    pub body_bytes_max: usize,
}

impl Default for HttpPolicy {
    fn default() -> Self {
        Self { body_bytes_max: 65_536 }
    }
}
