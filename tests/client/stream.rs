//! Questions from many tasks over one stream, and what breaks it.

use std::time::Duration;

use client::{Client, DenialCode, ErrorKind, Identity, Question, VerifyStream};
use testkit::{forge, server::Server};
use tokio::{spawn, task::JoinHandle, time::timeout};

use crate::{
    PATIENCE, builder, client_of, denied, identify, named_key, new_key, relay::Relay, started, url, valid,
};

async fn identify_on(stream: &VerifyStream, api_key: &str) -> Identity {
    valid(stream.verify(Question::new(api_key)).await.unwrap())
}

/// Tasks that verify in a loop until they are aborted, each a key of its own.
async fn busy(server: &Server, stream: &VerifyStream) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    for number in 0..8 {
        let (key, api_key) = named_key(server, &format!("key {number}")).await;
        let stream = stream.clone();
        tasks.push(spawn(async move {
            loop {
                match stream.verify(Question::new(&api_key)).await {
                    Ok(decision) => assert_eq!(valid(decision).key, key.name),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
                }
                tokio::task::yield_now().await;
            }
        }));
    }
    tasks
}

/// Checks that no task has received a decision for another.
async fn end(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
}

#[tokio::test]
async fn every_task_gets_its_own_answer() {
    let (server, client) = started().await;
    let stream = client.stream();
    let mut keys = Vec::new();
    for number in 0..5 {
        keys.push(named_key(&server, &format!("key {number}")).await);
    }
    let tasks: Vec<_> = (0..3_000)
        .map(|number| {
            let (key, api_key) = keys[number % keys.len()].clone();
            let stream = stream.clone();
            spawn(async move {
                match number % 10 {
                    3 => {
                        let denial = denied(stream.verify(Question::new("junk")).await.unwrap());
                        assert_eq!(denial.code, DenialCode::Malformed);
                    }
                    7 => {
                        let question = Question::new(api_key).customer("two words");
                        let error = stream.verify(question).await.unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::Refused);
                    }
                    _ => assert_eq!(identify_on(&stream, &api_key).await.key, key.name),
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn dropped_calls_do_not_shift_responses() {
    let (server, client) = started().await;
    let stream = client.stream();
    let mut keys = Vec::new();
    for number in 0..5 {
        keys.push(named_key(&server, &format!("key {number}")).await);
    }
    for round in 0..200 {
        let (key, api_key) = &keys[round % keys.len()];
        let dropped: Vec<_> = (0..5)
            .map(|number| {
                let (stream, (_, api_key)) = (stream.clone(), keys[number].clone());
                spawn(async move { stream.verify(Question::new(api_key)).await })
            })
            .collect();
        // The scheduler decides how far they get before they are dropped.
        for _ in 0..round % 4 {
            tokio::task::yield_now().await;
        }
        dropped.iter().for_each(JoinHandle::abort);
        assert_eq!(identify_on(&stream, api_key).await.key, key.name);
    }
}

#[tokio::test]
async fn a_cut_stream_is_reopened() {
    let (server, _) = started().await;
    let relay = Relay::to(server.verify).await;
    let client = client_of(&server, relay.address);
    let stream = client.stream();
    let (key, api_key) = new_key(&server).await;
    let tasks = busy(&server, &stream).await;
    for _ in 0..8 {
        assert_eq!(identify_on(&stream, &api_key).await.key, key.name);
        relay.lead_to(server.verify);
    }
    assert_eq!(identify_on(&stream, &api_key).await.key, key.name);
    end(tasks).await;
}

#[tokio::test]
async fn after_a_stop_the_stream_moves_to_the_restarted_server() {
    let (server, _) = started().await;
    let relay = Relay::to(server.verify).await;
    let client = client_of(&server, relay.address);
    let stream = client.stream();
    let (key, api_key) = new_key(&server).await;
    let tasks = busy(&server, &stream).await;
    identify_on(&stream, &api_key).await;
    let server = server.restart_with(&[]).await;
    // While no server runs, calls fail soon, and do not hang.
    let meanwhile = timeout(PATIENCE, stream.verify(Question::new(&api_key))).await.unwrap();
    assert!(meanwhile.is_err_and(|error| error.kind() == ErrorKind::Unavailable));
    relay.lead_to(server.verify);
    assert_eq!(identify_on(&stream, &api_key).await.key, key.name);
    end(tasks).await;
}

#[tokio::test]
async fn a_silent_stream_is_dropped_within_the_deadline() {
    let (server, _) = started().await;
    let (_, api_key) = new_key(&server).await;
    let relay = Relay::to(server.verify).await;
    let client = builder(&server.root).deadline(Duration::from_millis(500));
    let stream = client.endpoint(url(relay.address)).connect().unwrap().stream();
    identify_on(&stream, &api_key).await;
    relay.silence();
    let asked: Vec<_> = (0..3_000)
        .map(|_| {
            let (stream, question) = (stream.clone(), Question::new(&api_key));
            spawn(async move { stream.verify(question).await })
        })
        .collect();
    for asked in asked {
        let error = timeout(PATIENCE, asked).await.unwrap().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    }
    relay.lead_to(server.verify);
    identify_on(&stream, &api_key).await;
}

#[tokio::test]
async fn a_credential_that_is_revoked_ends_the_stream() {
    let (server, _) = started().await;
    let (_, api_key) = new_key(&server).await;
    let (own, credential) = server.key("system", proto::Key::default()).await;
    let client: Client = builder(&credential).endpoint(url(server.verify)).connect().unwrap();
    let stream = client.stream();
    identify_on(&stream, &api_key).await;
    let revoke = proto::RevokeKeyRequest { name: own.name, ..Default::default() };
    server.keys().revoke_key(revoke).await.unwrap();
    for _ in 0..3 {
        let error = stream.verify(Question::new(&api_key)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialRefused, "{error:?}");
    }
}

#[tokio::test]
async fn a_stream_and_single_calls_share_a_client() {
    let (server, client) = started().await;
    let (key, api_key) = new_key(&server).await;
    let stream = client.stream();
    identify_on(&stream, &api_key).await;
    identify(&client, &api_key).await;
    let wrong = forge::with_wrong_secret(&api_key);
    assert_eq!(denied(stream.verify(Question::new(wrong)).await.unwrap()).code, DenialCode::NotFound);
    let revoke = proto::RevokeKeyRequest { name: key.name, ..Default::default() };
    server.keys().revoke_key(revoke).await.unwrap();
    assert_eq!(denied(stream.verify(Question::new(&api_key)).await.unwrap()).code, DenialCode::Revoked);
}

#[tokio::test]
async fn a_silent_stream_fails_only_calls_past_their_deadline() {
    const DEADLINE: Duration = Duration::from_secs(4);
    let (server, _) = started().await;
    let (key, api_key) = new_key(&server).await;
    let silent = Relay::to(server.verify).await;
    let both = builder(&server.root).endpoint(url(silent.address)).endpoint(url(server.verify));
    let stream = both.deadline(DEADLINE).connect().unwrap().stream();
    identify_on(&stream, &api_key).await;
    silent.silence();
    let ask = || {
        let (stream, question) = (stream.clone(), Question::new(&api_key));
        spawn(async move { stream.verify(question).await })
    };
    let mut early = ask();
    assert!(timeout(DEADLINE / 2, &mut early).await.is_err());
    let late = ask();
    assert_eq!(early.await.unwrap().unwrap_err().kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(valid(late.await.unwrap().unwrap()).key, key.name);
}

#[tokio::test]
async fn only_a_question_that_is_too_large_fails() {
    let (server, client) = started().await;
    let (key, api_key) = new_key(&server).await;
    let stream = client.stream();
    let good = || stream.verify(Question::new(&api_key));
    let large = stream.verify(Question::new("x".repeat(5 << 20)));
    let (before, large, after) = tokio::join!(good(), large, good());
    assert_eq!(large.unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(valid(before.unwrap()).key, key.name);
    assert_eq!(valid(after.unwrap()).key, key.name);
}
