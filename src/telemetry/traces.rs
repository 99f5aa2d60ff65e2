//! Traces: one span for each sampled call, sent to a collector in the background.

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

/// Decides which calls are sampled, and sends their spans.
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
    /// Sends this `share` of the calls to `collector`, an address that accepts OTLP over gRPC. If it `follows` callers, their
    /// sampling decisions come first. Must be called within a tokio runtime.
    pub fn start(collector: &str, share: f64, follows: bool) -> Result<Self, TracesError> {
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(collector).build()?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            // Only sampled calls become spans.
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

    /// The span of a call of `method` that begins `now`, if the call is sampled: by its caller, as its `headers` say, or by chance.
    /// Nearly all calls are not, so the decision allocates nothing and touches no memory that threads share.
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
        let trust = caller.is_some().then(CallerTrust::default);
        Some(Span { context: caller.unwrap_or_default(), begun: now(), trust })
    }

    /// Exports the span of a `call` that ended with this `status`. It is created only now, because a caller's sampling decision
    /// counts only if the caller was authenticated.
    pub fn end_call(&self, call: Span, method: &str, status: &'static str, fault: bool, now: SystemTime) {
        if call.trust.is_some_and(|trust| !trust.0.load(Relaxed)) {
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

    /// Sends the remaining spans, and blocks until they are sent, for a limited time.
    pub fn end(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST) {
            tracing::warn!(error = %error, "the last traces could not be sent");
        }
    }
}

/// A sampled call that is under way.
#[derive(Debug)]
pub struct Span {
    context: Context,
    begun: SystemTime,
    /// If its caller sampled it.
    trust: Option<CallerTrust>,
}

impl Span {
    /// To be granted once the caller is authenticated; `None` when that makes no difference.
    pub fn trust(&self) -> Option<CallerTrust> {
        self.trust.clone()
    }
}

/// Whether the caller of a call was authenticated.
#[derive(Debug, Clone, Default)]
pub struct CallerTrust(Arc<AtomicBool>);

impl CallerTrust {
    pub fn grant(&self) {
        self.0.store(true, Relaxed);
    }
}

/// How long sending the last traces may take.
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
