//! Warm keys: a flood of unknown ids does not evict them, and a preload caches them before the first call.

use domain::{digest::Secret, id::KeyId, time::Timestamp, token};
use proto::Code;
use sea_orm::ConnectionTrait;
use testkit::database::{Database, Kind};
use tokio::time::timeout;

use crate::{
    cluster::{Cluster, PATIENCE},
    home::{Caller, Home},
    private_postgres::PrivatePostgres,
};

/// Thousands of unknown ids, while no key can be read: warm keys need no read.
#[tokio::test]
async fn a_flood_of_unknown_ids_evicts_no_key() {
    let database = Database::empty(Kind::Postgres).await;
    let settings = [("KEYSTILE_CACHE_CAPACITY", "1"), ("KEYSTILE_CACHE_UNKNOWN_IDS", "500")];
    let cluster = Cluster::start(&database, 1, &settings).await;
    let caller = &cluster.callers[0];
    let mut keys = Vec::new();
    for number in 0..100 {
        keys.push(caller.create_key(&format!("key {number}")).await.1);
        assert_eq!(caller.code(&keys[number]).await, Code::Valid);
    }
    let flood: Vec<_> = (0..8)
        .map(|part: u64| {
            let (caller, like) = (caller.clone(), keys[0].clone());
            tokio::spawn(async move {
                for number in 0..500 {
                    let answer = caller.code(&unknown(&like, part * 500 + number)).await;
                    assert_eq!(answer, Code::NotFound);
                }
            })
        })
        .collect();
    for api_key in &keys {
        assert_eq!(caller.code(api_key).await, Code::Valid);
    }
    for task in flood {
        task.await.unwrap();
    }
    // From here on every read of a key waits until the end of the test.
    let raw = database.raw().await;
    raw.execute_unprepared("BEGIN; LOCK TABLE keys IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let warm = timeout(PATIENCE, async {
        for api_key in &keys {
            assert_eq!(caller.code(api_key).await, Code::Valid);
        }
    });
    warm.await.expect("a warm key was read again");
    let fresh = unknown(&keys[0], 1_000_000);
    let cold = tokio::spawn({
        let caller = caller.clone();
        async move { caller.code(&fresh).await }
    });
    for _ in 0..20 {
        caller.code(&keys[1]).await;
    }
    assert!(!cold.is_finished(), "the lock holds up reads");
    raw.execute_unprepared("COMMIT").await.unwrap();
    assert_eq!(cold.await.unwrap(), Code::NotFound);
    raw.close().await.unwrap();
    cluster.stop().await;
}

/// An API key like `like`, of an id that no key has.
fn unknown(like: &str, number: u64) -> String {
    let mut random = [0xee; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    let id = KeyId::new(Timestamp::from_micros(1_700_000_000_000_000), random);
    let head = &like[..like.len() - 22 - 44 - 6 - 1];
    token::issue(head, id, &Secret::new([7; 32])).expose().to_owned()
}

/// The keys that were used last are cached before the first call, so they need no query.
#[tokio::test]
async fn a_preload_caches_keys_before_the_server_is_ready() {
    let postgres = PrivatePostgres::start();
    let home = Home::at(&postgres.location()).with("KEYSTILE_CACHE_PRELOAD", "100");
    let serving = home.serve().await;
    let root = serving.root().await;
    let caller: Caller = serving.caller(&root);
    caller.create_project().await;
    let mut keys = Vec::new();
    for number in 0..10 {
        keys.push(caller.create_key(&format!("key {number}")).await.1);
        assert_eq!(caller.code(&keys[number]).await, Code::Valid);
    }
    let (_, never_used) = caller.create_key("never used").await;
    // A stop writes the last uses.
    serving.stop().await;

    let serving = home.with("KEYSTILE_CACHE_PRELOAD", "11").serve().await;
    let caller = serving.caller(&root);
    serving.process.wait_for_line(r#""cache.keys":11"#).await;
    postgres.stop();
    for api_key in &keys {
        assert_eq!(caller.verified(api_key).await.unwrap().code(), Code::Valid);
    }
    let cold = caller.verified(&never_used).await;
    assert_eq!(cold.unwrap_err().code(), tonic::Code::Unavailable);
    postgres.start_again();
    caller.wait_for_code(&never_used, Code::Valid).await;
    serving.stop().await;
}
