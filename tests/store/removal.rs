//! Removals of deleted projects and accounts: in small commits, complete in the end, with an event for each key.

use std::{
    collections::BTreeMap,
    future::{pending, ready},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use domain::{
    audit::{Actor, Event, GENESIS, Head},
    digest::Peppers,
    key::{Deletion, Key},
    labels::Metadata,
    name::{KeyName, ServiceAccountName},
    project::{Environments, KeyPolicy, Retention},
    removal::{Removal, Removed},
    time::{DAY, Timestamp},
};
use keystile::{
    app::World,
    ports::{AdminStore, Cleanup, Clock, LoadKeys, ReadKeys, ReadLog, ReadProjects, write::Write},
    store::SqlStore,
    verbs::{Call, Caller, Error, NewProject, NewServiceAccount, Round, Service},
};
use testkit::database::{Database, Kind};

use crate::{
    ends::rows,
    sample::{account_id, acme, at, insert_keys, key, key_id, write},
};

/// How many events one commit may make.
pub(crate) const PORTION: usize = 50;

/// The uptime is a quarter of a second later each time that it is read, so each portion takes that long, and a call
/// lasts for three portions and the rests between them.
#[derive(Debug, Default)]
struct Ticking {
    millis: AtomicU64,
    rests: Mutex<Vec<Duration>>,
}

const TICK: Duration = Duration::from_millis(250);

#[async_trait::async_trait]
impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        at(1_000)
    }

    fn uptime(&self) -> Duration {
        Duration::from_millis(self.millis.fetch_add(250, SeqCst))
    }

    async fn sleep(&self, span: Duration) {
        self.rests.lock().unwrap().push(span);
        self.millis.fetch_add(u64::try_from(span.as_millis()).unwrap(), SeqCst);
        tokio::task::yield_now().await;
    }
}

/// The verbs of a server on a store of its own, with the number of events in each of its commits.
pub(crate) struct Replica {
    pub(crate) service: Service,
    store: Arc<SqlStore>,
    commits: Arc<Mutex<Vec<usize>>>,
    /// How many writes it made to each table, except to that of events.
    writes: Arc<Mutex<BTreeMap<String, usize>>>,
    clock: Arc<Ticking>,
}

impl Replica {
    pub(crate) async fn on(database: &Database) -> Self {
        let mut store = database.open().await;
        let commits = Arc::new(Mutex::new(vec![0]));
        let writes = Arc::new(Mutex::new(BTreeMap::new()));
        let (seen, written) = (commits.clone(), writes.clone());
        store.observe(move |statement| {
            let mut commits = seen.lock().unwrap();
            let sql = statement.sql.replace(['"', '`'], "");
            let words: Vec<_> = sql.split_whitespace().take(3).collect();
            if ["INSERT", "UPDATE", "DELETE"].contains(&words[0]) || sql.contains("key_terms") {
                *written.lock().unwrap().entry(words.join(" ")).or_default() += 1;
            }
            if sql.starts_with("INSERT INTO audit_events") {
                *commits.last_mut().unwrap() += 1;
            } else if sql.starts_with("UPDATE change_head") {
                commits.push(0);
            }
        });
        let store = Arc::new(store);
        let peppers = Arc::new(Peppers::new([(1, &[7; 32][..])]).unwrap());
        let (clock, random) = (Arc::new(Ticking::default()), World::system().random);
        let service =
            Service::new(store.clone() as Arc<dyn AdminStore>, clock.clone(), random, peppers, Arc::new(()));
        Self { service, store, commits, writes, clock }
    }

    /// The most events that one commit has made.
    pub(crate) fn largest_commit(&self) -> usize {
        *self.commits.lock().unwrap().iter().max().unwrap()
    }

    async fn create_project(&self) -> Result<(), Error> {
        let project = NewProject {
            id: acme(),
            display_name: "".parse().unwrap(),
            prefix: "acme".parse().unwrap(),
            environments: Environments::default(),
            retention: Retention::default(),
            key_policy: KeyPolicy::default(),
        };
        self.service.create_project(&call(), &project).await.map(drop)
    }

    /// The project `acme` with its account `ci`, which owns this many keys.
    pub(crate) async fn populate(&self, keys: u64) {
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
        self.forget();
    }

    /// Forgets how large its commits were.
    pub(crate) fn forget(&self) {
        *self.commits.lock().unwrap() = vec![0];
    }

    /// How often it wrote to each table.
    pub(crate) fn writes(&self) -> BTreeMap<String, usize> {
        self.writes.lock().unwrap().clone()
    }

    pub(crate) async fn keep_house(&self) -> Round {
        let mut round = Round::default();
        assert!(!self.service.keep_house(&mut round, pin!(pending())).await.unwrap());
        round
    }

    pub(crate) async fn close(self) {
        self.store.close().await;
    }
}

