//! Batches: many questions in few calls.

use client::{DenialCode, ErrorKind, Question};
use proto::Key;
use testkit::forge;

use crate::{denied, named_key, new_key, relay::Relay, started, valid};

#[tokio::test]
async fn any_number_is_answered_in_order() {
    let (server, client) = started().await;
    let mut keys = Vec::new();
    for number in 0..7 {
        keys.push(named_key(&server, &format!("key {number}")).await);
    }
    let questions = (0..2_500).map(|number| {
        let (_, api_key) = &keys[number % keys.len()];
        match number % 10 {
            3 => Question::new("junk"),
            5 => Question::new(forge::with_wrong_secret(api_key)),
            7 => Question::new(api_key).customer("two words"),
            _ => Question::new(api_key),
        }
    });
    let answers = client.verify_batch(questions).await;
    assert_eq!(answers.len(), 2_500);
    for (number, answer) in answers.into_iter().enumerate() {
        match number % 10 {
            3 => assert_eq!(denied(answer.unwrap()).code, DenialCode::Malformed),
            5 => assert_eq!(denied(answer.unwrap()).code, DenialCode::NotFound),
            7 => assert_eq!(answer.unwrap_err().kind(), ErrorKind::Refused),
            _ => assert_eq!(valid(answer.unwrap()).display_name, format!("key {}", number % keys.len())),
        }
    }
    assert!(client.verify_batch([]).await.is_empty());
}

#[tokio::test]
async fn questions_beyond_the_size_of_a_response_are_asked_again() {
    let (server, client) = started().await;
    let metadata = (0..8).map(|number| (format!("n{number}"), "x".repeat(1_000))).collect();
    let (key, api_key) = server.key("acme", Key { metadata, ..Default::default() }).await;
    let answers = client.verify_batch((0..1_000).map(|_| Question::new(&api_key))).await;
    assert_eq!(answers.len(), 1_000);
    for answer in answers {
        assert_eq!(valid(answer.unwrap()).key, key.name);
    }
}

#[tokio::test]
async fn a_batch_of_any_size_is_answered_except_for_too_large_questions() {
    let (server, client) = started().await;
    let (key, api_key) = new_key(&server).await;
    let questions = (0..100).map(|number| match number % 10 {
        0 => Question::new(&api_key),
        1 => Question::new("x".repeat(70_000)),
        _ => Question::new("x".repeat(60_000)),
    });
    for (number, answer) in client.verify_batch(questions).await.into_iter().enumerate() {
        match number % 10 {
            0 => assert_eq!(valid(answer.unwrap()).key, key.name),
            1 => assert_eq!(answer.unwrap_err().kind(), ErrorKind::Refused),
            _ => assert_eq!(denied(answer.unwrap()).code, DenialCode::Malformed),
        }
    }
}

#[tokio::test]
async fn an_outage_costs_one_call() {
    let (server, _) = started().await;
    let relay = Relay::to(server.verify).await;
    let client = crate::client_of(&server, relay.address);
    relay.close();
    let before = relay.connections();
    let answers = client.verify_batch((0..20_000).map(|_| Question::new("junk"))).await;
    assert_eq!(answers.len(), 20_000);
    assert!(answers.into_iter().all(|it| it.is_err_and(|it| it.kind() == ErrorKind::Unavailable)));
    assert!(relay.connections() - before <= 4, "{} attempts", relay.connections() - before);
}

#[tokio::test]
async fn a_call_that_fails_fails_each_of_its_questions() {
    let (server, _) = started().await;
    let (_, api_key) = new_key(&server).await;
    let relay = Relay::to(server.verify).await;
    let client = crate::client_of(&server, relay.address);
    relay.close();
    let answers = client.verify_batch((0..3).map(|_| Question::new(&api_key))).await;
    let kinds: Vec<_> = answers.into_iter().map(|answer| answer.unwrap_err().kind()).collect();
    assert_eq!(kinds, [ErrorKind::Unavailable; 3]);
}
