//! What operators see of calls: how long each took and how it ended, and a trace of those that are sampled.

mod layer;

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, Response};
use opentelemetry::{
    KeyValue,
    metrics::{BoundHistogram, Histogram, Meter},
};
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::{Code, Status, body::Body};

use crate::{
    ports::Clock,
    telemetry::{Span, Traces},
};

use super::authenticate::OPEN;

use layer::Lasting;
pub(in crate::grpc) use layer::Observe;
use proto::FILE_DESCRIPTOR_SET;

/// Knows every method by its path, so that no caller makes up names for series.
pub struct Observer {
    clock: Arc<dyn Clock>,
    traces: Option<Traces>,
    durations: Histogram<f64>,
    /// The first stands for whatever is none of the others.
    methods: Vec<Method>,
    by_path: HashMap<String, usize, foldhash::fast::RandomState>,
}

struct Method {
    name: String,
    /// It needs no credential.
    public: bool,
    /// Such a call lasts as long as its caller likes, so its duration says nothing.
    streams: bool,
    /// There for verifications: they cannot afford to look for their series.
    answered: Option<BoundHistogram<f64>>,
}

/// In seconds; within the server, a warm verification takes some millionths of one.
const BOUNDS: [f64; 18] = [
    0.000_01, 0.000_025, 0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0, 2.5, 10.0,
];

/// The services of ours, and those that everybody has.
const EVERYTHING: [&[u8]; 4] = [
    FILE_DESCRIPTOR_SET,
    tonic_health::pb::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
];

impl Observer {
    pub fn new(meter: &Meter, clock: Arc<dyn Clock>, traces: Option<Traces>) -> Self {
        let durations = meter
            .f64_histogram("rpc.server.call.duration")
            .with_description("How long calls took, but for streams.")
            .with_unit("s")
            .with_boundaries(BOUNDS.to_vec())
            .build();
        let mut observer =
            Self { clock, traces, durations, methods: Vec::new(), by_path: HashMap::default() };
        observer.know("_OTHER".to_owned(), false);
        for descriptors in EVERYTHING {
            let descriptors = FileDescriptorSet::decode(descriptors).expect("descriptors are well-formed");
            for file in &descriptors.file {
                for service in &file.service {
                    for method in &service.method {
                        let name = format!("{}.{}/{}", file.package(), service.name(), method.name());
                        observer.know(name, method.server_streaming());
                    }
                }
            }
        }
        observer
    }

    fn know(&mut self, name: String, streams: bool) {
        self.by_path.insert(format!("/{name}"), self.methods.len());
        let hot = name.starts_with("keystile.v1.VerifyService/") && !streams;
        let answered = hot.then(|| self.durations.bind(&attributes(&name, Code::Ok)));
        let public = OPEN.iter().any(|open| name.starts_with(&open[1..]));
        self.methods.push(Method { name, public, streams, answered });
    }

    /// Sends the traces that are still to be sent, and blocks until they are, for a while.
    pub fn end(&self) {
        if let Some(traces) = &self.traces {
            traces.end();
        }
    }

    fn end_span(&self, span: Span, method: &str, code: Code) {
        if let Some(traces) = &self.traces {
            traces.end_call(span, method, name(code), is_fault(code), self.now());
        }
    }

    fn now(&self) -> SystemTime {
        let micros = u64::try_from(self.clock.now().as_micros()).unwrap_or_default();
        SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
    }

    fn begin(self: &Arc<Self>, path: &str, headers: &HeaderMap) -> Call {
        let method = self.by_path.get(path).copied().unwrap_or_default();
        let Method { name, public, .. } = &self.methods[method];
        // What anybody may call is sampled by chance only.
        let headers = (!public).then_some(headers);
        Call {
            span: self.traces.as_ref().and_then(|traces| traces.begin(name, headers, || self.now())),
            begun: self.clock.uptime(),
            observer: self.clone(),
            method,
            code: Code::Cancelled,
        }
    }
}

fn attributes(method: &str, code: Code) -> [KeyValue; 3] {
    [
        KeyValue::new("rpc.system.name", "grpc"),
        KeyValue::new("rpc.method", method.to_owned()),
        KeyValue::new("rpc.response.status_code", name(code)),
    ]
}

/// A call under way; what becomes of it is told when it is dropped.
struct Call {
    observer: Arc<Observer>,
    method: usize,
    begun: Duration,
    span: Option<Span>,
    /// What it came to; until it is answered, its caller may still give up.
    code: Code,
}

impl Call {
    /// Its answer has come; a stream has only begun to.
    fn answered(self, response: Response<Body>) -> Response<Body> {
        match status(response.headers()) {
            None if self.method().streams => match self.span {
                Some(_) => response.map(|body| Body::new(Lasting { body, call: Some(self) })),
                None => response,
            },
            code => {
                self.end(code.unwrap_or(Code::Ok));
                response
            }
        }
    }

    fn end(mut self, code: Code) {
        self.code = code;
    }

    fn method(&self) -> &Method {
        &self.observer.methods[self.method]
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(span) = self.span.take() {
            self.observer.end_span(span, &self.method().name, self.code);
        }
        let Self { observer, begun, code, .. } = self;
        let method = &observer.methods[self.method];
        if method.streams {
            return;
        }
        let duration = observer.clock.uptime().saturating_sub(*begun).as_secs_f64();
        match &method.answered {
            Some(answered) if *code == Code::Ok => answered.record(duration),
            _ => observer.durations.record(duration, &attributes(&method.name, *code)),
        }
    }
}

fn status(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|status| Code::from_bytes(status.as_bytes()))
}

/// Whether it is the server's fault, as OpenTelemetry sees it.
fn is_fault(code: Code) -> bool {
    use Code::{DataLoss, DeadlineExceeded, Internal, Unavailable, Unimplemented, Unknown};
    matches!(code, Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss)
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("methods", &self.methods.len()).finish_non_exhaustive()
    }
}
