//! What follows a deleted project or account: in small commits, whole in the end, each key with an event of its own.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use keystile::{
    app::World,
    domain::{
        audit::{Actor, Event, GENESIS, Head},
        digest::Peppers,
        key::{Deletion, Key},
        labels::Metadata,
        name::{KeyName, ServiceAccountName},
        project::{Environments, Retention},
        time::{DAY, Timestamp},
    },
    ports::{Clock, Store},
    service::{Call, Error, NewProject, NewServiceAccount, Round, Service},
    store::SqlStore,
};

use crate::{
    database::{Database, Kind},
    ends::rows,
    sample::{account_id, acme, at, insert_keys, key, key_id},
};

/// How many events one commit may make.
const PORTION: usize = 50;

/// The uptime is a second later each time that it is read: a call goes on for two portions.
#[derive(Debug, Default)]
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        at(1_000)
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.0.fetch_add(1, SeqCst))
    }
}

/// A server's verbs on a store of its own, and how many events each of its commits made.
struct Replica {
    service: Service,
    store: Arc<SqlStore>,
    commits: Arc<Mutex<Vec<usize>>>,
}

impl Replica {
    async fn on(database: &Database) -> Self {
        let mut store = database.open().await;
        let commits = Arc::new(Mutex::new(vec![0]));
        let seen = commits.clone();
        store.observe(move |statement| {
            let mut commits = seen.lock().unwrap();
            let sql = statement.sql.replace(['"', '`'], "");
            if sql.starts_with("INSERT INTO audit_events") {
                *commits.last_mut().unwrap() += 1;
            } else if sql.starts_with("UPDATE change_head") {
                commits.push(0);
            }
        });
        let store = Arc::new(store);
        let peppers = Arc::new(Peppers::new([(1, &[7; 32][..])]).unwrap());
        let (clock, random) = (Arc::new(Ticking::default()), World::system().random);
        let service = Service::new(store.clone() as Arc<dyn Store>, clock, random, peppers, Arc::new(()));
        Self { service, store, commits }
    }

    /// The most events that one commit has made.
    fn largest_commit(&self) -> usize {
        *self.commits.lock().unwrap().iter().max().unwrap()
    }

    async fn create_project(&self) -> Result<(), Error> {
        let project = NewProject {
            id: acme(),
            display_name: "".parse().unwrap(),
            prefix: "acme".parse().unwrap(),
            environments: Environments::default(),
            retention: Retention::default(),
        };
        self.service.create_project(&call(), &project).await.map(drop)
    }

    /// The project `acme` with its account `ci`, which owns this many keys.
    async fn populate(&self, keys: u64) {
        self.create_project().await.unwrap();
        let new = NewServiceAccount {
            project: acme(),
            id: Some(account_id("ci")),
            display_name: "".parse().unwrap(),
            external_id: "".parse().unwrap(),
            metadata: Metadata::default(),
        };
        let account = self.service.create_service_account(&call(), new).await.unwrap().account;
        let owned = |n| Key { account_generation: account.generation, ..key(n) };
        insert_keys(&*self.store, (0..keys).map(owned)).await;
        *self.commits.lock().unwrap() = vec![0];
    }

    async fn keep_house(&self) -> Round {
        let mut round = Round::default();
        while self.service.keep_house(&mut round).await.unwrap() {}
        round
    }

    async fn close(self) {
        self.store.close().await;
    }
}

fn call() -> Call {
    let actor = Actor::Caller { service_account: account_id("root"), key: key_id(9_999) };
    Call { actor, peer: "192.0.2.1".into(), repeatable: None, validate_only: false }
}

fn ci() -> ServiceAccountName {
    ServiceAccountName { project: acme(), service_account: account_id("ci") }
}

