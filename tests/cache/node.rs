//! One node: the verbs, the cache and the verifier on a database, with nothing in the background.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    Revision,
    access::Projects,
    decision::{Code, Question},
    digest::Peppers,
    expiry::Expiry,
    id::KeyId,
    labels::Metadata,
    mark::MarkKey,
    name::{KeyName, ServiceAccountName},
    project::{Environments, KeyPolicy, Retention},
    token::ApiKey,
};
use keystile::{
    cache::{Cache, Follower, Limits},
    grpc,
    ports::{AdminStore, Clock, Recorder, credentials::CachedKey, feed::Wakeups, recorder::Rehash},
    store::{Options, SqlStore},
    verbs::{
        Call, Caller, Decision, Error, Issued, NewKey, NewProject, Service, Session, Verifier, VerifyRequest,
    },
};
use testkit::{
    database::{Database, Kind},
    server::TestClock,
};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::faulty::Faulty;

pub(crate) const LIMITS: Limits = Limits {
    capacity: 16 << 20,
    time_to_live: Duration::from_secs(3600),
    unknown: 10_000,
    reads: 16,
    max_staleness: Duration::from_secs(30),
    fail_open: false,
};

/// How long a call that must not wait may take, so that a test fails and does not hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) store: Arc<Faulty>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) service: Service,
    pub(crate) verifier: Arc<Verifier<Cache>>,
    statements: Arc<AtomicUsize>,
}

/// A key with all that a test needs of it.
#[derive(Debug, Clone)]
pub(crate) struct TestKey {
    pub(crate) name: KeyName,
    pub(crate) account: ServiceAccountName,
    pub(crate) api_key: String,
}

impl Node {
    /// A node of its own on a fresh SQLite database with the project `acme`.
    pub(crate) async fn on_fresh_database(limits: Limits) -> (Database, Self) {
        let database = fresh(Kind::Sqlite).await;
        let node = Self::on(&database, limits).await;
        node.create_project("acme").await;
        (database, node)
    }

    /// One more node on `database`.
    pub(crate) async fn on(database: &Database, limits: Limits) -> Self {
        Self::with(database, database.options().max_connections, limits).await
    }

    /// A node with this many connections.
    pub(crate) async fn with(database: &Database, max_connections: u32, limits: Limits) -> Self {
        let options = Options { max_connections, ..database.options() };
        let mut store = SqlStore::open(options).await.unwrap();
        let statements = Arc::new(AtomicUsize::new(0));
        let counter = statements.clone();
        store.observe(move |_| {
            counter.fetch_add(1, SeqCst);
        });
        let store = Arc::new(Faulty::new(store));
        let clock = Arc::new(TestClock::default());
        let peppers = Arc::new(Peppers::new([(1, &[7; 32][..])]).unwrap());
        let cache = Cache::new(
            store.clone(),
            clock.clone() as Arc<dyn Clock>,
            &*database.random,
            limits,
            Arc::new(grpc::KeyPartEncoder),
        )
        .await;
        let cache = Arc::new(cache.unwrap());
        let service = Service::new(
            store.clone() as Arc<dyn AdminStore>,
            clock.clone(),
            database.random.clone(),
            peppers.clone(),
            cache.clone(),
        );
        let verifier =
            Verifier::new(cache.clone(), clock.clone(), peppers, MarkKey::new(&[9; 16]), Arc::new(Nobody));
        Self { store, clock, cache, service, verifier: Arc::new(verifier), statements }
    }

    /// How many statements the database was sent since this was last called.
    pub(crate) fn statements(&self) -> usize {
        self.statements.swap(0, SeqCst)
    }

    pub(crate) async fn create_project(&self, id: &str) {
        let project = NewProject {
            id: id.parse().unwrap(),
            display_name: "".parse().unwrap(),
            prefix: "acme".parse().unwrap(),
            environments: Environments::default(),
            retention: Retention::default(),
            key_policy: KeyPolicy::default(),
        };
        self.service.create_project(&call(), &project).await.unwrap();
    }

    pub(crate) async fn key(&self, project: &str) -> TestKey {
        self.try_key(new_key(project)).await
    }

    pub(crate) async fn try_key(&self, new: NewKey) -> TestKey {
        let Issued { key, api_key, .. } = self.service.create_key(&call(), new).await.unwrap();
        let project = key.key.project.clone();
        TestKey {
            name: KeyName { project: project.clone(), key: key.key.id },
            account: ServiceAccountName { project, service_account: key.key.service_account },
            api_key: api_key.unwrap().expose().to_owned(),
        }
    }

