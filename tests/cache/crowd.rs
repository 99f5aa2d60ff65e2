//! Many cold keys at once: they make few queries, and leave connections to others.

use std::sync::Arc;

use domain::decision::Code;
use futures_util::future::join_all;
use keystile::{
    cache::Limits,
    ports::{ReadProjects, StoreError},
    verbs::Error,
};
use sea_orm::ConnectionTrait;
use testkit::database::Kind;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    faulty::Mode,
    misses::{unknown_id, with_id},
    node::{Following, LIMITS, Node, PATIENCE, TestKey, fresh},
};

/// The smallest pool that may be configured, and what the cache may take of it.
const CONNECTIONS: u32 = 4;
const FEW: Limits = Limits { reads: 1, ..LIMITS };

fn unknown(like: &TestKey, number: u64) -> Vec<String> {
    (0..number).map(|number| with_id(&like.api_key, unknown_id(number))).collect()
}

#[tokio::test]
async fn concurrent_misses_share_queries() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let keys = node.keys(100).await;
    let mut api_keys = unknown(&keys[0], 900);
    api_keys.extend(keys.iter().map(|key| key.api_key.clone()));
    node.statements();
    let codes = join_all(api_keys.iter().map(|api_key| node.code(api_key))).await;
    assert_eq!(codes[..900], vec![Code::NotFound; 900]);
    assert_eq!(codes[900..], vec![Code::Valid; 100]);
    let statements = node.statements();
    assert!((16..32).contains(&statements), "{statements} for a thousand keys");
}

/// Cold keys take so long to read that more and more requests wait. There is still a connection for the
/// follower, so the database does not count as down, and one for changes.
#[tokio::test]
async fn many_misses_leave_connections_to_others() {
    const LOCKS: [(Kind, &str, &str); 2] = [
        (Kind::Postgres, "BEGIN; LOCK TABLE keys IN ACCESS EXCLUSIVE MODE", "COMMIT"),
        (Kind::MySql, "LOCK TABLES `keys` WRITE", "UNLOCK TABLES"),
    ];
    for (kind, lock, unlock) in LOCKS {
        let database = fresh(kind).await;
        let node = Arc::new(Node::with(&database, CONNECTIONS, FEW).await);
        node.create_project("acme").await;
        let key = node.key("acme").await;
        node.cache.catch_up().await.unwrap();
        let raw = database.raw().await;
        raw.execute_unprepared(lock).await.unwrap();
        node.store.loads();
        let mut crowd = JoinSet::new();
        for api_key in unknown(&key, 300) {
            let node = node.clone();
            crowd.spawn(async move { node.code(&api_key).await });
        }
        let mut asked = 0;
        while asked == 0 {
            tokio::task::yield_now().await;
            asked = node.store.loads();
        }
        for _ in 0..3 {
            let followed = timeout(PATIENCE, node.cache.catch_up()).await;
            followed.expect("the follower waits behind the misses").unwrap();
            let read = timeout(PATIENCE, node.store.project(&key.name.project)).await;
            assert!(read.expect("others wait behind the misses").unwrap().is_some());
        }
        raw.execute_unprepared(unlock).await.unwrap();
        assert_eq!(crowd.join_all().await, vec![Code::NotFound; 300]);
        raw.close().await.unwrap();
    }
}

/// However many misses there are, each is answered, and the follower keeps up meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_misses_are_all_answered() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MySql] {
        let database = fresh(kind).await;
        let node = Arc::new(Node::with(&database, CONNECTIONS, FEW).await);
        node.create_project("acme").await;
        let keys = node.keys(20).await;
        let following = Following::start(&node).await;
        let mut crowd = JoinSet::new();
        for api_key in unknown(&keys[0], 5000) {
            let node = node.clone();
            crowd.spawn(async move { node.code(&api_key).await == Code::NotFound });
        }
        for key in keys {
            let node = node.clone();
            crowd.spawn(async move { node.code(&key.api_key).await == Code::Valid });
        }
        timeout(PATIENCE, following.poll_once()).await.expect("the log is not followed");
        assert!(crowd.join_all().await.into_iter().all(|right| right), "{kind:?}");
    }
}

/// Queued misses fail as soon as the database is found to be down; they do not wait for a query of their own.
#[tokio::test]
async fn queued_misses_fail_when_the_database_is_down() {
    let (_database, node) = Node::on_fresh_database(FEW).await;
    let keys = node.keys(10).await;
    let node = Arc::new(node);
    let following = Following::start(&node).await;
    node.store.set(Mode::Hangs);
    let ask = |key: &TestKey| {
        let (node, api_key) = (node.clone(), key.api_key.clone());
        tokio::spawn(async move { node.verify(&api_key).await })
    };
    let first = ask(&keys[0]);
    while node.store.loads() == 0 {
        tokio::task::yield_now().await;
    }
    let others: Vec<_> = keys[1..].iter().map(ask).collect();
    following.poll_times(2).await;
    for other in others {
        let answer =
            timeout(PATIENCE, other).await.expect("a miss waits for a database that is down").unwrap();
        assert!(matches!(answer, Err(Error::Store(StoreError::Unavailable(_)))), "{answer:?}");
    }
    assert_eq!(node.store.loads(), 0);
    node.store.set(Mode::Answers);
    assert!(first.await.unwrap().is_ok());
}
