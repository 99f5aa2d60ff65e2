//! Metrics: recorded through OpenTelemetry, exported as Prometheus text.

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_prometheus::exporter;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};

use super::resource;

/// The metrics of one server.
#[derive(Debug, Clone)]
pub struct Metrics {
    provider: SdkMeterProvider,
    registry: Registry,
}

impl Metrics {
    pub fn new() -> Self {
        let registry = Registry::new();
        let exporter = exporter().with_registry(registry.clone()).scope_info_enabled(false).build();
        let exporter = exporter.expect("the registry is empty");
        let provider = SdkMeterProvider::builder().with_reader(exporter).with_resource(resource()).build();
        Self { provider, registry }
    }

    /// Creates instruments.
    pub fn meter(&self) -> Meter {
        self.provider.meter(env!("CARGO_PKG_NAME"))
    }

    pub(super) fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;

    use super::*;

    #[test]
    fn recorded_values_are_exported_with_the_resource() {
        let metrics = Metrics::new();
        let calls = metrics.meter().u64_counter("calls").build();
        calls.add(2, &[KeyValue::new("method", "a")]);
        calls.add(1, &[KeyValue::new("method", "a")]);
        let text = metrics.text().unwrap();
        assert!(text.contains("calls_total{method=\"a\"} 3\n"), "{text}");
        let version = env!("CARGO_PKG_VERSION");
        assert!(text.contains("target_info{") && text.contains("service_name=\"keystile\""), "{text}");
        assert!(text.contains(&format!("service_version=\"{version}\"")), "{text}");
    }
}
