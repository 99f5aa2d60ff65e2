//! Metrics of what lies below gRPC.

use std::sync::Arc;

use opentelemetry::{KeyValue, metrics::Meter};

use crate::{cache::Cache, grpc, ports::Changes, recorder::Decisions};

/// How many verifications were decided, by code.
pub(super) fn decisions(meter: &Meter, decisions: Arc<Decisions>) {
    meter
        .u64_observable_counter("keystile.verifications")
        .with_description("Verifications that were decided, by code.")
        .with_callback(move |counter| {
            for (code, count) in decisions.counts() {
                counter.observe(count, &[KeyValue::new("code", grpc::code_name(code))]);
            }
        })
        .build();
}

/// How often the change log went backwards under this node.
pub(super) fn rewinds(meter: &Meter, cache: Arc<Cache>) {
    meter
        .u64_observable_counter("keystile.change_log.rewinds")
        .with_description("Times that the change log was found to have gone backwards or to be another.")
        .with_callback(move |counter| counter.observe(cache.rewinds().number, &[]))
        .build();
}
