//! min_revision: a decision that is not older than a revision that the caller has seen, or an error.

use std::time::Duration;

use proto::{BatchVerifyRequest, Code, Key, VerifyRequest};
use testkit::{
    server::Server,
    status::{metadata, reason},
};
use tokio::time::timeout;
use tonic::Request;

use super::{PATIENCE, assert_fails};

use crate::calls::{disabling, enabling, inner, revocation, verify};

/// Much less than the longest wait for a revision, which is 20 seconds.
const AT_ONCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_node_that_made_a_change_has_its_revision_at_once() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let mut talk = server.talk().await;
    for _ in 0..20 {
        let disabled = server.disable(disabling(&key.name)).await.unwrap();
        let enabled = server.enable(enabling(&key.name)).await.unwrap();
        assert!(enabled.revision > disabled.revision);
        let request = VerifyRequest { min_revision: enabled.revision, ..verify(&api_key) };
        let unary = server.ask(request.clone()).await.unwrap();
        let batch = server.batch(vec![request.clone()]).await.unwrap().remove(0).unwrap();
        let streamed = talk.ask(request).await.unwrap().unwrap();
        for answer in [unary, batch, streamed] {
            assert_eq!(answer.code(), Code::Valid);
            assert!(answer.revision >= enabled.revision, "{} of {}", answer.revision, enabled.revision);
        }
    }
    let revoked = server.revoke(revocation(&key.name)).await.unwrap();
    let request = VerifyRequest { min_revision: revoked.revision, ..verify(&api_key) };
    assert_eq!(server.ask(request).await.unwrap().code(), Code::Revoked);
}

#[tokio::test]
async fn a_revision_beyond_the_head_is_refused_at_once() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    let head = server.caught_up().await;
    let beyond = VerifyRequest { min_revision: head + 1, ..verify(&api_key) };
    for deadline in [Some(Duration::from_millis(500)), Some(2 * PATIENCE), None] {
        let mut request = Request::new(beyond.clone());
        if let Some(deadline) = deadline {
            request.set_timeout(deadline);
        }
        let answer = timeout(AT_ONCE, server.verifier().verify(request)).await.expect("the call waits");
        let status = answer.unwrap_err();
        // If the deadline had ended the call, the code would be CANCELLED or DEADLINE_EXCEEDED.
        assert_eq!(reason(&status, tonic::Code::Unavailable), "REVISION_NOT_REACHED", "{deadline:?}");
        assert_eq!(metadata(&status, "min_revision"), Some((head + 1).to_string()));
        assert_eq!(metadata(&status, "revision"), Some(head.to_string()));
    }
    // Within a batch, only that request fails.
    let requests = vec![verify(&api_key), beyond.clone(), verify("junk")];
    let mut request = Request::new(BatchVerifyRequest { requests });
    request.set_timeout(2 * PATIENCE);
    let answer = timeout(AT_ONCE, server.verifier().batch_verify(request)).await.expect("the call waits");
    let results = inner(answer).unwrap().results;
    let results: Vec<_> = results.into_iter().map(testkit::server::outcome).collect();
    assert_eq!(results[0].as_ref().unwrap().code(), Code::Valid);
    assert_fails(&results[1], tonic::Code::Unavailable, "REVISION_NOT_REACHED");
    assert_eq!(results[2].as_ref().unwrap().code(), Code::Malformed);

    let mut talk = server.talk_for(2 * PATIENCE).await;
    let answer = timeout(AT_ONCE, talk.ask(beyond)).await.expect("the call waits").unwrap();
    assert_fails(&answer, tonic::Code::Unavailable, "REVISION_NOT_REACHED");
    assert_eq!(talk.code(&api_key).await.unwrap(), Code::Valid);
}

/// A malformed API key is malformed at any revision, in every method.
#[tokio::test]
async fn a_malformed_api_key_waits_for_no_revision() {
    let server = Server::start().await;
    let beyond = VerifyRequest { min_revision: 1_000_000, ..verify("junk") };
    let unary = server.ask(beyond.clone()).await.unwrap();
    assert_eq!(unary.code(), Code::Malformed);
    let batch = server.batch(vec![beyond.clone()]).await.unwrap().remove(0).unwrap();
    let streamed = server.talk().await.ask(beyond).await.unwrap().unwrap();
    assert_eq!((batch, streamed), (unary.clone(), unary));
}
