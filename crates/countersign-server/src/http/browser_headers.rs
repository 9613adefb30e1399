//! The headers of every answer that keep a browser in check. Apart from the layer that adds them, because each is a decision of its
//! own.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use countersign::config::SiteUrl;
use countersign::http::AskedHost;

const NOTHING_ELSE: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
/// What no page of ours uses, so that nothing that gets into one can.
const NO_DEVICES: HeaderValue = HeaderValue::from_static(
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), \
     payment=(), usb=()",
);
const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// For how long browsers shall insist on encryption once they have been here (RFC 6797).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hsts {
    /// How many days; with 0, browsers forget it.
    pub days: u32,
    /// For which hosts.
    pub scope: HstsScope,
}

/// For which hosts browsers insist on encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HstsScope {
    /// The site's own.
    Host,
    /// And all below it, whatever else is reached there.
    Subdomains,
}

impl Default for Hsts {
    fn default() -> Self {
        Self { days: 365, scope: HstsScope::Host }
    }
}

impl Hsts {
    /// The header, where the site is reached by https. Over plain HTTP it would mean nothing (RFC 6797, section 8.1), and on this
    /// machine it would break what else is developed there.
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

/// How the client reaches the site, as far as the host tells that it asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// On the same machine, where plain HTTP has to go on working.
    Local,
    /// Over a network, where browsers shall insist on encryption.
    Public,
}

impl Transport {
    pub(super) fn of(request: &Request) -> Self {
        let host = AskedHost::of(request.uri(), request.headers()).ok().flatten();
        if host.is_some_and(AskedHost::is_loopback) { Self::Local } else { Self::Public }
    }
}

/// What browsers are told, as it follows from where the site is.
#[derive(Clone)]
pub(super) struct BrowserHeaders {
    hsts: Option<HeaderValue>,
    site_is_https: bool,
}

impl BrowserHeaders {
    pub(super) fn new(site: &SiteUrl, hsts: Option<Hsts>) -> Self {
        Self { hsts: hsts.and_then(|hsts| hsts.header(site)), site_is_https: site.is_https() }
    }

    /// Adds what an answer does not say otherwise.
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
            // No other site loads anything else as a picture or a script.
            (CORP, HeaderValue::from_static("same-origin")),
            (PERMISSIONS_POLICY, NO_DEVICES),
        ];
        // Nor does one keep a hold of the window. Over plain HTTP browsers pass over that, and complain in their console.
        let opener = (COOP, HeaderValue::from_static("same-origin"));
        let heeded = (self.site_is_https || transport == Transport::Local).then_some(opener);
        for (name, value) in unless_set.into_iter().chain(heeded) {
            headers.entry(name).or_insert(value);
        }
    }
}
