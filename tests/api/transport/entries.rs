//! Requests with millions of list entries are refused before they are decoded.

use proto::{BatchVerifyRequest, Cost, Endpoint, StreamVerifyRequest, VerifyRequest, View};
use testkit::{
    rpc::{authorization, call, endless_lists},
    server::{Server, channel},
    status::{assert_invalid, reason},
};
use tonic::Status;

use super::assert_others_are_served;

#[track_caller]
fn assert_too_many(refused: &Status, field: &str) {
    assert_invalid(refused, &[field]);
    assert!(refused.message().contains("has far more entries than the field may have"), "{refused:?}");
}

#[tokio::test]
async fn lists_of_millions_are_refused_with_the_field() {
    let server = Server::start().await;
    let credential = format!("Bearer {}", server.root);
    for (path, request, field) in endless_lists() {
        let listener = if field == "requests" { server.verify } else { server.admin };
        let refused = call(&channel(listener), path, authorization(&credential), &request).await;
        assert_too_many(&refused.unwrap_err(), field);
    }
    assert_others_are_served(&server).await;
}

#[tokio::test]
async fn a_message_with_too_many_entries_ends_a_stream() {
    let server = Server::start().await;
    let question = |tags: usize| {
        let request = VerifyRequest { tags: vec![String::new(); tags], ..Default::default() };
        StreamVerifyRequest { request: Some(request) }
    };
    let questions = tokio_stream::iter([question(10_000), question(150_000)]);
    let mut answers = server.verifier().stream_verify(questions).await.unwrap().into_inner();
    assert!(answers.message().await.unwrap().is_some(), "earlier requests are answered");
    assert_too_many(&answers.message().await.unwrap_err(), "request.tags");
}

#[tokio::test]
async fn a_batch_of_a_thousand_full_requests_is_accepted() {
    let server = Server::start().await;
    let cost = Cost { limit: "requests".into(), cost: 1 };
    let question = VerifyRequest {
        api_key: server.root.clone(),
        environment: "production".into(),
        permission: "a.read AND b.write".into(),
        customer: "customer".into(),
        client_ip: "192.0.2.1".into(),
        endpoint: Some(Endpoint { method: "GET".into(), path: "/v1/customers".into() }),
        costs: vec![cost; 10],
        credits: Some(1),
        tags: vec!["team:web".into(); 50],
        min_revision: 1,
        view: View::Basic.into(),
    };
    let requests = vec![question; 1000];
    let answered = server.verifier().batch_verify(BatchVerifyRequest { requests }).await.unwrap();
    assert_eq!(answered.into_inner().results.len(), 1000);
    let requests = vec![VerifyRequest::default(); 1001];
    let refused = server.verifier().batch_verify(BatchVerifyRequest { requests }).await.unwrap_err();
    assert_eq!(reason(&refused, tonic::Code::InvalidArgument), "INVALID_ARGUMENT", "by the verb itself");
    assert_invalid(&refused, &["requests"]);
}
