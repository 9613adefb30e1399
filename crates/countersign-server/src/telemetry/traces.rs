//! Sends traces with OTLP over HTTP, in batches from a separate thread. Requests never wait for it: if the collector is
//! slow or down, spans that exceed the queue are dropped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::{TraceId, TraceSettings};

/// Maximum number of queued spans, a few megabytes. More are dropped.
const QUEUE_MAX: usize = 4_096;
const BATCH_MAX: usize = 512;
/// How long a span waits for others in its batch.
const SEND_EVERY: Duration = Duration::from_secs(1);
/// Timeout of the collector for a batch.
const SEND_MAX: Duration = Duration::from_secs(5);
/// Maximum time to send the remaining spans on exit.
const STOP_MAX: Duration = Duration::from_secs(3);

/// The sender of traces. Dropping it without [`Traces::stop`] loses queued spans.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts the sending thread, without connecting yet.
    pub(super) fn start(settings: &TraceSettings) -> Result<Self, ExporterBuildError> {
        let headers = settings
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{}/v1/traces", settings.endpoint))
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(SEND_MAX)
            .with_headers(headers.collect::<HashMap<_, _>>())
            .build()?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(SEND_EVERY)
            .build();
        let resource = Resource::builder_empty()
            .with_service_name(settings.program)
            .with_attribute(KeyValue::new("service.version", settings.version));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(Sender::new(exporter)).with_batch_config(batches).build())
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.ratio))))
            .with_resource(resource.build())
            .build();
        Ok(Self(provider))
    }

    /// Returns the layer that receives spans.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("countersign"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
    }

    /// Sends the queued spans, within a time limit.
    #[expect(
        clippy::disallowed_methods,
        reason = "the client that blocks must not be ended on a thread of the runtime; it is bounded"
    )]
    pub(crate) async fn stop(self) {
        let stopped = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(STOP_MAX));
        if let Ok(Err(error)) = stopped.await {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Sends spans, and logs only when sending starts to fail and when it works again.
#[derive(Debug)]
struct Sender {
    exporter: opentelemetry_otlp::SpanExporter,
    is_failing: AtomicBool,
}

impl Sender {
    fn new(exporter: opentelemetry_otlp::SpanExporter) -> Self {
        Self { exporter, is_failing: AtomicBool::new(false) }
    }
}

impl SpanExporter for Sender {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(spans).await;
        let was_failing = self.is_failing.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_failing => {
                tracing::warn!(%error, "traces cannot be sent; those that exceed the queue are dropped");
            }
            Ok(()) if was_failing => tracing::info!("traces are sent again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Makes the span part of the trace in `headers`, if there is one, and returns the trace ID.
pub(super) fn enter_trace(span: &Span, headers: Option<&HeaderMap>) -> Option<TraceId> {
    if let Some(headers) = headers {
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
        if parent.span().span_context().is_valid() {
            // Fails only if no layer collects spans.
            let _ = span.set_parent(parent);
        }
    }
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| TraceId::new(context.trace_id().to_bytes()))
}

/// The headers, for the propagator.
struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    /// Ignores a header that occurs twice.
    fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