/// How often each action was taken on each target, after checking the chain.
async fn trail(store: &SqlStore) -> BTreeMap<(String, String), usize> {
    let events = store.events_from(1, 100_000).await.unwrap();
    let mut head = Head { revision: 0, hash: GENESIS };
    let mut trail = BTreeMap::new();
    for event in events {
        assert_eq!(event.fault_after(&head), None);
        head = event.head();
        if event.action == "keys.delete" || event.action == "keys.purge" {
            assert_caller(&event);
        }
        *trail.entry((event.action, event.target)).or_default() += 1;
    }
    trail
}

/// Whoever deleted the owner deleted its keys.
fn assert_caller(event: &Event) {
    assert_eq!((event.actor_account.as_str(), event.peer.as_str()), ("root", "192.0.2.1"));
}

fn targets(trail: &BTreeMap<(String, String), usize>, wanted: &str) -> usize {
    let of_action = trail.iter().filter(|((action, _), _)| action == wanted);
    of_action
        .map(|((_, target), times)| {
            assert_eq!(*times, 1, "{wanted} of {target}");
        })
        .count()
}

pub(crate) async fn a_removal_goes_in_small_commits_and_is_finished_by_housekeeping(
    database: &Database,
    store: &SqlStore,
) {
    const KEYS: usize = 230;

    let server = Replica::on(database).await;
    server.populate(KEYS as u64).await;
    server.service.delete_service_account(&call(), &ci(), "", true).await.unwrap();
    assert!(matches!(server.service.get_service_account(&ci()).await, Err(Error::NotFound { .. })));
    let deleted = targets(&trail(store).await, "keys.delete");
    assert_eq!(deleted, 2 * PORTION, "for so long the call goes on");
    for n in 0..KEYS as u64 {
        let loaded = store.load(&[key_id(n)]).await.unwrap();
        assert!(loaded.key(key_id(n)).unwrap().is_none(), "none of them verifies");
    }
    assert_eq!(server.largest_commit(), PORTION);

    // Another process finds what is left to do.
    let other = Replica::on(database).await;
    assert_eq!(other.keep_house().await.removed(), KEYS - deleted);
    assert_eq!(targets(&trail(store).await, "keys.delete"), KEYS);
    for n in 0..KEYS as u64 {
        let key = store.key(&acme(), key_id(n)).await.unwrap().unwrap();
        let purge_time = at(1_000).after(Retention::default().as_duration());
        assert_eq!(key.deletion, Some(Deletion { time: at(1_000), purge_time }));
    }
    assert!(store.removals(1).await.unwrap().is_empty());

    server.service.delete_project(&call(), &acme(), "", true).await.unwrap();
    assert!(matches!(server.service.get_project(&acme()).await, Err(Error::NotFound { .. })));
    let name = KeyName { project: acme(), key: key_id(KEYS as u64 - 1) };
    assert!(matches!(server.service.get_key(&name).await, Err(Error::NotFound { .. })));
    let again = server.create_project().await;
    assert!(matches!(again, Err(Error::DeletionUnderWay { .. })), "{again:?}");
    other.keep_house().await;
    let trail = trail(store).await;
    assert_eq!(targets(&trail, "keys.purge"), KEYS + 1, "with the system key");
    assert_eq!(targets(&trail, "serviceAccounts.delete"), 2);
    assert_eq!(targets(&trail, "projects.delete"), 1);
    assert_eq!(server.largest_commit().max(other.largest_commit()), PORTION);
    assert!(store.removals(1).await.unwrap().is_empty());
    server.create_project().await.unwrap();
    server.close().await;
    other.close().await;
}

