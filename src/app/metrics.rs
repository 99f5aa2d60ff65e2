//! What is measured below the wire, by its name there.

use std::sync::Arc;

use opentelemetry::{KeyValue, metrics::Meter};

use crate::{audit::Decisions, grpc::proto, store::SqlStore};

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

/// How often the database lost what it had confirmed.
pub(super) fn losses(meter: &Meter, store: Arc<SqlStore>) {
    meter
        .u64_observable_counter("keystile.database.losses")
        .with_description("Times that the database was found to have lost changes that were answered.")
        .with_callback(move |counter| counter.observe(store.losses(), &[]))
        .build();
}
