//! Decides what an operator may set about being told how the program does: metrics and traces.

use std::net::SocketAddr;

use axum::http::{HeaderName, HeaderValue};
use countersign::config::SecretKey;

use super::values::{base_url, chosen, secret_key};
use crate::telemetry::TraceParents;

/// What can be set about metrics and traces.
#[derive(conf::Conf)]
pub struct TelemetrySettings {
    /// An address and port of their own on which metrics are served at `/metrics`, such as `127.0.0.1:9464`. Whoever reaches it
    /// can read them. Without this setting and `METRICS_TOKEN` nothing is counted.
    #[conf(env, value_parser = socket_address)]
    pub metrics_listen: Option<SocketAddr>,

    /// With this, metrics are also served at `/metrics` of the site itself, to whoever shows it as a bearer token: at least 32
    /// bytes, made like `SECRET_KEY`. To others there is no such page.
    #[conf(env, secret, value_parser = secret_key)]
    pub metrics_token: Option<SecretKey>,

    /// A collector of OpenTelemetry that takes traces over HTTP, such as `http://127.0.0.1:4318`: what comes before `/v1/traces`.
    /// Without it there are none.
    #[conf(env, value_parser = base_url)]
    pub otel_exporter_otlp_endpoint: Option<String>,

    /// What the collector wants to be sent with them, as `name=value`, several separated by commas; most often
    /// `authorization=Bearer …`.
    #[conf(env, secret, value_parser = headers)]
    pub otel_exporter_otlp_headers: Option<OtlpHeaders>,

    /// Which part of the requests is traced, from `0` to `1`.
    #[conf(env, default_value = "1", value_parser = ratio)]
    pub otel_traces_sampler_arg: f64,

    /// Whose `traceparent` is taken over, so that a request goes on with a trace that began elsewhere: `nobody`, or
    /// `trusted_proxies`. They decide then which requests are traced too, so they must not hand on what their own clients
    /// send.
    #[conf(env, default_value = "nobody", value_parser = parents)]
    pub traceparent_from: TraceParents,
}

/// Headers for the collector.
#[derive(Clone)]
pub struct OtlpHeaders(pub(crate) Vec<(HeaderName, HeaderValue)>);

fn socket_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "accepted is an address and a port such as 127.0.0.1:9464 or [::1]:9464")
}

fn ratio(text: &str) -> Result<f64, &'static str> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or("accepted is a number from 0 to 1, such as 0.05")
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
    headers.map(OtlpHeaders).ok_or("accepted is name=value, several separated by commas")
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
