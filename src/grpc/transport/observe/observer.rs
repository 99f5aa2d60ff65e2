//! Records how long each call took and how it ended, and the span of a call that is sampled.

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
use tonic::{Code, Status, body::Body};

use crate::{
    ports::Clock,
    telemetry::{Span, Traces},
};

use crate::grpc::transport::{
    body::{NextFrame, Watched, Watcher},
    methods::{self, Kind, VERIFY_SERVICE},
};

/// Has an entry for every method, so that callers cannot create time series with names of their own.
pub struct Observer {
    clock: Arc<dyn Clock>,
    traces: Option<Traces>,
    durations: Histogram<f64>,
    /// The first is for every unknown method.
    methods: Vec<Method>,
    by_path: HashMap<String, usize, foldhash::fast::RandomState>,
}

struct Method {
    name: String,
    /// Needs no credential.
    public: bool,
    /// A stream lasts as long as its caller likes, so its duration says nothing.
    streams: bool,
    /// The series of successful verifications, bound in advance: looking it up for each call would be too slow.
    succeeded: Option<BoundHistogram<f64>>,
}

/// In seconds; a verification from the cache takes some microseconds.
const BOUNDS: [f64; 18] = [
    0.000_01, 0.000_025, 0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0, 2.5, 10.0,
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
        observer.add(methods::Method { name: "_OTHER".to_owned(), kind: Kind::Change, streams: false });
        for method in methods::methods() {
            observer.add(method);
        }
        observer
    }

    fn add(&mut self, method: methods::Method) {
        let methods::Method { name, kind, streams } = method;
        self.by_path.insert(format!("/{name}"), self.methods.len());
        let is_hot = name.strip_prefix(VERIFY_SERVICE).is_some_and(|rest| rest.starts_with('/')) && !streams;
        let succeeded = is_hot.then(|| self.durations.bind(&attributes(&name, Code::Ok)));
        self.methods.push(Method { name, public: kind == Kind::Public, streams, succeeded });
    }

    /// Sends the remaining traces, and blocks until they are sent, for a limited time.
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

    pub(super) fn begin(self: &Arc<Self>, path: &str, headers: &HeaderMap) -> Call {
        let method = self.by_path.get(path).copied().unwrap_or_default();
        let Method { name, public, .. } = &self.methods[method];
        // Without a credential, the caller's sampling decision does not count.
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

/// A call under way, recorded when it is dropped.
pub(super) struct Call {
    observer: Arc<Observer>,
    method: usize,
    begun: Duration,
    span: Option<Span>,
    /// Its status; until it has one, its caller may cancel it.
    code: Code,
}

impl Call {
    /// Called with the answer, which of a stream is only the beginning.
    pub(super) fn answered(self, response: Response<Body>) -> Response<Body> {
        match status(response.headers()) {
            None if self.method().streams => match self.span {
                Some(_) => response.map(|body| Body::new(Watched::new(body, UntilStatus(Some(self))))),
                None => response,
            },
            code => {
                self.end(code.unwrap_or(Code::Ok));
                response
            }
        }
    }

    pub(super) fn span(&self) -> Option<&Span> {
        self.span.as_ref()
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
        match &method.succeeded {
            Some(series) if *code == Code::Ok => series.record(duration),
            _ => observer.durations.record(duration, &attributes(&method.name, *code)),
        }
    }
}

/// Ends the call of a sampled stream when its status passes.
struct UntilStatus(Option<Call>);

impl Watcher for UntilStatus {
    fn frame(&mut self, frame: NextFrame) -> NextFrame {
        let code = match &frame {
            Some(Ok(frame)) => frame.trailers_ref().and_then(status),
            Some(Err(status)) => Some(status.code()),
            None => Some(Code::Ok),
        };
        if let Some(code) = code
            && let Some(call) = self.0.take()
        {
            call.end(code);
        }
        frame
    }
}

fn status(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|status| Code::from_bytes(status.as_bytes()))
}

/// Whether OpenTelemetry's conventions count the status as an error of the server.
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
