//! The change log reads back as it was written, and is filtered.

use std::time::Duration;

use domain::{
    access::Projects,
    audit::{Actor, Change, Event, Head},
    page::{Cursor, Id, Page, SortValue},
    query::{event_filter, event_order},
};
use keystile::{
    ports::{Commits, Feed, ReadLog},
    store::SqlStore,
};
use serde_json::json;
use testkit::database::{Database, Kind};
use tokio::time::timeout;

use crate::sample::{account_id, at, change, commit, commit_of, key_id, populate};

/// How long a notification may take, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn events_read_back_as_they_were_hashed(_: &Database, store: &SqlStore) {
    let full = Change {
        time: domain::time::Timestamp::from_micros(1_234_567_890_123_456),
        actor: Actor::Caller { service_account: account_id("root"), key: key_id(1) },
        request_id: "r-\u{1f680} ".into(),
        peer: "[2001:db8::1%eth0]:65535".into(),
        before: Some(json!({ "name": "Grüße 'an' \"die\" \\ Welt\u{1f511}", "n": 0.1 })),
        after: Some(json!({ "long": "x".repeat(100_000) })),
        ..change("projects/acme/keys/1 ")
    };
    let mut head = store.head().await.unwrap();
    let mut expected = Vec::new();
    for made in [full, change("projects/acme")] {
        let event = head.next(&made);
        let change = commit_of(made, vec![]);
        store.commit(change).await.unwrap();
        head = event.head();
        expected.push(event);
    }
    assert_eq!(store.events_from(1, 10).await.unwrap(), expected);
    assert_eq!(store.events_from(2, 10).await.unwrap(), expected[1..]);
    assert_eq!(store.events_from(1, 1).await.unwrap(), expected[..1]);
    assert!(store.events_from(3, 10).await.unwrap().is_empty());
    let Head { revision, hash } = store.head().await.unwrap();
    assert_eq!((revision, hash), (2, expected[1].hash));
}

pub(crate) async fn changes_are_followed_by_revision(_: &Database, store: &SqlStore) {
    assert!(store.changes_after(0, 10).await.unwrap().is_empty());
    for n in 1..=5 {
        let change = commit_of(change(&format!("projects/acme/keys/{n}")), vec![]);
        store.commit(change).await.unwrap();
    }
    let steps = store.changes_after(2, 2).await.unwrap();
    let steps: Vec<_> = steps.iter().map(|it| (it.revision, it.target.as_str())).collect();
    assert_eq!(steps, [(3, "projects/acme/keys/3"), (4, "projects/acme/keys/4")]);
    assert_eq!(store.changes_after(4, 10).await.unwrap().len(), 1);
    assert!(store.changes_after(5, 10).await.unwrap().is_empty());
}

/// From any process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_notifies_of_changes() {
    let (database, store) = Database::migrated(Kind::Postgres).await;
    let elsewhere = database.open().await;
    let mut wakeups = elsewhere.wakeups();
    // The first wake-up means that the listener is connected.
    wakeups.next().await;
    let word = tokio::spawn(async move { wakeups.next().await });
    store.commit(commit(vec![])).await.unwrap();
    word.await.unwrap();
    assert_eq!(elsewhere.changes_after(0, 10).await.unwrap().len(), 1);
    elsewhere.close().await;
    store.close().await;
}

pub(crate) async fn events_are_filtered(_: &Database, store: &SqlStore) {
    let caller = |id| Actor::Caller { service_account: account_id(id), key: key_id(1) };
    let changes = [
        Change { actor: caller("root"), time: at(10), ..change("projects/acme") },
        Change { actor: caller("ci"), action: "keys.revoke", time: at(20), ..change("projects/acme") },
        Change {
            actor: caller("root"),
            project: "other".parse().unwrap(),
            time: at(20),
            ..change("projects/other")
        },
        Change { time: at(30), ..change("projects/acme/keys/1") },
    ];
    for change in changes {
        let change = commit_of(change, vec![]);
        store.commit(change).await.unwrap();
    }
    let of = |id: &str| Projects::These([id.parse().unwrap()].into());
    let (acme, none) = (of("acme"), of("none"));
    let both = Projects::These(["acme", "other"].map(|id| id.parse().unwrap()).into());
    for (of, filter, expected) in [
        (&Projects::All, "", &[4_i64, 3, 2, 1] as &[_]),
        (&acme, "", &[4, 2, 1]),
        (&none, "", &[]),
        (&Projects::default(), "", &[]),
        (&both, "", &[4, 3, 2, 1]),
        (&both, "event_time >= \"1970-01-01T00:00:20Z\"", &[4, 3, 2]),
        (&Projects::All, "actor = projects/system/serviceAccounts/root", &[3, 1]),
        (&acme, "actor = projects/system/serviceAccounts/root", &[1]),
        (&acme, "actor != projects/system/serviceAccounts/root", &[4, 2]),
        (&Projects::All, "action = keys.revoke", &[2]),
        (&Projects::All, "action = Keys.revoke", &[]),
        (&Projects::All, "action = \"keys.revoke \"", &[]),
        (&Projects::All, "action = \"keys.revoke\u{0}\"", &[]),
        (&Projects::All, "target = projects/acme", &[2, 1]),
        (&Projects::All, "target = \"projects/acme \"", &[]),
        (&Projects::All, "event_time >= \"1970-01-01T00:00:20Z\"", &[4, 3, 2]),
        (&Projects::All, "revision > 1 AND revision <= 3", &[3, 2]),
        (&Projects::All, "revision = 2 OR target = projects/acme/keys/1", &[4, 2]),
    ] {
        for size in [1, 3, 9] {
            let found = revisions(&listed(store, of, filter, "", size).await);
            assert_eq!(found, expected, "{filter}");
            let mut found = revisions(&listed(store, of, filter, "revision", size).await);
            found.reverse();
            assert_eq!(found, expected, "{filter}");
        }
    }
}

fn revisions(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.revision).collect()
}

async fn listed(store: &SqlStore, of: &Projects, filter: &str, order: &str, size: u64) -> Vec<Event> {
    let filter = event_filter(filter).unwrap();
    let mut page = Page { size, order: event_order(order).unwrap(), after: None };
    let mut all: Vec<Event> = Vec::new();
    loop {
        let events = store.events(of, &filter, page.clone()).await.unwrap();
        assert!(events.len() as u64 <= size);
        let Some(last) = events.last() else {
            return all;
        };
        page.after = Some(Cursor { value: SortValue::Number(last.revision), id: Id::None });
        all.extend(events);
    }
}

/// PostgreSQL notifies of a change once it is committed, so that no node has to wait for its next poll.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_wakes_those_who_follow() {
    let (database, store) = Database::migrated(Kind::Postgres).await;
    let elsewhere = database.open().await;
    let mut wakeups = elsewhere.wakeups();
    timeout(PATIENCE, wakeups.next()).await.expect("it does not listen");
    populate(&store).await;
    timeout(PATIENCE, wakeups.next()).await.expect("nobody is notified");
    drop(wakeups);
    elsewhere.close().await;
    store.close().await;
}
