//! How often a verification looks up its key: once in the cache, and on a miss once where it is read.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{Revision, digest::Peppers, freshness::Stamp, id::KeyId, mark::MarkKey};
use keystile::{
    cache::Cache,
    grpc::{self, Health, Observer},
    ports::{Credentials, StoreError, credentials::Snapshot},
    telemetry::Metrics,
    verbs::Verifier,
};
use proto::{
    BatchVerifyRequest, StreamVerifyRequest, VerifyRequest, verify_service_client::VerifyServiceClient,
};
use testkit::server::{Bearer, Client, channel};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::node::{LIMITS, Nobody, Node, TestKey};

/// The cache, with what each key costs.
#[derive(Debug)]
struct Counting {
    cache: Arc<Cache>,
    costs: Mutex<HashMap<KeyId, Cost>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Cost {
    look_ups: usize,
    reads: usize,
}

const HIT: Cost = Cost { look_ups: 1, reads: 0 };
const MISS: Cost = Cost { look_ups: 1, reads: 1 };

impl Counting {
    fn count(&self, id: KeyId, count: impl Fn(&mut Cost)) {
        count(self.costs.lock().unwrap().entry(id).or_default());
    }

    /// Since this was last called.
    fn costs(&self, keys: &[TestKey]) -> Vec<Cost> {
        let costs = std::mem::take(&mut *self.costs.lock().unwrap());
        keys.iter().map(|key| costs[&key.name.key]).collect()
    }
}

impl Credentials for Counting {
    fn cached(&self, id: KeyId, uptime: Duration) -> Option<Snapshot> {
        self.count(id, |cost| cost.look_ups += 1);
        self.cache.cached(id, uptime)
    }

    async fn read(&self, id: KeyId) -> Result<Snapshot, StoreError> {
        self.count(id, |cost| cost.reads += 1);
        self.cache.read(id).await
    }

    fn is_unchanged(&self, stamp: &Stamp) -> bool {
        self.cache.is_unchanged(stamp)
    }

    fn is_current(&self, stamp: &Stamp, uptime: Duration) -> bool {
        self.cache.is_current(stamp, uptime)
    }

    async fn reach(&self, revision: Revision, patience: Duration) -> Result<(), Revision> {
        self.cache.reach(revision, patience).await
    }
}

async fn serve(node: &Node) -> (Arc<Counting>, VerifyServiceClient<Client>) {
    let counting = Arc::new(Counting { cache: node.cache.clone(), costs: Mutex::default() });
    let peppers = Arc::new(Peppers::new([(1, &[7; 32][..])]).unwrap());
    let mark_key = MarkKey::new(&[9; 16]);
    let verifier = Verifier::new(counting.clone(), node.clock.clone(), peppers, mark_key, Arc::new(Nobody));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let health = Health::new().await;
    let observer = Arc::new(Observer::new(&Metrics::new().meter(), node.clock.clone(), None));
    tokio::spawn(async move {
        grpc::serve_verify(listener, Arc::new(verifier), &health, observer, CancellationToken::new())
            .await
            .unwrap();
    });
    let caller = node.service.mint_root_key().await.unwrap();
    let bearer = Bearer::new(caller.api_key.expose());
    (counting, VerifyServiceClient::with_interceptor(channel(address), bearer))
}

/// Of all `keys`, at a revision that exists.
fn questions(keys: &[TestKey], min_revision: Revision) -> Vec<VerifyRequest> {
    let question =
        |key: &TestKey| VerifyRequest { api_key: key.api_key.clone(), min_revision, ..Default::default() };
    keys.iter().map(question).collect()
}

#[tokio::test]
async fn a_miss_is_looked_up_once_and_read_once() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let (counting, mut client) = serve(&node).await;
    for min_revision in [0, 1] {
        let keys = node.keys(6).await;
        for question in questions(&keys[..2], min_revision) {
            client.verify(question).await.unwrap();
        }
        assert_eq!(counting.costs(&keys[..2]), [MISS; 2]);

        let requests = questions(&keys[..4], min_revision);
        client.batch_verify(BatchVerifyRequest { requests }).await.unwrap();
        assert_eq!(counting.costs(&keys[..4]), [HIT, HIT, MISS, MISS]);

        let questions = questions(&keys, min_revision);
        let questions = questions.into_iter().map(|it| StreamVerifyRequest { request: Some(it) });
        let stream = client.stream_verify(futures_util::stream::iter(questions.collect::<Vec<_>>())).await;
        let mut answers = stream.unwrap().into_inner();
        while answers.message().await.unwrap().is_some() {}
        assert_eq!(counting.costs(&keys), [HIT, HIT, HIT, HIT, MISS, MISS]);
    }
}
