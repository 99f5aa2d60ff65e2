//! A change is made as a whole, at its place in the order of changes, or not at all.

use domain::{
    audit::GENESIS, key::Key, project::Project, resource::Resource, service_account::ServiceAccount,
};
use keystile::{
    ports::{
        Cleanup, Commits, PepperRecords, ReadKeys, ReadLog, ReadServiceAccounts, Readiness,
        commits::{Commit, CommitError, CommitStep, Expect, Remembered},
        write::{AnyResource, Write},
    },
    store::SqlStore,
};
use testkit::database::Database;

use crate::sample::{
    account, account_id, acme, at, change, commit, insert_keys, key, key_id, populate, project, refused,
    stored, write,
};

pub(crate) async fn the_log_begins_at_its_genesis(_: &Database, store: &SqlStore) {
    let head = store.head().await.unwrap();
    assert_eq!((head.revision, head.hash), (0, GENESIS));
    assert!(store.events_from(1, 10).await.unwrap().is_empty());
    store.ping().await.unwrap();
}

pub(crate) async fn each_conflict_with_an_existing_row_has_its_error(_: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, [key(1)]).await;
    let mut request = commit(vec![]);
    request.remember = Some(remembered(1));
    store.commit(request).await.unwrap();

    let elsewhere = Key { project: "other".parse().unwrap(), ..key(1) };
    write(store, vec![Write::insert(project("other"))]).await;
    for (attempt, expected) in [
        (Write::insert(project("acme")), Project::KIND),
        (Write::insert(account("ci")), ServiceAccount::KIND),
        (Write::insert(key(1)), Key::KIND),
        (Write::insert(elsewhere), Key::KIND),
    ] {
        let error = refused(store, vec![attempt]).await;
        assert!(matches!(error, CommitError::Exists(existing) if existing == expected), "{error:?}");
    }
    // A repeated request is reported as such, whatever else it collides with.
    let mut request = commit(vec![Write::insert(key(1))]);
    request.remember = Some(remembered(1));
    let error = store.commit(request).await.unwrap_err();
    assert!(matches!(error, CommitError::Repeated), "{error:?}");
}

pub(crate) async fn a_stale_revision_is_a_conflict(_: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, [key(1)]).await;
    let read = stored(store, key_id(1)).await;
    write(store, vec![Write::update(read.clone())]).await;
    let stale = vec![
        Write::update(read.clone()),
        Write::delete(read.clone()),
        Write::update(Key { project: "other".parse().unwrap(), revision: read.revision + 1, ..read.clone() }),
        Write::update(Key { revision: 1, ..key(2) }),
        Write::update(Project { revision: 9, ..project("acme") }),
        Write::delete(Project { revision: 9, ..project("acme") }),
        Write::update(ServiceAccount { revision: 9, ..account("ci") }),
        Write::delete(ServiceAccount { revision: 9, ..account("ci") }),
        Write::DeleteUnused(ServiceAccount { revision: 1, ..account("ci") }),
    ];
    for attempt in stale {
        let error = refused(store, vec![attempt]).await;
        assert!(matches!(error, CommitError::Conflict), "{error:?}");
    }
    assert_eq!(store.head().await.unwrap().revision, 3);
}

pub(crate) async fn a_refused_change_writes_nothing(_: &Database, store: &SqlStore) {
    populate(store).await;
    let before = store.head().await.unwrap();
    let writes = vec![
        Write::insert(account("new")),
        Write::insert(key(1)),
        Write::insert(key(2)),
        Write::insert(key(1)),
    ];
    let change = Commit { remember: Some(remembered(1)), ..commit(writes) };
    store.commit(change).await.expect_err("the commit inserts one key twice");
    nothing_happened(store).await;
    assert_eq!(store.head().await.unwrap(), before);
    assert_eq!(write(store, vec![]).await, before.revision + 1);
}

pub(crate) async fn a_dry_run_writes_nothing(_: &Database, store: &SqlStore) {
    populate(store).await;
    let before = store.head().await.unwrap();
    let trial = |writes| Commit { remember: Some(remembered(1)), validate_only: true, ..commit(writes) };
    let insert = || vec![Write::insert(account("new")), Write::insert(key(1))];
    store.commit(trial(insert())).await.unwrap();
    nothing_happened(store).await;
    assert_eq!(store.head().await.unwrap(), before);

    let again = vec![Write::insert(account("ci"))];
    let error = store.commit(trial(again)).await.unwrap_err();
    assert!(matches!(error, CommitError::Exists(ServiceAccount::KIND)));
}

async fn nothing_happened(store: &SqlStore) {
    let account = store.service_account(&acme(), &account_id("new")).await;
    assert!(account.unwrap().is_none());
    for n in [1, 2] {
        assert!(store.key(&acme(), key_id(n)).await.unwrap().is_none());
    }
    assert!(store.remembered(&[1; 32]).await.unwrap().is_none());
    assert!(store.pepper_usage().await.unwrap().is_empty());
    assert_eq!(store.events_from(1, 10).await.unwrap().len(), 1);
}

