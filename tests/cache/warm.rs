//! Preloading: the keys that were used last are cached before they are verified.

use std::time::Duration;

use domain::decision::Code;
use keystile::ports::{Recording, recorder::LastUse};
use testkit::{database::Kind, server::START};

use crate::{
    node::{LIMITS, Node, TestKey, fresh},
    roles::WRITES,
};

#[tokio::test]
async fn the_keys_that_were_used_last_are_cached() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MySql] {
        let database = fresh(kind).await;
        let before = Node::on(&database, LIMITS).await;
        before.create_project("acme").await;
        let keys = before.keys(12).await;
        let uses: Vec<_> = (0..10)
            .map(|number| LastUse {
                key: keys[number].name.key,
                secret_version: 1,
                time: START.after(Duration::from_secs(number as u64)),
            })
            .collect();
        before.store.record_uses(&uses).await.unwrap();
        before.revoke(&keys[9]).await;

        let node = Node::on(&database, LIMITS).await;
        assert_eq!(node.cache.warm(5).await.unwrap(), 5);
        node.statements();
        for (number, key) in keys.iter().enumerate() {
            let code = if number == 9 { Code::Revoked } else { Code::Valid };
            assert_eq!(node.code(&key.api_key).await, code);
            let loaded = (5..10).contains(&number);
            assert_eq!(node.statements(), usize::from(!loaded), "{kind:?}: key {number}");
        }
    }
}

/// Many keys are read in as few queries as their size limit allows.
#[tokio::test]
async fn preloading_reads_in_portions() {
    let database = fresh(Kind::Sqlite).await;
    let before = Node::on(&database, LIMITS).await;
    before.create_project("acme").await;
    let keys = before.keys(150).await;
    let used = |key: &TestKey| LastUse { key: key.name.key, secret_version: 1, time: START };
    before.store.record_uses(&keys.iter().map(used).collect::<Vec<_>>()).await.unwrap();
    let node = Node::on(&database, LIMITS).await;
    node.statements();
    assert_eq!(node.cache.warm(150).await.unwrap(), 150);
    assert_eq!(node.statements(), 1 + 3, "one query lists the keys, three load them");
    for key in &keys {
        assert_eq!(node.code(&key.api_key).await, Code::Valid);
    }
    assert_eq!(node.statements(), 0);
}

/// With what they may do, so that the first verification needs no read.
#[tokio::test]
async fn what_preloaded_keys_may_do_is_cached() {
    let database = fresh(Kind::Sqlite).await;
    let before = Node::on(&database, LIMITS).await;
    before.create_project("acme").await;
    before.create_role().await;
    let keys = before.holders(2).await;
    let used = |key: &TestKey| LastUse { key: key.name.key, secret_version: 1, time: START };
    before.store.record_uses(&keys.iter().map(used).collect::<Vec<_>>()).await.unwrap();
    let node = Node::on(&database, LIMITS).await;
    assert_eq!(node.cache.warm(2).await.unwrap(), 2);
    node.statements();
    node.assert_permits(&keys, WRITES).await;
    assert_eq!(node.statements(), 0);
}

/// A change during preloading is not lost.
#[tokio::test]
async fn a_change_during_preloading_is_seen() {
    let database = fresh(Kind::Sqlite).await;
    let before = Node::on(&database, LIMITS).await;
    before.create_project("acme").await;
    let key = before.key("acme").await;
    let used = LastUse { key: key.name.key, secret_version: 1, time: START };
    before.store.record_uses(&[used]).await.unwrap();
    let node = Node::on(&database, LIMITS).await;
    assert!(node.cache.warm(100).await.unwrap() >= 1);
    before.revoke(&key).await;
    node.cache.catch_up().await.unwrap();
    assert_eq!(node.code(&key.api_key).await, Code::Revoked);
}
