//! The settings of metrics and traces.

use std::net::SocketAddr;

use axum::http::{HeaderName, HeaderValue};
use countersign::config::SecretKey;

use super::values::{base_url, chosen, secret_key};
use crate::telemetry::TraceParents;

/// The settings of metrics and traces.
#[derive(conf::Conf)]
pub struct TelemetrySettings {
    /// A separate address and port that serves metrics at `/metrics`, such as `127.0.0.1:9464`, without authentication.
    /// Metrics are collected only if this or `METRICS_TOKEN` is set.
    #[conf(env, value_parser = socket_address)]
    pub metrics_listen: Option<SocketAddr>,

    /// Also serves metrics at `/metrics` of the site itself, to clients that send this bearer token: at least 32 bytes,
    /// generated like `SECRET_KEY`. Other clients get 404.
    #[conf(env, secret, value_parser = secret_key)]
    pub metrics_token: Option<SecretKey>,

    /// The base URL of an OpenTelemetry collector that accepts traces over HTTP, such as `http://127.0.0.1:4318`,
    /// without `/v1/traces`. If it is not set, no traces are sent.
    #[conf(env, value_parser = base_url)]
    pub otel_exporter_otlp_endpoint: Option<String>,

    /// Headers to send to the collector, as `name=value` separated by commas; usually `authorization=Bearer …`.
    #[conf(env, secret, value_parser = headers)]
    pub otel_exporter_otlp_headers: Option<OtlpHeaders>,

    /// The fraction of requests to trace, from `0` to `1`.
    #[conf(env, default_value = "1", value_parser = ratio)]
    pub otel_traces_sampler_arg: f64,

    /// Whose `traceparent` headers are accepted, so that a request continues a trace begun elsewhere: `nobody` or
    /// `trusted_proxies`. The proxies then also decide which requests are traced, so they must not forward the header
    /// of their own clients.
    #[conf(env, default_value = "nobody", value_parser = parents)]
    pub traceparent_from: TraceParents,
}

/// Headers to send to the collector.
#[derive(Clone)]
pub struct OtlpHeaders(pub(crate) Vec<(HeaderName, HeaderValue)>);

fn socket_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "expected an address and a port such as 127.0.0.1:9464 or [::1]:9464")
}

fn ratio(text: &str) -> Result<f64, &'static str> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or("expected a number from 0 to 1, such as 0.05")
}

fn parents(text: &str) -> Result<TraceParents, String> {
    chosen(text, &[("nobody", TraceParents::Nobody), ("trusted_proxies", TraceParents::TrustedProxies)])
}

fn headers(text: &str) -> Result<OtlpHeaders, &'static str> {
    let header = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let mut value = HeaderValue::try_from(value.trim()).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::try_from(name.trim()).ok()?, value))
    };
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let headers: Option<Vec<_>> = pairs.map(header).collect();
    headers.map(OtlpHeaders).ok_or("expected name=value, several separated by commas")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_from_none_to_all() {
        for (text, number) in [("0", 0.0), ("1", 1.0), ("0.05", 0.05)] {
            assert!((ratio(text).unwrap() - number).abs() < f64::EPSILON, "{text}");
        }
        for text in ["", "-0.1", "1.1", "NaN", "inf", "half"] {
            assert!(ratio(text).is_err(), "{text}");
        }
    }

    #[test]
    fn headers_are_pairs() {
        let found = headers("authorization=Bearer a=b, x-scope = one ,").unwrap().0;
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(found, [("authorization", "Bearer a=b"), ("x-scope", "one")]);
        for text in ["authorization", "a b=c", "a=\u{1}"] {
            assert!(headers(text).is_err(), "{text}");
        }
    }
}
