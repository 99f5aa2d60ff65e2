//! What is measured below the wire, by its name there.

use std::sync::Arc;

use opentelemetry::{KeyValue, metrics::Meter};

use crate::{audit::Decisions, grpc::proto};

/// Every verification that was decided, by the code that it was answered with.
pub(super) fn decisions(meter: &Meter, decisions: Arc<Decisions>) {
    meter
        .u64_observable_counter("keystile.verifications")
        .with_description("Verifications that were decided, by code.")
        .with_callback(move |counter| {
            for (code, count) in decisions.counts() {
                let name = proto::Code::from(code).as_str_name().trim_start_matches("CODE_");
                counter.observe(count, &[KeyValue::new("code", name)]);
            }
        })
        .build();
}