pub(crate) async fn expectations_are_checked_in_the_change(_: &Database, store: &SqlStore) {
    populate(store).await;
    let expect = async |expect: Vec<Expect>| {
        let change = Commit { expect, ..commit(vec![]) };
        store.commit(change).await
    };

    expect(vec![Expect::Owner(account("ci").name(), 7)]).await.unwrap();
    for gone in [
        Expect::Owner(account("gone").name(), 7),
        Expect::Owner(ServiceAccount { project: "other".parse().unwrap(), ..account("ci") }.name(), 7),
        Expect::Owner(account("ci").name(), 8),
    ] {
        assert!(matches!(expect(vec![gone]).await, Err(CommitError::OwnerGone(_))));
    }

    let unchanged: [AnyResource; 2] = [
        Project { revision: 1, ..project("acme") }.into(),
        ServiceAccount { revision: 1, ..account("ci") }.into(),
    ];
    expect(unchanged.map(Expect::unchanged).into()).await.unwrap();
    let stale: [AnyResource; 5] = [
        Project { revision: 2, ..project("acme") }.into(),
        Project { revision: 1, ..project("other") }.into(),
        ServiceAccount { revision: 2, ..account("ci") }.into(),
        ServiceAccount { revision: 1, ..account("other") }.into(),
        Key { revision: 1, ..key(1) }.into(),
    ];
    for stale in stale {
        assert!(matches!(expect(vec![Expect::unchanged(stale)]).await, Err(CommitError::Conflict)));
    }

    let in_use = expect(vec![Expect::NoServiceAccounts(acme())]).await;
    assert!(matches!(in_use, Err(CommitError::InUse(ServiceAccount::KIND))));
    let gone = Write::delete(ServiceAccount { revision: 1, ..account("ci") });
    let system = ServiceAccount { protected: true, ..account("system") };
    write(store, vec![gone, Write::insert(system)]).await;
    expect(vec![Expect::NoServiceAccounts(acme())]).await.unwrap();
}

pub(crate) async fn requests_are_remembered_for_a_while(_: &Database, store: &SqlStore) {
    for (n, time) in [(1, at(10)), (2, at(20))] {
        let mut request = commit(vec![]);
        request.remember = Some(Remembered { time, ..remembered(n) });
        request.steps[0].change = change("projects/acme/keys/1");
        store.commit(request).await.unwrap();
    }
    let found = store.remembered(&[1; 32]).await.unwrap();
    assert_eq!(found, Some(Remembered { time: at(10), ..remembered(1) }));
    assert!(!store.forget_requests(at(20)).await.unwrap(), "no request is left to forget");
    assert!(store.remembered(&[1; 32]).await.unwrap().is_none());
    assert!(store.remembered(&[2; 32]).await.unwrap().is_some());
}

fn remembered(n: u8) -> Remembered {
    Remembered { id: [n; 32], fingerprint: [n + 100; 32], target: "projects/acme/keys/1".into(), time: at(1) }
}

pub(crate) async fn each_step_has_an_event_of_its_own(_: &Database, store: &SqlStore) {
    populate(store).await;
    let before = store.head().await.unwrap().revision;
    let step = |target: &str, write| CommitStep { change: change(target), writes: vec![write] };
    let account_name = "projects/acme/serviceAccounts/new";
    let steps = || {
        vec![
            step(account_name, Write::insert(account("new"))),
            step("projects/acme/keys/1", Write::insert(key(1))),
        ]
    };
    let made = store.commit(Commit { steps: steps(), ..commit(vec![]) }).await.unwrap();
    let events = store.events_from(before + 1, 10).await.unwrap();
    let places: Vec<_> = events.iter().map(|event| (event.head(), event.target.as_str())).collect();
    assert_eq!(places, [(made[0], account_name), (made[1], "projects/acme/keys/1")]);
    assert_eq!(events[1].fault_after(&made[0]), None);
    assert_eq!(store.head().await.unwrap(), made[1]);
    let stored = store.service_account(&acme(), &account_id("new")).await.unwrap().unwrap();
    assert_eq!(stored.revision, before + 1);
    assert_eq!(store.key(&acme(), key_id(1)).await.unwrap().unwrap().revision, before + 2);

    // The second step fails: the first leaves nothing.
    let another = step("projects/acme/serviceAccounts/other", Write::insert(account("other")));
    let [_, taken] = <[_; 2]>::try_from(steps()).unwrap();
    let refused = Commit { steps: vec![another, taken], ..commit(vec![]) };
    assert!(matches!(store.commit(refused).await, Err(CommitError::Exists(Key::KIND))));
    assert!(store.service_account(&acme(), &account_id("other")).await.unwrap().is_none());
    assert_eq!(store.head().await.unwrap(), made[1]);
}
