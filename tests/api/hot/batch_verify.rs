//! BatchVerify: every request is answered separately, in the order of the requests.

use std::time::Duration;

use proto::{BatchVerifyRequest, Code, Key, VerifyRequest, VerifyResponse};
use testkit::{
    forge::{damaged, forged, with_wrong_secret},
    server::{Outcome, Server, outcome},
};
use tokio::time::timeout;
use tonic::Request;

use super::{PATIENCE, assert_fails, bad_requests};

use crate::calls::{
    HOUR, assert_invalid, deletion, disabling, ends, inner, revocation, rotation, texts, verify,
};

#[tokio::test]
async fn zero_and_more_than_a_thousand_are_refused() {
    let server = Server::start().await;
    for number in [0, 1001, 5000] {
        let status = server.batch(vec![verify("junk"); number]).await.unwrap_err();
        assert_invalid(&status, &["requests"]);
    }
    for number in [1, 1000] {
        let results = server.batch(vec![verify("junk"); number]).await.unwrap();
        assert_eq!(results.len(), number);
        assert!(results.iter().all(|it| it.as_ref().unwrap().code() == Code::Malformed));
    }
}

#[tokio::test]
async fn a_bad_request_fails_no_other() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let bad = bad_requests(&api_key);
    let mut requests = vec![verify(&api_key)];
    for (request, _, _) in &bad {
        requests.extend([request.clone(), verify(&api_key)]);
    }
    requests.push(VerifyRequest::default());
    let results = server.batch(requests).await.unwrap();
    assert_eq!(results.len(), 2 * bad.len() + 2);
    for (number, (request, code, reason)) in bad.into_iter().enumerate() {
        let failed = &results[2 * number + 1];
        assert_fails(failed, code, reason);
        let unary = server.ask(request).await.unwrap_err();
        assert_eq!(failed.as_ref().unwrap_err().message, unary.message());
        assert_eq!(testkit::status::reason(&unary, code), reason);
    }
    for good in results[..results.len() - 1].iter().step_by(2) {
        let good = good.as_ref().unwrap();
        assert_eq!((good.code(), &good.key), (Code::Valid, &key.name));
    }
    assert_eq!(results.last().unwrap().as_ref().unwrap().code(), Code::Malformed, "an empty request");
}

/// All kinds of API keys and requests, a thousand, shuffled, warm and cold.
#[tokio::test]
async fn a_batch_of_a_thousand_is_answered_like_single_calls() {
    let server = Server::start().await;
    let questions = all_kinds(&server).await;
    let mut asked = Vec::new();
    for number in 0..1000_usize {
        // Coprime to their number, so that all are used, in a shuffled order.
        asked.push(questions[number * 7919 % questions.len()].clone());
    }
    // The node has followed its own changes, so that all decisions rest on the same revision.
    server.caught_up().await;
    let cold = server.batch(asked.clone()).await.unwrap();
    let warm = server.batch(asked.clone()).await.unwrap();
    assert_eq!((cold.len(), warm.len()), (1000, 1000));
    let mut seen = std::collections::BTreeSet::new();
    for (number, request) in asked.into_iter().enumerate() {
        let unary = server.ask(request.clone()).await;
        for batch in [&cold, &warm] {
            match (&batch[number], &unary) {
                (Ok(decision), Ok(unary)) => assert_eq!(decision, unary, "number {number}: {request:?}"),
                (Err(error), Err(status)) => {
                    assert_eq!(error.status_code, i32::from(status.code()));
                    assert_eq!(error.message, status.message());
                }
                differ => panic!("number {number}: {differ:?}"),
            }
        }
        seen.insert(unary.map_or(Code::Unspecified, |it| it.code()));
    }
    assert_eq!(seen.len(), 11, "not every code was seen: {seen:?}");
}

async fn all_kinds(server: &Server) -> Vec<VerifyRequest> {
    server.project("acme").await;
    let mut questions = Vec::new();
    for number in 0..4 {
        let key = || Key { display_name: format!("key {number}"), ..Default::default() };
        let (_, valid) = server.key("acme", key()).await;
        questions.push(verify(&damaged(&valid, 30)));
        questions.push(verify(&format!("junk {number}")));
        questions.push(verify(&with_wrong_secret(&valid)));
        questions.push(verify(&forged(&valid, "acme_live_", "acne_live_")));
        questions.push(VerifyRequest { environment: "staging".into(), ..verify(&valid) });
        questions.push(VerifyRequest { client_ip: "?".into(), ..verify(&valid) });
        questions.push(VerifyRequest { tags: texts(&["a"]), ..verify(&valid) });
        questions.push(VerifyRequest { min_revision: 1, ..verify(&valid) });
        questions.push(verify(&valid));
        let (revoked, api_key) = server.key("acme", key()).await;
        server.revoke(revocation(&revoked.name)).await.unwrap();
        questions.push(verify(&api_key));
        let (disabled, api_key) = server.key("acme", key()).await;
        server.disable(disabling(&disabled.name)).await.unwrap();
        questions.push(verify(&api_key));
        let (deleted, api_key) = server.key("acme", key()).await;
        server.delete(deletion(&deleted.name)).await.unwrap();
        questions.push(verify(&api_key));
        let (rotated, api_key) = server.key("acme", key()).await;
        let renewed = server.rotate(rotation(&rotated.name)).await.unwrap().api_key;
        questions.extend([verify(&api_key), verify(&renewed)]);
        let (owned, api_key) = server.key("acme", key()).await;
        server.disable_account(&owned.service_account).await;
        questions.push(verify(&api_key));
        let narrow = Key {
            customers: texts(&["cust_1"]),
            allowed_cidrs: texts(&["10.0.0.0/8"]),
            metadata: [("n".into(), number.to_string())].into(),
            ..key()
        };
        let (_, api_key) = server.key("acme", narrow).await;
        let from = |ip: &str| VerifyRequest { client_ip: ip.into(), ..verify(&api_key) };
        questions.extend([from("10.1.1.1"), from("11.1.1.1"), from("")]);
        questions.push(VerifyRequest { customer: "cust_1".into(), ..from("::ffff:10.1.1.1") });
        let (_, api_key) = server.key("acme", Key { expiration: ends(HOUR), ..key() }).await;
        questions.push(verify(&api_key));
    }
    server.clock.advance(HOUR);
    questions
}

/// The deadline is for the call, not for each request.
#[tokio::test]
async fn many_requests_for_a_revision_not_reached_fail_within_the_deadline() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    let head = server.revision().await;
    let beyond = VerifyRequest { min_revision: head + 1000, ..verify(&api_key) };
    let reached = VerifyRequest { min_revision: head, ..verify(&api_key) };
    let mut requests = vec![beyond; 300];
    requests.extend(vec![reached; 300]);
    requests.extend(vec![verify("junk"); 10]);
    let mut request = Request::new(BatchVerifyRequest { requests });
    request.set_timeout(Duration::from_secs(2));
    let mut client = server.verifier();
    let answer = timeout(PATIENCE, client.batch_verify(request)).await.unwrap();
    let results: Vec<Outcome> = inner(answer).unwrap().results.into_iter().map(outcome).collect();
    for failed in &results[..300] {
        assert_fails(failed, tonic::Code::Unavailable, "REVISION_NOT_REACHED");
    }
    let code = |it: &Outcome| it.as_ref().map(VerifyResponse::code).unwrap();
    assert!(results[300..600].iter().all(|it| code(it) == Code::Valid));
    assert!(results[600..].iter().all(|it| code(it) == Code::Malformed));
}
