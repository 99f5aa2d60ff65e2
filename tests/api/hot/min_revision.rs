//! min_revision: an answer that is not older than what the caller knows of, or none.

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

/// Much less than a call that waits has for it, which is at most 20 seconds.
const AT_ONCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn it_is_reached_at_once_where_the_change_was_made() {
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
async fn beyond_the_head_it_is_refused_at_once() {
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
        let answer = timeout(AT_ONCE, server.verifier().verify(request)).await.expect("it waits");
        let status = answer.unwrap_err();
        // The deadline's own end would be CANCELLED or DEADLINE_EXCEEDED.
        assert_eq!(reason(&status, tonic::Code::Unavailable), "REVISION_NOT_REACHED", "{deadline:?}");
        assert_eq!(metadata(&status, "min_revision"), Some((head + 1).to_string()));
        assert_eq!(metadata(&status, "revision"), Some(head.to_string()));
    }
    // It is the question's matter, and no other's.
    let requests = vec![verify(&api_key), beyond.clone(), verify("junk")];
    let mut request = Request::new(BatchVerifyRequest { requests });
    request.set_timeout(2 * PATIENCE);
    let answer = timeout(AT_ONCE, server.verifier().batch_verify(request)).await.expect("it waits");
    let results = inner(answer).unwrap().results;
    let results: Vec<_> = results.into_iter().map(testkit::server::outcome).collect();
    assert_eq!(results[0].as_ref().unwrap().code(), Code::Valid);
    assert_fails(&results[1], tonic::Code::Unavailable, "REVISION_NOT_REACHED");
    assert_eq!(results[2].as_ref().unwrap().code(), Code::Malformed);

    let mut talk = server.talk_for(2 * PATIENCE).await;
    let answer = timeout(AT_ONCE, talk.ask(beyond)).await.expect("it waits").unwrap();
    assert_fails(&answer, tonic::Code::Unavailable, "REVISION_NOT_REACHED");
    assert_eq!(talk.code(&api_key).await.unwrap(), Code::Valid);
}

/// What is no API key is none at any revision, however it is asked.
#[tokio::test]
async fn junk_waits_for_no_revision() {
    let server = Server::start().await;
    let beyond = VerifyRequest { min_revision: 1_000_000, ..verify("junk") };
    let alone = server.ask(beyond.clone()).await.unwrap();
    assert_eq!(alone.code(), Code::Malformed);
    let batch = server.batch(vec![beyond.clone()]).await.unwrap().remove(0).unwrap();
    let streamed = server.talk().await.ask(beyond).await.unwrap().unwrap();
    assert_eq!((batch, streamed), (alone.clone(), alone));
}
