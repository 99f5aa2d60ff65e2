//! StreamVerify: responses in the order of the requests, until the half-close.

use proto::{Code, Key, StreamVerifyRequest};
use testkit::{
    forge::{damaged, with_wrong_secret},
    server::{Server, Talk, next},
};

use super::{assert_fails, assert_unauthenticated, bad_requests};

use crate::calls::{revocation, verify};

#[tokio::test]
async fn ten_thousand_requests_are_answered_in_order() {
    const NUMBER: usize = 10_000;
    const HALF: usize = 30;
    let server = Server::start().await;
    server.project("acme").await;
    let mut keys = Vec::new();
    for number in 0..2 * HALF {
        let key = Key { display_name: format!("key {number}"), ..Default::default() };
        keys.push(server.key("acme", key).await);
    }
    server.revoke(revocation(&keys[3].0.name)).await.unwrap();
    // Half of the keys are warm; the cold ones are spread over the stream.
    for (_, api_key) in &keys[..HALF] {
        server.code(api_key).await;
    }
    let expected: Vec<_> = (0..NUMBER)
        .map(|number| {
            let cold = number % 37 == 0;
            let at = if cold { HALF + number / 37 % HALF } else { number * 7919 % HALF };
            let (key, api_key) = &keys[at];
            let code = if at == 3 { Code::Revoked } else { Code::Valid };
            match number % 10 {
                8 => (damaged(api_key, 12), Code::Malformed, String::new()),
                9 => (with_wrong_secret(api_key), Code::NotFound, String::new()),
                _ => (api_key.clone(), code, key.name.clone()),
            }
        })
        .collect();
    let Talk { questions, mut answers } = server.talk().await;
    let asked: Vec<_> = expected.iter().map(|(api_key, _, _)| verify(api_key)).collect();
    let sender = tokio::spawn(async move {
        for request in asked {
            questions.send(StreamVerifyRequest { request: Some(request) }).await.unwrap();
        }
    });
    for (number, (_, code, name)) in expected.into_iter().enumerate() {
        let decision = next(&mut answers).await.unwrap().unwrap().unwrap();
        assert_eq!((decision.code(), decision.key), (code, name), "number {number}");
    }
    sender.await.unwrap();
    assert_eq!(next(&mut answers).await.unwrap(), None, "the stream ends with OK");
}

#[tokio::test]
async fn a_bad_request_does_not_end_the_stream() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let mut talk = server.talk().await;
    for (request, code, reason) in bad_requests(&api_key) {
        let failed = talk.ask(request.clone()).await.unwrap();
        assert_fails(&failed, code, reason);
        let unary = server.ask(request).await.unwrap_err();
        assert_eq!(failed.unwrap_err().message, unary.message());
        let decision = talk.ask(verify(&api_key)).await.unwrap().unwrap();
        assert_eq!((decision.code(), &decision.key), (Code::Valid, &key.name));
    }
    // A message without a request counts as an empty request.
    talk.questions.send(StreamVerifyRequest { request: None }).await.unwrap();
    assert_eq!(talk.next().await.unwrap().unwrap().unwrap().code(), Code::Malformed);
}

#[tokio::test]
async fn decisions_are_those_of_verify() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let mut talk = server.talk().await;
    for text in [&api_key, &with_wrong_secret(&api_key), "junk"] {
        for _ in 0..2 {
            let mut streamed = talk.ask(verify(text)).await.unwrap().unwrap();
            let mut unary = server.verified(text).await;
            // The node may have polled the log in between.
            (streamed.revision, unary.revision) = (0, 0);
            assert_eq!(streamed, unary);
        }
    }
    server.revoke(revocation(&key.name)).await.unwrap();
    assert_eq!(talk.code(&api_key).await.unwrap(), Code::Revoked, "the change is seen during the stream");
}

#[tokio::test]
async fn the_stream_ends_after_the_half_close() {
    let server = Server::start().await;
    let Talk { questions, mut answers } = server.talk().await;
    drop(questions);
    assert_eq!(next(&mut answers).await.unwrap(), None, "a response without a request");

    let mut talk = server.talk().await;
    for _ in 0..20 {
        talk.send(verify("junk")).await;
    }
    assert_eq!(talk.code("junk").await.unwrap(), Code::Malformed);
    let Talk { questions, mut answers } = talk;
    drop(questions);
    for _ in 0..20 {
        assert!(next(&mut answers).await.unwrap().is_some());
    }
    assert_eq!(next(&mut answers).await.unwrap(), None);
}

#[tokio::test]
async fn without_a_credential_there_is_no_stream() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, of_acme) = server.key("acme", Key::default()).await;
    for api_key in ["junk", &of_acme, &with_wrong_secret(&server.root)] {
        assert_unauthenticated(server.talk_as(api_key).await.map(|_| ()));
    }
}
