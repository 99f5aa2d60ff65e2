//! Traces: a span of each call that is sampled, sent to a collector in the background.

use std::time::Duration;

use http::HeaderMap;
use opentelemetry::{
    Context, KeyValue,
    propagation::{Extractor, TextMapPropagator},
    trace::{Span as _, SpanKind, Status, Tracer, TracerProvider},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{
        self, IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, SdkTracer, SdkTracerProvider,
        ShouldSample,
    },
};

use super::resource;

/// What is traced, and where it goes.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    sampler: Sampler,
    ids: RandomIdGenerator,
    caller: TraceContextPropagator,
}

#[derive(Debug, thiserror::Error)]
#[error("traces cannot be sent: {0}")]
pub struct TracesError(#[from] opentelemetry_otlp::ExporterBuildError);

impl Traces {
    /// Sends to `collector`, an address that takes OTLP over gRPC, this share of the calls; if it `follows` its
    /// callers, all calls that they sample and none that they do not. Needs tokio around it.
    pub fn start(collector: &str, share: f64, follows: bool) -> Result<Self, TracesError> {
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(collector).build()?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            // What gets there is sampled already.
            .with_sampler(Sampler::AlwaysOn)
            .with_batch_exporter(exporter)
            .build();
        let share = Sampler::TraceIdRatioBased(share);
        Ok(Self {
            tracer: provider.tracer(env!("CARGO_PKG_NAME")),
            provider,
            sampler: if follows { Sampler::ParentBased(Box::new(share)) } else { share },
            ids: RandomIdGenerator::default(),
            caller: TraceContextPropagator::new(),
        })
    }

    /// The span of a call of `method` that came with `headers`, if it is sampled. Nearly all are not: that is decided
    /// before anything is made, or counted where other threads count.
    pub fn begin(&self, method: &str, headers: &HeaderMap) -> Option<Span> {
        let caller = headers.contains_key(TRACE_PARENT).then(|| {
            let headers = Headers(headers);
            self.caller.extract_with_context(&Context::new(), &headers)
        });
        let id = self.ids.new_trace_id();
        let sampled =
            self.sampler.should_sample(caller.as_ref(), id, method, &SpanKind::Server, &[], &[]).decision;
        if sampled == SamplingDecision::Drop {
            return None;
        }
        let span = self.tracer.span_builder(method.to_owned()).with_kind(SpanKind::Server).with_attributes([
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method.to_owned()),
        ]);
        Some(Span(span.start_with_context(&self.tracer, &caller.unwrap_or_default())))
    }

    /// Sends what is still to be sent, and blocks until it is, for a while.
    pub fn end(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST) {
            tracing::warn!(error = %error, "the last traces were not sent");
        }
    }
}

/// A call under way that is sampled.
#[derive(Debug)]
pub struct Span(trace::Span);

impl Span {
    /// The call came to this status, which is a fault of ours or is none.
    pub fn end(mut self, status: &'static str, fault: bool) {
        self.0.set_attribute(KeyValue::new("rpc.response.status_code", status));
        if fault {
            self.0.set_status(Status::error(status));
        }
        self.0.end();
    }
}

/// How long a collector may take over the last traces.
const LAST: Duration = Duration::from_secs(2);

const TRACE_PARENT: &str = "traceparent";

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}