pub(crate) fn call() -> Call {
    let actor = Actor::Caller { service_account: account_id("root"), key: key_id(9_999) };
    let caller = Caller::completing(actor, "192.0.2.1".into());
    Call { caller, repeatable: None, validate_only: false }
}

fn ci() -> ServiceAccountName {
    ServiceAccountName { project: acme(), service_account: account_id("ci") }
}

/// How often each action was taken on each target, after checking the chain.
pub(crate) async fn trail(store: &SqlStore) -> BTreeMap<(String, String), usize> {
    let events = store.events_from(1, 100_000).await.unwrap();
    let mut head = Head { revision: 0, hash: GENESIS };
    let mut trail = BTreeMap::new();
    for event in events {
        assert_eq!(event.fault_after(&head), None);
        head = event.head();
        if ["keys.delete", "keys.purge", "keys.remove_role"].contains(&event.action.as_str()) {
            assert_caller(&event);
        }
        *trail.entry((event.action, event.target)).or_default() += 1;
    }
    trail
}

/// The events of the keys name the caller that deleted the owner.
fn assert_caller(event: &Event) {
    assert_eq!((event.actor_account.as_str(), event.peer.as_str()), ("root", "192.0.2.1"));
}

pub(crate) fn targets(trail: &BTreeMap<(String, String), usize>, wanted: &str) -> usize {
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
    assert!(matches!(
        server.service.get_service_account(&call().caller, &ci()).await,
        Err(Error::NotFound { .. })
    ));
    let deleted = targets(&trail(store).await, "keys.delete");
    assert_eq!(deleted, 3 * PORTION, "the call works on three portions");
    // The portions of the call take a quarter of its time.
    assert_eq!(*server.clock.rests.lock().unwrap(), [3 * TICK; 2]);
    for n in 0..KEYS as u64 {
        let loaded = store.load(&[key_id(n)]).await.unwrap();
        assert!(loaded.key(key_id(n)).unwrap().is_none(), "a key of the deleted owner verifies");
    }
    assert_eq!(server.largest_commit(), PORTION);

    // Housekeeping is woken, and need not wait for its next round.
    tokio::time::timeout(Duration::from_secs(30), server.service.left_over())
        .await
        .expect("housekeeping is not woken");

    // Another process finds what is left to do.
    let other = Replica::on(database).await;
    assert_eq!(other.keep_house().await.removed(), KEYS - deleted);
    let rests = other.clock.rests.lock().unwrap().clone();
    assert!(rests.len() > 2 && rests.iter().all(|rest| *rest == 3 * TICK), "{rests:?}");
    // Only the changed columns of a key are written, in one statement.
    let writes = other.writes();
    let of_keys: Vec<_> = writes.iter().filter(|(what, _)| !what.contains("audit_events")).collect();
    assert_eq!(writes.get("UPDATE keys SET"), Some(&(KEYS - deleted)), "{writes:?}");
    assert!(
        !of_keys.iter().any(|(what, _)| what.contains("secrets") || what.contains("key_terms")),
        "{of_keys:?}"
    );
    assert_eq!(targets(&trail(store).await, "keys.delete"), KEYS);
    let events = store.events_from(1, 10_000).await.unwrap();
    let revisions: BTreeMap<_, _> = events.into_iter().map(|event| (event.target, event.revision)).collect();
    for n in 0..KEYS as u64 {
        let stored = store.key(&acme(), key_id(n)).await.unwrap().unwrap();
        let purge_time = at(1_000).after(Retention::default().as_duration());
        let deletion = Deletion { time: at(1_000), purge_time };
        let before = Key { account_generation: stored.account_generation, ..key(n) };
        let deleted = Key { revision: stored.revision, ..before.follow_owner(deletion, at(1_000)) };
        assert_eq!(format!("{stored:?}"), format!("{deleted:?}"));
        let name = KeyName { project: acme(), key: key_id(n) }.to_string();
        assert_eq!(revisions.get(&name), Some(&stored.revision));
    }
    assert!(store.removals(None, 1).await.unwrap().is_empty());

    server.service.delete_project(&call(), &acme(), "", true).await.unwrap();
    assert!(matches!(server.service.get_project(&call().caller, &acme()).await, Err(Error::NotFound { .. })));
    let name = KeyName { project: acme(), key: key_id(KEYS as u64 - 1) };
    assert!(matches!(server.service.get_key(&call().caller, &name).await, Err(Error::NotFound { .. })));
    let again = server.create_project().await;
    assert!(matches!(again, Err(Error::DeletionUnderWay { .. })), "{again:?}");
    other.keep_house().await;
    let trail = trail(store).await;
    assert_eq!(targets(&trail, "keys.purge"), KEYS + 1, "with the system key");
    assert_eq!(targets(&trail, "serviceAccounts.delete"), 2);
    assert_eq!(targets(&trail, "projects.delete"), 1);
    assert_eq!(server.largest_commit().max(other.largest_commit()), PORTION);
    assert!(store.removals(None, 1).await.unwrap().is_empty());
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
    // A replica that lost too many races leaves the rest to the other.
    one.keep_house().await;
    assert_eq!(targets(&trail(store).await, "keys.delete"), KEYS);
    one.service.delete_project(&call(), &acme(), "", true).await.unwrap();
    tokio::join!(one.keep_house(), two.keep_house());
    one.keep_house().await;
    assert_eq!(targets(&trail(store).await, "keys.purge"), KEYS + 1);
    assert!(store.removals(None, 1).await.unwrap().is_empty());
    assert!(store.project(&acme()).await.unwrap().is_none());
    one.create_project().await.unwrap();
    one.close().await;
    two.close().await;
}

