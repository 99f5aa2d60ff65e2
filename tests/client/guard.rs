//! An axum service behind the guard.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, Response, StatusCode},
    routing::get,
};
use client::{
    ClientAddress, Decision, Denial, DenialCode, Error, ErrorKind, Guard, Identity, KeySource, Question,
    Verify,
};
use testkit::forge;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::ServiceExt;

use crate::{client_of, named_key, new_key, relay::Relay, started};

/// Responds with the identity and the headers of the request.
async fn hello(Extension(identity): Extension<Arc<Identity>>, headers: HeaderMap) -> String {
    let headers: Vec<_> = headers.keys().map(|name| name.as_str()).collect();
    format!("{} {headers:?}", identity.display_name)
}

fn guarded<V: Verify + Clone + Send + Sync + 'static>(guard: Guard<V>) -> Router {
    Router::new().route("/", get(hello)).layer(guard)
}

async fn send(routes: &Router, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(to_bytes(response.into_body(), 10_000).await.unwrap().to_vec()).unwrap()
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_valid_api_key_is_admitted_and_its_header_removed() {
    let (server, client) = started().await;
    let (_, api_key) = named_key(&server, "Web shop").await;
    let bearer = format!("Bearer {api_key}");
    let routes = guarded(Guard::new(client.clone()));
    for headers in [
        &[("authorization", bearer.as_str()), ("accept", "*/*")][..],
        &[("x-api-key", &api_key), ("accept", "*/*")],
        &[("x-api-key", &api_key), ("authorization", &bearer), ("accept", "*/*")],
    ] {
        let response = send(&routes, headers).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(text(response).await, r#"Web shop ["accept"]"#);
    }
    // The same over a stream.
    let response = send(&guarded(Guard::new(client.stream())), &[("x-api-key", &api_key)]).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn requests_without_a_valid_api_key_are_refused() {
    let (server, client) = started().await;
    let (_, api_key) = new_key(&server).await;
    let (_, other) = new_key(&server).await;
    let wrong = forge::with_wrong_secret(&api_key);
    let endless = "x".repeat(5_000);
    let bearer = format!("Bearer {api_key}");
    let routes = guarded(Guard::new(client));
    for (headers, challenge) in [
        (&[][..], "Bearer"),
        (&[("authorization", "Basic dTpw")], "Bearer"),
        (&[("x-api-key", "")], "Bearer"),
        (&[("x-api-key", &other), ("authorization", &bearer)], r#"Bearer error="invalid_request""#),
        (&[("x-api-key", &other), ("x-api-key", &api_key)], r#"Bearer error="invalid_request""#),
        (&[("x-api-key", "junk")], r#"Bearer error="invalid_token""#),
        (&[("x-api-key", &endless)], r#"Bearer error="invalid_token""#),
        (&[("x-api-key", &wrong)], r#"Bearer error="invalid_token""#),
    ] {
        let response = send(&routes, headers).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(header(&response, "www-authenticate"), Some(challenge));
        assert_eq!(text(response).await, "");
    }
}

#[tokio::test]
async fn fields_added_to_the_question_are_checked_too() {
    let (server, client) = started().await;
    let bound = proto::Key {
        customers: vec!["c1".into()],
        allowed_cidrs: vec!["10.0.0.0/8".into()],
        ..Default::default()
    };
    let (key, api_key) = server.key("acme", bound).await;
    let guard = Guard::new(client).environment("production").question(|request, question: Question| {
        let customer = request.headers.get("x-customer").and_then(|it| it.to_str().ok());
        question.customer(customer.unwrap_or_default())
    });
    let routes = guarded(guard);
    let ask = async |address: Option<&str>, customer: &str| {
        let mut request = Request::get("/").header("x-api-key", &api_key).header("x-customer", customer);
        // A header of the client does not change the question.
        request = request.header("x-forwarded-for", "10.0.0.1");
        if let Some(address) = address {
            request = request.extension(ClientAddress(address.parse().unwrap()));
        }
        routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    assert_eq!(ask(Some("10.1.2.3"), "c1").await.status(), StatusCode::OK);
    for (address, customer, code) in [
        (None, "c1", DenialCode::IpNotAllowed),
        (Some("192.0.2.1"), "c1", DenialCode::IpNotAllowed),
        (Some("10.1.2.3"), "c2", DenialCode::WrongCustomer),
    ] {
        let response = ask(address, customer).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(header(&response, "www-authenticate"), None);
        let denial = response.extensions().get::<Denial>().unwrap();
        assert_eq!((denial.code, &denial.key), (code, &key.name));
    }
}

#[tokio::test]
async fn only_the_configured_header_counts() {
    let (server, client) = started().await;
    let (_, api_key) = named_key(&server, "Web shop").await;
    let bearer = format!("Bearer {api_key}");
    let routes = guarded(Guard::new(client).key_from([KeySource::header("x-acme-key")]));
    let response = send(&routes, &[("x-acme-key", &api_key), ("authorization", "Bearer other")]).await;
    assert_eq!(text(response).await, r#"Web shop ["authorization"]"#);
    let response = send(&routes, &[("x-api-key", &api_key), ("authorization", &bearer)]).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_a_decision_no_request_is_admitted() {
    let (server, _) = started().await;
    let (_, api_key) = new_key(&server).await;
    let relay = Relay::to(server.verify).await;
    let client = client_of(&server, relay.address);
    let routes = guarded(Guard::new(client));
    assert_eq!(send(&routes, &[("x-api-key", &api_key)]).await.status(), StatusCode::OK);
    relay.close();
    let response = send(&routes, &[("x-api-key", &api_key)]).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(&response, "retry-after"), Some("1"));
    assert_eq!(response.extensions().get::<Error>().unwrap().kind(), ErrorKind::Unavailable);
    relay.lead_to(server.verify);
    assert_eq!(send(&routes, &[("x-api-key", &api_key)]).await.status(), StatusCode::OK);
}

/// A stand-in for Keystile.
#[derive(Clone)]
struct Answers(Result<Decision, Error>);

impl Verify for Answers {
    async fn verify(&self, _question: Question) -> Result<Decision, Error> {
        self.0.clone()
    }
}

#[tokio::test]
async fn a_limit_is_answered_with_retry_after() {
    let mut denial = Denial::new(DenialCode::RateLimited, StatusCode::TOO_MANY_REQUESTS);
    denial.message = "too many requests".into();
    denial.retry_after = Some(Duration::from_millis(2_500));
    let routes = guarded(Guard::new(Answers(Ok(Decision::Denied(denial)))));
    let response = send(&routes, &[("x-api-key", "key")]).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header(&response, "retry-after"), Some("3"));

    let response = send(&routes, &[("x-api-key", "key"), ("content-type", "application/grpc")]).await;
    assert_eq!(response.status(), StatusCode::OK);
    let status = Status::from_header_map(response.headers()).unwrap();
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "too many requests"));
    let delay = status.get_details_retry_info().unwrap().retry_delay;
    assert_eq!(delay, Some(Duration::from_millis(2_500)));
}

#[tokio::test]
async fn a_value_of_the_request_that_is_not_valid_is_a_bad_request() {
    let (server, client) = started().await;
    let (_, api_key) = new_key(&server).await;
    async fn ask<V: Verify + Clone + Send + Sync + 'static>(
        verifier: V,
        api_key: &str,
        environment: &str,
    ) -> Vec<u16> {
        let environment = environment.to_owned();
        let routes = guarded(Guard::new(verifier).environment(environment).question(|request, question| {
            let customer = request.headers.get("x-customer").and_then(|it| it.to_str().ok());
            question.customer(customer.unwrap_or_default())
        }));
        let mut statuses = Vec::new();
        for customer in ["c1", "two words"] {
            let headers = [("x-api-key", api_key), ("x-customer", customer)];
            statuses.push(send(&routes, &headers).await.status().as_u16());
        }
        let headers = [("x-api-key", api_key), ("x-customer", "a b"), ("content-type", "application/grpc")];
        let response = send(&routes, &headers).await;
        let status = Status::from_header_map(response.headers()).unwrap();
        assert!(response.extensions().get::<Error>().is_some());
        statuses.push(status.code() as u16);
        statuses
    }
    let invalid = Code::InvalidArgument as u16;
    assert_eq!(ask(client.clone(), &api_key, "production").await, [200, 400, invalid]);
    assert_eq!(ask(client.stream(), &api_key, "production").await, [200, 400, invalid]);
    // A value that the service itself sets is a fault of the service.
    assert_eq!(ask(client, &api_key, "two words").await, [503, 503, Code::Unavailable as u16]);
}

#[tokio::test]
async fn a_guarded_service_can_be_tested_with_a_fake_verifier() {
    let mut identity = Identity::default();
    identity.display_name = "Test".into();
    let routes = guarded(Guard::new(Answers(Ok(Decision::Valid(identity)))));
    assert_eq!(text(send(&routes, &[("x-api-key", "key")]).await).await, "Test []");
    let routes = guarded(Guard::new(Answers(Err(Error::unavailable("down")))));
    assert_eq!(send(&routes, &[("x-api-key", "key")]).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}
