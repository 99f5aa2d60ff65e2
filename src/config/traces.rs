//! Which calls are traced, and where traces go: OpenTelemetry's standard variables, which can be set only in the environment. Its
//! library reads those that are not read here.

use http::Uri;

use super::{environment::Environment, settings::Settings};

/// What is traced.
#[derive(Debug, Clone, PartialEq)]
pub struct TracesConfig {
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, else `OTEL_EXPORTER_OTLP_ENDPOINT`: the collector, which
    /// accepts OTLP over gRPC; without one, nothing is traced.
    pub collector: Option<String>,
    pub sampling: Sampling,
}

/// `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// The caller's sampling decision comes first.
    pub follows_callers: bool,
    /// The share of the other calls that are traced, from 0 to 1.
    pub share: f64,
}

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SHARE: &str = "OTEL_TRACES_SAMPLER_ARG";

/// The standard default is to trace everything, which is too much for a service that every request of every service calls.
const DEFAULT: Sampling = Sampling { follows_callers: true, share: 0.01 };

impl TracesConfig {
    pub(super) fn read(environment: &Environment, settings: &mut Settings) -> Self {
        let mut first = |names: [&'static str; 2], check: fn(&str) -> Result<String, String>| {
            names.into_iter().find_map(|name| read(environment, settings, name, check))
        };
        let collector = first(ENDPOINTS, endpoint);
        if collector.is_some() {
            first(PROTOCOLS, protocol);
        }
        let share = read(environment, settings, SHARE, share);
        let sampler = read(environment, settings, SAMPLER, sampler);
        let sampling = match sampler {
            None => Sampling { share: share.unwrap_or(DEFAULT.share), ..DEFAULT },
            Some((follows_callers, Some(share))) => Sampling { follows_callers, share },
            Some((follows_callers, None)) => Sampling { follows_callers, share: share.unwrap_or(1.0) },
        };
        Self { collector, sampling }
    }
}

/// The value of a variable, which counts as unset when it is empty.
fn read<T>(
    environment: &Environment,
    settings: &mut Settings,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let text = environment.get(name).filter(|text| !text.is_empty())?;
    let value = text.to_str().ok_or("is not valid UTF-8".to_owned()).and_then(parse);
    value.map_err(|message| settings.fault(name, message)).ok()
}

fn endpoint(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is not an address such as http://127.0.0.1:4317");
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(_)) => Ok(text.to_owned()),
        (Some("https"), _) => Err("TLS is not available yet: use a collector on this machine".to_owned()),
        _ => Err(wrong()),
    }
}

fn protocol(text: &str) -> Result<String, String> {
    match text {
        "grpc" => Ok(text.to_owned()),
        _ => Err(format!("{text:?} is not available: traces are sent by grpc")),
    }
}

/// Whether callers are followed, and the share of the rest where the name says it.
fn sampler(text: &str) -> Result<(bool, Option<f64>), String> {
    let (follows, kind) = text.strip_prefix("parentbased_").map_or((false, text), |kind| (true, kind));
    match kind {
        "always_on" => Ok((follows, Some(1.0))),
        "always_off" => Ok((follows, Some(0.0))),
        "traceidratio" => Ok((follows, None)),
        _ => Err(format!(
            "{text:?} is not always_on, always_off or traceidratio, nor one of these with the prefix parentbased_"
        )),
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("{text:?} is not a number from 0 to 1"))
}