pub(crate) async fn replicas_finish_a_removal_side_by_side(database: &Database, store: &SqlStore) {
    const KEYS: usize = 310;

    let (one, two) = (Replica::on(database).await, Replica::on(database).await);
    one.populate(KEYS as u64).await;
    one.service.delete_service_account(&call(), &ci(), "", true).await.unwrap();
    tokio::join!(one.keep_house(), two.keep_house());
    // Whoever was behind too often left it to the other.
    one.keep_house().await;
    assert_eq!(targets(&trail(store).await, "keys.delete"), KEYS);
    one.service.delete_project(&call(), &acme(), "", true).await.unwrap();
    tokio::join!(one.keep_house(), two.keep_house());
    one.keep_house().await;
    assert_eq!(targets(&trail(store).await, "keys.purge"), KEYS + 1);
    assert!(store.removals(1).await.unwrap().is_empty());
    assert!(store.project(&acme()).await.unwrap().is_none());
    one.create_project().await.unwrap();
    one.close().await;
    two.close().await;
}

pub(crate) async fn what_cannot_be_read_stops_no_purge(database: &Database, store: &SqlStore) {
    let server = Replica::on(database).await;
    server.populate(0).await;
    let due = |n: u64, purge: i64| Key {
        deletion: Some(Deletion { time: at(1), purge_time: at(purge) }),
        account_generation: 3,
        ..key(n)
    };
    // More of them than one portion takes, and all before the others.
    let damaged = PORTION as u64 + 10;
    insert_keys(store, (0..damaged).map(|n| due(n, 10)).chain((100..110).map(|n| due(n, 20)))).await;
    insert_keys(store, [due(200, 1_001)]).await;
    let table = if database.kind == Kind::MySql { "`keys`" } else { "keys" };
    let damage = format!("UPDATE {table} SET tags = 'not a list' WHERE purge_time = {}", at(10).as_micros());
    database.execute(&damage).await;
    let mut stuck = 0;
    if database.kind == Kind::Sqlite {
        let trigger = "CREATE TRIGGER stuck BEFORE DELETE ON keys WHEN OLD.display_name = 'Key 105' \
                       BEGIN SELECT RAISE(ABORT, 'stuck'); END";
        database.execute(trigger).await;
        stuck = 1;
    }
    for purged in [10 - stuck, 0] {
        let round = server.keep_house().await;
        assert_eq!(round.purged(), purged);
        assert_eq!(round.skipped(), damaged as usize + stuck);
    }
    for n in 100..110 {
        let left = store.key(&acme(), key_id(n)).await.unwrap();
        assert_eq!(left.is_some(), stuck == 1 && n == 105, "{n}");
    }
    assert!(store.key(&acme(), key_id(200)).await.unwrap().is_some(), "its time has not come");
    server.close().await;
}

/// Changes wait for each of the portions alone, and nothing else of the round waits for any.
pub(crate) async fn old_requests_are_forgotten_in_portions_and_last(database: &Database, store: &SqlStore) {
    let server = Replica::on(database).await;
    server.populate(0).await;
    let deletion = Some(Deletion { time: at(1), purge_time: at(10) });
    insert_keys(store, [Key { deletion, account_generation: 3, ..key(1) }]).await;
    let bytes = |n: u64| match database.kind {
        Kind::Postgres => format!("'\\x{n:064x}'"),
        _ => format!("X'{n:064x}'"),
    };
    let (old, new) = (at(1_000).before(2 * DAY).as_micros(), at(999).as_micros());
    let request = |n| format!("({}, {}, 'it', {})", bytes(n), bytes(0), if n < 700 { old } else { new });
    let requests = (0..701).map(request).collect::<Vec<_>>().join(", ");
    database
        .execute(&format!("INSERT INTO requests (id, fingerprint, target, time) VALUES {requests}"))
        .await;
    let (mut round, mut left) = (Round::default(), vec![rows(database, "requests").await]);
    while server.service.keep_house(&mut round).await.unwrap() {
        left.push(rows(database, "requests").await);
        assert!(left[0] == left[left.len() - 1] || round.purged() == 1, "it comes last");
    }
    left.push(rows(database, "requests").await);
    left.dedup();
    assert_eq!(left, [701, 401, 101, 1], "the new one stays");
    server.close().await;
}
