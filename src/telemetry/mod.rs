//! What operators see of the process: log lines, metrics, traces.

mod logs;
mod metrics;
mod outage;
mod page;
mod series;
mod traces;

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

pub use logs::init;
pub use metrics::Metrics;
pub use outage::{Outage, Turn};
pub use page::serve;
pub use series::Series;
pub use traces::{CallerTrust, Span, Traces, TracesError};

/// The resource of all metrics and traces: Keystile, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` say otherwise.
fn resource() -> Resource {
    let configured = Resource::builder().build();
    let configured = configured.iter().filter(|(_, value)| !value.as_str().starts_with("unknown_service"));
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", env!("CARGO_PKG_NAME")),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .with_attributes(configured.map(|(key, value)| KeyValue::new(key.clone(), value.clone())))
        .build()
}
