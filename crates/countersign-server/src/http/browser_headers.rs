//! The security headers of every response. Separate from the layer that adds them, because each header needs its own
//! reason.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use countersign::config::SiteUrl;
use countersign::http::RequestHost;

const NOTHING_ELSE: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
/// Features that no page uses. Denying them stops injected content from using them, too.
const NO_DEVICES: HeaderValue = HeaderValue::from_static(
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), \
     payment=(), usb=()",
);
const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// How long browsers insist on HTTPS after a visit (RFC 6797).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hsts {
    /// Number of days; 0 makes browsers forget it.
    pub days: u32,
    /// The hosts it applies to.
    pub scope: HstsScope,
}

/// The hosts on which browsers insist on HTTPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HstsScope {
    /// The site's host.
    Host,
    /// The site's host and all its subdomains, including those of other services.
    Subdomains,
}

impl Default for Hsts {
    fn default() -> Self {
        Self { days: 365, scope: HstsScope::Host }
    }
}

impl Hsts {
    /// Returns the header for an https site. Over plain HTTP browsers ignore it (RFC 6797, section 8.1), and on
    /// localhost it would break other projects of the developer.
    fn header(self, site: &SiteUrl) -> Option<HeaderValue> {
        let scope = match self.scope {
            HstsScope::Host => "",
            HstsScope::Subdomains => "; includeSubDomains",
        };
        let seconds = u64::from(self.days) * 86_400;
        let text = format!("max-age={seconds}{scope}");
        if site.is_https() && !site.is_loopback() { HeaderValue::try_from(text).ok() } else { None }
    }
}

/// How the client reaches the site, judged by the requested host.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// On the same machine, where plain HTTP must keep working.
    Local,
    /// Over a network, where browsers should insist on HTTPS.
    Public,
}

impl Transport {
    pub(super) fn of(request: &Request) -> Self {
        let host = RequestHost::of(request.uri(), request.headers()).ok().flatten();
        if host.is_some_and(RequestHost::is_loopback) { Self::Local } else { Self::Public }
    }
}

/// The headers that depend on the site's URL.
#[derive(Clone)]
pub(super) struct BrowserHeaders {
    hsts: Option<HeaderValue>,
    site_is_https: bool,
}

impl BrowserHeaders {
    pub(super) fn new(site: &SiteUrl, hsts: Option<Hsts>) -> Self {
        Self { hsts: hsts.and_then(|hsts| hsts.header(site)), site_is_https: site.is_https() }
    }

    /// Adds the headers that the response does not set.
    pub(super) fn dress(&self, headers: &mut HeaderMap, transport: Transport) {
        headers.reserve(10);
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if transport == Transport::Public {
            headers.extend(self.hsts.iter().map(|hsts| (STRICT_TRANSPORT_SECURITY, hsts.clone())));
        }
        let unless_set = [
            (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
            (REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
            (CONTENT_SECURITY_POLICY, NOTHING_ELSE),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            // Other sites cannot load any other response as an image or a script.
            (CORP, HeaderValue::from_static("same-origin")),
            (PERMISSIONS_POLICY, NO_DEVICES),
        ];
        // Other sites cannot keep a reference to the window. Over plain HTTP browsers ignore this header, with a
        // console warning.
        let opener = (COOP, HeaderValue::from_static("same-origin"));
        let heeded = (self.site_is_https || transport == Transport::Local).then_some(opener);
        for (name, value) in unless_set.into_iter().chain(heeded) {
            headers.entry(name).or_insert(value);
        }
    }
}
