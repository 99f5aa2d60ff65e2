//! The standard variables of OpenTelemetry.

use super::*;

fn traces(variables: &[(&str, &str)]) -> TracesConfig {
    load(variables).expect("settings").traces
}

#[test]
fn the_endpoint_for_traces_precedes_the_general_one() {
    const ALL: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
    const TRACES: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4317");
    assert_eq!(traces(&[ALL]).collector.as_deref(), Some(ALL.1));
    assert_eq!(traces(&[ALL, TRACES]).collector.as_deref(), Some(TRACES.1));
    assert_eq!(traces(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]).collector, None);
    assert_eq!(traces(&[("OTEL_SERVICE_NAME", "other")]).collector, None);
}

#[test]
fn samplers_are_those_of_the_standard() {
    for (sampler, argument, follows_callers, share) in [
        ("", "0.5", true, 0.5),
        ("always_on", "0.5", false, 1.0),
        ("always_off", "", false, 0.0),
        ("traceidratio", "0.25", false, 0.25),
        ("traceidratio", "", false, 1.0),
        ("parentbased_always_on", "", true, 1.0),
        ("parentbased_always_off", "", true, 0.0),
        ("parentbased_traceidratio", "0.001", true, 0.001),
    ] {
        let config = traces(&[("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", argument)]);
        assert_eq!(config.sampling, Sampling { follows_callers, share }, "{sampler} {argument}");
    }
}

#[test]
fn faults_are_found_before_the_start() {
    for (name, value, message) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "is not an address such as http://127.0.0.1:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c:4317", "TLS is not available yet"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "is not always_on, always_off or traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", "\"1.5\" is not a number from 0 to 1"),
        ("OTEL_TRACES_SAMPLER_ARG", "nan", "\"nan\" is not a number from 0 to 1"),
    ] {
        let fault = fault(&[(name, value)]);
        assert!(fault.starts_with(&format!("{name}: ")) && fault.contains(message), "{fault}");
    }
    let http = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    assert!(load(&[http]).is_ok(), "it says nothing without a collector");
    assert_eq!(
        fault(&[http, ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")]),
        "OTEL_EXPORTER_OTLP_PROTOCOL: \"http/protobuf\" is not available: traces are sent by grpc"
    );
}
