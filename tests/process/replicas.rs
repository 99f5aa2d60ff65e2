//! Several processes on one database: they start together, and see each other's changes.

use std::{future::poll_fn, task::Poll};

use proto::{Code, ListProjectsRequest};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use testkit::database::{Database, Kind};
use tokio::time::timeout;

use crate::{
    cluster::PATIENCE,
    home::{Caller, Home, Serving, printed_key},
};

#[tokio::test]
async fn two_start_at_once_on_an_empty_postgres() {
    start_at_once(Kind::Postgres, 2).await;
}

#[tokio::test]
async fn four_start_at_once_on_an_empty_postgres() {
    start_at_once(Kind::Postgres, 4).await;
}

#[tokio::test]
async fn two_start_at_once_on_an_empty_mariadb() {
    start_at_once(Kind::MySql, 2).await;
}

#[tokio::test]
async fn four_start_at_once_on_an_empty_mariadb() {
    start_at_once(Kind::MySql, 4).await;
}

#[tokio::test]
async fn a_root_key_can_be_minted_while_a_server_runs() {
    let home = Home::embedded();
    let serving = home.serve().await;
    let first = serving.root().await;
    let minted = home.run(&["root-key"]).await.with_code(0);
    let second = printed_key(&minted.stdout).unwrap();
    assert_eq!(minted.stdout, format!("{second}\n"), "the output is only the API key");
    assert!(!minted.stderr.contains(&second));
    assert_ne!(first, second);
    serving.caller(&second).create_project().await;
    assert_eq!(serving.caller(&first).whole_log().await, 3);
    serving.stop().await;
}

async fn start_at_once(kind: Kind, number: usize) {
    let database = Database::empty(kind).await;
    let homes: Vec<_> = (0..number).map(|_| Home::on(&database)).collect();
    let starting: Vec<_> = homes.iter().map(|home| home.spawn(&[])).collect();
    let mut replicas = Vec::new();
    for process in starting {
        replicas.push(Serving::of(process).await);
    }
    let root = first(replicas.iter().map(Serving::root)).await;
    let callers: Vec<_> = replicas.iter().map(|it| it.caller(&root)).collect();
    for caller in &callers {
        let listed = caller.projects().list_projects(ListProjectsRequest::default()).await;
        let projects = listed.unwrap().into_inner().projects;
        assert_eq!(projects.len(), 1, "{projects:?}");
        assert_eq!(caller.whole_log().await, 1, "one replica creates the system project");
    }
    let raw = database.raw().await;
    let migrations = count(&raw, "seaql_migrations").await;
    assert_eq!(count(&raw, "projects").await, 1);
    assert_eq!(count(&raw, "change_head").await, 1);
    raw.close().await.unwrap();

    callers[0].create_project().await;
    all_replicas_see_the_changes_of_one(&callers).await;
    let changed = changed_by_all_at_once(&callers).await;
    for caller in &callers {
        // A key has an implicit account, which is another change.
        let before = 2 + 3 * callers.len() as i64;
        assert_eq!(caller.whole_log().await, before + changed);
    }
    let (mut migrated, mut printed) = (0, Vec::new());
    for replica in replicas {
        let ended = replica.stop().await;
        migrated += ended.stderr.matches("migrated the database").count() as i64;
        printed.extend(printed_key(&ended.stdout));
        assert!(!ended.stderr.contains(r#""level":"ERROR""#), "{ended:#?}");
    }
    assert_eq!(migrated, migrations, "each migration is made by one replica");
    assert_eq!(printed, [root], "one replica prints a root key");
}

/// Each replica in turn creates a key and revokes it.
async fn all_replicas_see_the_changes_of_one(callers: &[Caller]) {
    for (number, one) in callers.iter().enumerate() {
        let (key, api_key) = one.create_key(&format!("key {number}")).await;
        for caller in callers {
            wait_for_code(caller, &api_key, Code::Valid).await;
        }
        one.revoke(&key.name).await;
        for caller in callers {
            wait_for_code(caller, &api_key, Code::Revoked).await;
        }
    }
}

/// Verifies until the code is as expected: a replica may follow a change a little later.
async fn wait_for_code(caller: &Caller, api_key: &str, code: Code) {
    let asking = async { while caller.code(api_key).await != code {} };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("the code never becomes {code:?}"));
}

/// Makes concurrent changes on all replicas, and returns their number.
async fn changed_by_all_at_once(callers: &[Caller]) -> i64 {
    const EACH: usize = 15;
    let tasks: Vec<_> = callers
        .iter()
        .enumerate()
        .map(|(number, caller)| {
            let caller = caller.clone();
            tokio::spawn(async move {
                for key in 0..EACH {
                    caller.create_key(&format!("replica {number}, key {key}")).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    (callers.len() * EACH * 2) as i64
}

/// The result of the future that is ready first.
async fn first<F: Future>(futures: impl Iterator<Item = F>) -> F::Output {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    poll_fn(|context| {
        let mut polled = futures.iter_mut().map(|it| it.as_mut().poll(context));
        polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

async fn count(raw: &DatabaseConnection, table: &str) -> i64 {
    let counted =
        Statement::from_string(raw.get_database_backend(), format!("SELECT COUNT(*) AS number FROM {table}"));
    let row = raw.query_one_raw(counted).await.unwrap().unwrap();
    row.try_get("", "number").unwrap()
}
