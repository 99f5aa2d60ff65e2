//! A flood of ids that no key has: they are cached separately within a bound, and evict no key.

use std::sync::Arc;

use domain::decision::Code;
use futures_util::future::join_all;
use keystile::cache::Limits;
use tokio::{runtime::Handle, task::spawn_blocking};

use crate::{
    misses::{unknown_id, with_id},
    node::{LIMITS, Node},
};

#[tokio::test]
async fn unknown_ids_evict_no_key() {
    const UNKNOWN: u64 = 100;
    const FLOOD: u64 = 5000;
    // Two hundred keys fill most of it.
    let limits = Limits { capacity: 200 << 10, unknown: UNKNOWN, ..LIMITS };
    let (_database, node) = Node::on_fresh_database(limits).await;
    let keys = node.keys(200).await;
    for key in &keys {
        assert_eq!(node.code(&key.api_key).await, Code::Valid);
    }
    node.store.loads();
    for key in &keys {
        assert_eq!(node.code(&key.api_key).await, Code::Valid);
    }
    assert_eq!(node.store.loads(), 0, "all are cached");

    let unknown: Vec<_> = (0..FLOOD).map(|number| with_id(&keys[0].api_key, unknown_id(number))).collect();
    try_all(&node, &unknown).await;
    assert_eq!(node.store.loads(), unknown.len());
    // Their first verification on this thread, so that only the shared cache can have them.
    let node = Arc::new(node);
    spawn_blocking({
        let node = node.clone();
        move || {
            Handle::current().block_on(async {
                for key in &keys {
                    assert_eq!(node.code(&key.api_key).await, Code::Valid);
                }
            });
        }
    })
    .await
    .unwrap();
    assert_eq!(node.store.loads(), 0, "a key was evicted");

    // Unknown ids are evicted too.
    try_all(&node, &unknown).await;
    let asked_again = node.store.loads();
    assert!(asked_again >= unknown.len() - 3 * UNKNOWN as usize, "{asked_again} of {FLOOD}");
}

/// A hundred at a time.
async fn try_all(node: &Node, unknown: &[String]) {
    for some in unknown.chunks(100) {
        let codes = join_all(some.iter().map(|api_key| node.code(api_key))).await;
        assert!(codes.into_iter().all(|code| code == Code::NotFound));
    }
}

/// With no capacity for unknown ids, each verification of one is a query, and known keys stay cached.
#[tokio::test]
async fn without_capacity_for_unknown_ids_each_is_a_query() {
    let (_database, node) = Node::on_fresh_database(Limits { unknown: 0, ..LIMITS }).await;
    let key = node.key("acme").await;
    assert_eq!(node.code(&key.api_key).await, Code::Valid);
    let unknown = with_id(&key.api_key, unknown_id(1));
    node.statements();
    for _ in 0..3 {
        assert_eq!(node.code(&unknown).await, Code::NotFound);
    }
    assert!(node.statements() > 0);
    assert_eq!(node.code(&key.api_key).await, Code::Valid);
    assert_eq!(node.statements(), 0);
}
