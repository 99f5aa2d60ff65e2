//! Traces: a span of each call that is sampled, sent to a collector in the background.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

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
        IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, SdkTracer, SdkTracerProvider, ShouldSample,
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

    /// A call of `method` that begins `now`, if it is sampled: by its caller, whose `headers` say so, or by chance.
    /// Nearly all are not: that is decided before anything is made, or counted where other threads count.
    pub fn begin(
        &self,
        method: &str,
        headers: Option<&HeaderMap>,
        now: impl FnOnce() -> SystemTime,
    ) -> Option<Span> {
        let caller = headers.filter(|headers| headers.contains_key(TRACE_PARENT)).map(|headers| {
            let headers = Headers(headers);
            self.caller.extract_with_context(&Context::new(), &headers)
        });
        let id = self.ids.new_trace_id();
        let sampled =
            self.sampler.should_sample(caller.as_ref(), id, method, &SpanKind::Server, &[], &[]).decision;
        if sampled == SamplingDecision::Drop {
            return None;
        }
        let let_in = caller.is_some().then(LetIn::default);
        Some(Span { context: caller.unwrap_or_default(), begun: now(), let_in })
    }

    /// That call came to this status, which is a fault of ours or is none. Its span is made only now, when it is known
    /// whether its caller is one whose word counts.
    pub fn end_call(&self, call: Span, method: &str, status: &'static str, fault: bool, now: SystemTime) {
        if call.let_in.is_some_and(|let_in| !let_in.0.load(Relaxed)) {
            return;
        }
        let span = self
            .tracer
            .span_builder(method.to_owned())
            .with_kind(SpanKind::Server)
            .with_start_time(call.begun)
            .with_attributes([
                KeyValue::new("rpc.system.name", "grpc"),
                KeyValue::new("rpc.method", method.to_owned()),
                KeyValue::new("rpc.response.status_code", status),
            ]);
        let mut span = span.start_with_context(&self.tracer, &call.context);
        if fault {
            span.set_status(Status::error(status));
        }
        span.end_with_timestamp(now);
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
pub struct Span {
    context: Context,
    begun: SystemTime,
    /// For one that its caller sampled.
    let_in: Option<LetIn>,
}

impl Span {
    /// To be told when the caller is let in; there is none when that makes no difference.
    pub fn let_in(&self) -> Option<LetIn> {
        self.let_in.clone()
    }
}

/// Whether the caller of a call was let in.
#[derive(Debug, Clone, Default)]
pub struct LetIn(Arc<AtomicBool>);

impl LetIn {
    pub fn note(&self) {
        self.0.store(true, Relaxed);
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