    pub(crate) async fn keys(&self, number: usize) -> Vec<TestKey> {
        let mut keys = Vec::new();
        for _ in 0..number {
            keys.push(self.key("acme").await);
        }
        keys
    }

    pub(crate) async fn verify(&self, api_key: &str) -> Result<Decision, Error> {
        self.verify_at(api_key, 0).await
    }

    pub(crate) async fn verify_at(&self, api_key: &str, min_revision: Revision) -> Result<Decision, Error> {
        self.verifier.verify(&Projects::All, question(api_key, min_revision)).await
    }

    /// The session of the caller with this API key.
    pub(crate) async fn session(&self, api_key: &str) -> Option<Session> {
        self.verifier.authenticate(ApiKey::new(api_key.to_owned()), None).await.unwrap()
    }

    /// Whether a call of the session is accepted: it is still valid, or can be renewed.
    pub(crate) async fn accepts(&self, session: &Session) -> bool {
        self.verifier.is_still_valid(session, self.clock.moment())
            || self.verifier.renew(session).await.unwrap().is_some()
    }

    pub(crate) async fn code(&self, api_key: &str) -> Code {
        self.verify(api_key).await.unwrap().code
    }

    pub(crate) async fn revoke(&self, key: &TestKey) -> Revision {
        let revoked = self.service.revoke_key(&call(), &key.name, "", &"".parse().unwrap()).await;
        revoked.unwrap().key.revision
    }
}

/// A database with the newest schema and the system project.
pub(crate) async fn fresh(kind: Kind) -> Database {
    let (database, store) = Database::migrated(kind).await;
    store.close().await;
    let node = Node::on(&database, LIMITS).await;
    node.service.bootstrap().await.unwrap().unwrap();
    database
}

pub(crate) fn question(api_key: &str, min_revision: Revision) -> VerifyRequest {
    VerifyRequest {
        api_key: ApiKey::new(api_key.to_owned()),
        question: Question::default(),
        min_revision,
        patience: PATIENCE,
    }
}

pub(crate) fn call() -> Call {
    Call { caller: Caller::keystile(), repeatable: None, validate_only: false }
}

/// A key of the system project may do everything.
pub(crate) fn new_key(project: &str) -> NewKey {
    let system = project == "system";
    NewKey {
        project: project.parse().unwrap(),
        id: None,
        service_account: None,
        environment: "production".parse().unwrap(),
        display_name: "".parse().unwrap(),
        roles: system.then(|| "root".parse().unwrap()).into_iter().collect(),
        permissions: vec![],
        customers: system.then(|| "*".parse().unwrap()).into_iter().collect(),
        allowed_cidrs: vec![],
        metadata: Metadata::default(),
        tags: vec![],
        expiry: Expiry::Never,
    }
}

/// Discards what verifications leave behind.
#[derive(Debug)]
pub(crate) struct Nobody;

impl Recorder for Nobody {
    fn decided(&self, _code: Code) {}

    fn used(&self, _id: KeyId, _key: Arc<CachedKey>, _secret_version: i32) {}

    fn rehashed(&self, _rehash: Rehash) {}
}

/// A follower that polls the log only when the test says so.
#[derive(Debug)]
pub(crate) struct Following {
    store: Arc<Faulty>,
    wake: mpsc::UnboundedSender<()>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Words(mpsc::UnboundedReceiver<()>);

#[async_trait]
impl Wakeups for Words {
    async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

impl Following {
    pub(crate) async fn start(node: &Node) -> Self {
        let following = Self::spawn(node);
        following.poll_once().await;
        following
    }

    /// One that looks at the log when it starts, and from then on only when the cache requests it.
    pub(crate) async fn unprompted(node: &Node) -> Self {
        let before = node.store.follows();
        let following = Self::spawn(node);
        node.store.follows_reach(before + 1).await;
        following
    }

    fn spawn(node: &Node) -> Self {
        let (wake, words) = mpsc::unbounded_channel();
        let hour = Duration::from_secs(3600);
        let follower = Follower::new(node.cache.clone(), Box::new(Words(words)), hour);
        let task = tokio::spawn(follower.run(std::future::pending()));
        Self { store: node.store.clone(), wake, task }
    }

    /// Makes it poll, and waits until the cache has taken in the result.
    pub(crate) async fn poll_once(&self) {
        // A poll may be in flight already, and each may take two queries.
        self.poll_times(4).await;
    }

    /// Makes it poll this many times; the next poll begins when the previous one is complete.
    pub(crate) async fn poll_times(&self, number: usize) {
        for _ in 0..number {
            let before = self.store.follows();
            self.wake.send(()).unwrap();
            self.store.follows_reach(before + 1).await;
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}