pub(crate) async fn a_row_that_cannot_be_read_stops_no_purge(database: &Database, store: &SqlStore) {
    let server = Replica::on(database).await;
    server.populate(0).await;
    let due = |n: u64, purge: i64| Key {
        deletion: Some(Deletion { time: at(1), purge_time: at(purge) }),
        account_generation: 3,
        ..key(n)
    };
    // More damaged rows than fit in one portion, and all before the others.
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
    assert!(store.key(&acme(), key_id(200)).await.unwrap().is_some(), "its purge time has not come");
    server.close().await;
}

/// The removal of a deleted account `ci` of this generation.
pub(crate) fn left_behind(generation: i64) -> Removal {
    let deletion = Deletion { time: at(900), purge_time: at(9_000) };
    Removal {
        of: Removed::ServiceAccount { name: ci(), generation, deletion },
        actor: call().caller.actor,
        peer: call().caller.peer,
    }
}

pub(crate) async fn tasks_of_housekeeping_take_turns(database: &Database, store: &SqlStore) {
    const KEYS: u64 = 3 * PORTION as u64;

    let server = Replica::on(database).await;
    server.populate(0).await;
    // The large one comes first in every order.
    let large = (0..KEYS).map(|n| Key { account_generation: 10_001, ..key(n) });
    insert_keys(store, large.chain([Key { account_generation: 10_002, ..key(900) }])).await;
    let deletion = Some(Deletion { time: at(1), purge_time: at(2) });
    insert_keys(store, [Key { deletion, account_generation: 3, ..key(901) }]).await;
    let removals = [10_001, 10_002].map(|generation| Write::BeginRemoval(left_behind(generation)));
    write(store, removals.into()).await;

    // It stops after a portion if the stop is requested.
    let mut round = Round::default();
    assert!(server.service.keep_house(&mut round, pin!(ready(()))).await.unwrap());
    assert_eq!((round.removed(), round.purged()), (0, 0));

    let before = store.head().await.unwrap().revision;
    let round = server.keep_house().await;
    assert_eq!((round.removed(), round.purged()), (KEYS as usize + 1, 1));
    let events = store.events_from(before + 1, 1_000).await.unwrap();
    let position = |n| {
        let name = KeyName { project: acme(), key: key_id(n) }.to_string();
        events.iter().position(|event| event.target == name).unwrap()
    };
    assert!(position(900) <= PORTION + 1, "the small removal does not wait for the large one");
    assert!(position(901) <= PORTION + 1, "the purge does not wait for the large removal");
    assert!(store.removals(None, 1).await.unwrap().is_empty());
    server.close().await;
}

/// More removals that cannot be finished than one read returns do not prevent others from being finished.
pub(crate) async fn removals_that_cannot_be_finished_starve_no_other(database: &Database, store: &SqlStore) {
    const STUCK: usize = 120;

    let server = Replica::on(database).await;
    server.populate(0).await;
    let removals = (0..=STUCK as i64).map(|n| Write::BeginRemoval(left_behind(10_000 + n)));
    write(store, removals.collect()).await;
    let last = 10_000 + STUCK as i64;
    let damage = format!("UPDATE removals SET actor_account = '?' WHERE account_generation < {last}");
    database.execute(&damage).await;
    insert_keys(store, [Key { account_generation: last, ..key(1) }]).await;
    let round = server.keep_house().await;
    assert_eq!((round.removed(), round.skipped()), (1, STUCK));
    let left = store.removals(None, 1_000).await.unwrap();
    assert_eq!(left.len(), STUCK);
    assert!(left.iter().all(|it| it.removal.is_err()));
    assert_eq!(store.removals(Some(&left[5].cursor), 2).await.unwrap()[0].cursor, left[6].cursor);
    server.close().await;
}

/// A change waits for at most one of the portions.
pub(crate) async fn old_requests_are_forgotten_in_portions(database: &Database, _: &SqlStore) {
    let server = Replica::on(database).await;
    server.populate(0).await;
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
    while server.service.keep_house(&mut round, pin!(ready(()))).await.unwrap() {
        left.push(rows(database, "requests").await);
    }
    left.push(rows(database, "requests").await);
    left.dedup();
    assert_eq!(left, [701, 401, 101, 1], "the newer request stays");
    server.close().await;
}
