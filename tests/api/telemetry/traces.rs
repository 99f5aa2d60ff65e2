//! Traces, as a collector receives them.

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use proto::{GetKeyRequest, Key, StreamVerifyRequest, verify_service_client::VerifyServiceClient};
use testkit::{
    forge::with_wrong_secret,
    server::{Server, channel},
    telemetry::{Collector, attribute},
};
use tokio::net::TcpListener;
use tonic::{Code, Request, metadata::MetadataValue};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::calls::verify;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A server that sends its traces to a collector, with a key in it.
async fn traced(settings: &[(&str, &str)]) -> (Server, Collector, String) {
    let collector = Collector::start().await;
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    let url = collector.url();
    let settings = [&[("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str())], settings].concat();
    (server.restart_with(&settings).await, collector, api_key)
}

/// `message` with the context of a trace, which its caller has sampled or not.
fn within_a_trace<T>(message: T, sampled: bool) -> Request<T> {
    let parent = format!("00-{TRACE}-{CALLER}-0{}", u8::from(sampled));
    let mut request = Request::new(message);
    request.metadata_mut().insert("traceparent", MetadataValue::try_from(parent).unwrap());
    request
}

/// Stops the server, and returns all spans, each with its method and status.
async fn spans(server: Server, collector: &Collector) -> Vec<(Span, String)> {
    server.stop().await;
    let described = collector.spans().into_iter().map(|span| {
        let [method, status] = ["rpc.method", "rpc.response.status_code"]
            .map(|name| attribute(&span.attributes, name).unwrap_or("none").to_owned());
        (span, format!("{method} {status}"))
    });
    described.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_call_continues_the_trace_of_its_caller() {
    let (server, collector, api_key) = traced(&[("OTEL_TRACES_SAMPLER_ARG", "0")]).await;
    let ask = |sampled| within_a_trace(verify(&api_key), sampled);
    server.verifier().verify(ask(true)).await.unwrap();
    server.verifier().verify(ask(false)).await.unwrap();
    server.verifier().verify(verify(&api_key)).await.unwrap();
    let spans = spans(server, &collector).await;
    let [(span, described)] = &spans[..] else { panic!("not one call was sampled: {spans:?}") };
    assert_eq!(described, "keystile.v1.VerifyService/Verify OK");
    assert_eq!(span.name, "keystile.v1.VerifyService/Verify");
    assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (TRACE.into(), CALLER.into()));
    assert_eq!(span.kind(), SpanKind::Server);
    let resource = collector.taken()[0].resource_spans[0].resource.clone().unwrap();
    assert_eq!(attribute(&resource.attributes, "service.name"), Some("keystile"));
}

#[tokio::test]
async fn an_unauthenticated_call_is_not_traced() {
    let (server, collector, api_key) = traced(&[("OTEL_TRACES_SAMPLER_ARG", "0")]).await;
    // Without a credential, malformed, of a tenant, and with a wrong secret.
    let unknown = with_wrong_secret(&server.root);
    for credential in ["", "Bearer garbage", &format!("Bearer {api_key}"), &format!("Bearer {unknown}")] {
        let mut request = within_a_trace(verify(&api_key), true);
        request.metadata_mut().insert("authorization", credential.parse().unwrap());
        let refused = VerifyServiceClient::new(channel(server.verify)).verify(request).await;
        assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    }
    let request = within_a_trace(HealthCheckRequest::default(), true);
    HealthClient::new(channel(server.verify)).check(request).await.unwrap();
    let request = within_a_trace(tokio_stream::empty(), true);
    let mut reflection = ServerReflectionClient::new(channel(server.verify));
    let mut answers = reflection.server_reflection_info(request).await.unwrap().into_inner();
    assert!(answers.message().await.unwrap().is_none());
    // An authenticated call is traced.
    server.verifier().verify(within_a_trace(verify(&api_key), true)).await.unwrap();
    let spans = spans(server, &collector).await;
    let described: Vec<_> = spans.iter().map(|(_, described)| described.as_str()).collect();
    assert_eq!(described, ["keystile.v1.VerifyService/Verify OK"]);
}

#[tokio::test]
async fn failures_and_streams_have_spans_until_they_end() {
    let (server, collector, api_key) = traced(&[("OTEL_TRACES_SAMPLER", "always_on")]).await;
    let request = GetKeyRequest { name: "projects/acme/keys/none".into() };
    server.keys().get_key(request).await.unwrap_err();
    let question = StreamVerifyRequest { request: Some(verify(&api_key)) };
    let mut answers =
        server.verifier().stream_verify(tokio_stream::iter([question])).await.unwrap().into_inner();
    while answers.message().await.unwrap().is_some() {}
    let spans = spans(server, &collector).await;
    let described: Vec<_> = spans.iter().map(|(_, described)| described.as_str()).collect();
    let stream = "keystile.v1.VerifyService/StreamVerify OK";
    assert_eq!(described, ["keystile.v1.KeyService/GetKey INVALID_ARGUMENT", stream]);
    assert!(spans.iter().all(|(span, _)| span.parent_span_id.is_empty() && span.trace_id.len() == 16));
}

#[tokio::test]
async fn calls_without_a_trace_are_sampled_by_ratio() {
    let (server, collector, api_key) = traced(&[]).await;
    let mut verifier = server.verifier();
    for _ in 0..4000 {
        verifier.verify(verify(&api_key)).await.unwrap();
    }
    // One in a hundred: 40 on average, plus or minus six standard deviations.
    let sampled = spans(server, &collector).await.len();
    assert!((2..=78).contains(&sampled), "{sampled}");
}

#[tokio::test]
async fn an_unreachable_collector_delays_no_call() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let server = Server::start().await;
    let url = format!("http://{gone}");
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), ("OTEL_TRACES_SAMPLER", "always_on")];
    let server = server.restart_with(&settings).await;
    for _ in 0..3000 {
        server.code("no key").await;
    }
    server.stop().await;
}
