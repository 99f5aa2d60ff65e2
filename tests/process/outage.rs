//! Outages: notifications cut off, the database down, a process stopped. No decision is staler than
//! the bound, and everything recovers by itself.

use std::time::Duration;

use proto::{Code, GetProjectRequest, Key, RevokeKeyRequest, VerifyRequest, VerifyResponse};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use testkit::database::{Database, Kind};
use tokio::time::{sleep, timeout};
use tonic::Status;

use crate::{
    cluster::{Cluster, PATIENCE},
    home::Caller,
    private_postgres::PrivatePostgres,
};

/// Settings with which a lost notification is not hidden by a poll or by the bound on staleness during the test.
const RARE_POLL: [(&str, &str); 2] = [("KEYSTILE_FEED_POLL", "60s"), ("KEYSTILE_MAX_STALENESS", "1h")];

const LISTENERS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'";

async fn listeners(raw: &DatabaseConnection) -> Vec<i32> {
    let query = format!("SELECT pid {LISTENERS} ORDER BY pid");
    let rows = raw.query_all_raw(Statement::from_string(raw.get_database_backend(), query)).await.unwrap();
    rows.iter().map(|row| row.try_get("", "pid").unwrap()).collect()
}

/// Waits until this many connections listen that are not in `before`.
async fn listening(raw: &DatabaseConnection, number: usize, before: &[i32]) -> Vec<i32> {
    let waiting = timeout(PATIENCE, async {
        loop {
            let now = listeners(raw).await;
            if now.len() == number && now.iter().all(|pid| !before.contains(pid)) {
                return now;
            }
            sleep(Duration::from_millis(10)).await;
        }
    });
    waiting.await.expect("no connection listens")
}

/// Allows or refuses new connections; existing ones stay.
async fn allow_connections(raw: &DatabaseConnection, allow: bool) {
    let update = format!("UPDATE pg_database SET datallowconn = {allow} WHERE datname = current_database()");
    raw.execute_unprepared(&update).await.unwrap();
}

#[tokio::test]
async fn a_notification_connection_that_is_cut_off_loses_no_change() {
    let database = Database::empty(Kind::Postgres).await;
    let cluster = Cluster::start(&database, 3, &RARE_POLL).await;
    let callers = &cluster.callers;
    let raw = database.raw().await;
    let mut pids = listening(&raw, 3, &[]).await;
    for round in 0..3 {
        let (first, of_first) = callers[0].create_key(&format!("first of round {round}")).await;
        let (second, of_second) = callers[0].create_key(&format!("second of round {round}")).await;
        for caller in callers {
            caller.wait_for_code(&of_first, Code::Valid).await;
            caller.wait_for_code(&of_second, Code::Valid).await;
        }
        // A replica that makes a change while connections are refused already has those that it needs.
        for _ in 0..8 {
            let get = GetProjectRequest { name: "projects/acme".into() };
            callers[round].projects().get_project(get).await.unwrap();
        }
        callers[round].create_key(&format!("warms up in round {round}")).await;
        allow_connections(&raw, false).await;
        let cut = format!("SELECT pg_terminate_backend(pid) {LISTENERS}");
        raw.execute_unprepared(&cut).await.unwrap();
        listening(&raw, 0, &[]).await;
        // No notification of this change arrives; a listener that reconnects must poll.
        callers[round].revoke_at(&first.name).await;
        allow_connections(&raw, true).await;
        for caller in callers {
            caller.wait_for_code(&of_first, Code::Revoked).await;
        }
        pids = listening(&raw, 3, &pids).await;
        callers[round].revoke_at(&second.name).await;
        for caller in callers {
            caller.wait_for_code(&of_second, Code::Revoked).await;
        }
    }
    raw.close().await.unwrap();
    cluster.stop().await;
}

const BOUND: Duration = Duration::from_secs(4);

/// Checks a response for a warm key while the database is down.
fn is_within_the_bound(answer: &Result<VerifyResponse, Status>) -> bool {
    match answer {
        Ok(answer) => {
            assert_eq!(answer.code(), Code::Valid);
            let age = Duration::try_from(answer.decision_age.unwrap()).unwrap();
            assert!(age <= BOUND, "{age:?} old");
            assert_eq!(answer.degraded, age > Duration::from_secs(2), "{age:?} old");
            true
        }
        Err(status) => {
            assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
            false
        }
    }
}

/// The warm key is served, then served as degraded, then not at all; the cold one is not served.
async fn outlives(caller: &Caller, warm: &str, cold: Option<&String>) {
    let fresh = |answer: &Result<VerifyResponse, Status>| {
        is_within_the_bound(answer) && !answer.as_ref().is_ok_and(|answer| answer.degraded)
    };
    caller.wait_for_response(warm, |answer| !fresh(answer)).await;
    let degraded = caller.verified(warm).await;
    assert!(degraded.is_ok_and(|answer| answer.degraded), "a warm key is served for a while");
    if let Some(cold) = cold {
        let answer = caller.verified(cold).await;
        assert!(answer.is_err(), "the cold key was never seen: {answer:?}");
    }
    caller.wait_for_response(warm, |answer| !is_within_the_bound(answer)).await;
    // It stays refused.
    for _ in 0..20 {
        assert!(!is_within_the_bound(&caller.verified(warm).await));
    }
}

#[tokio::test]
async fn replicas_survive_an_outage_of_the_database() {
    let postgres = PrivatePostgres::start();
    let bound = format!("{}s", BOUND.as_secs());
    let settings = [("KEYSTILE_MAX_STALENESS", bound.as_str()), ("KEYSTILE_FEED_POLL", "50ms")];
    let cluster = Cluster::start_at(&postgres.location(), 2, &settings).await;
    let callers = &cluster.callers;
    let (cold, of_cold) = callers[0].create_key("cold").await;
    let (warm, of_warm) = callers[0].create_key("warm").await;
    for caller in callers {
        caller.wait_for_code(&of_warm, Code::Valid).await;
    }
    for round in 0..2 {
        postgres.stop();
        let watched = callers.iter().map(|caller| {
            let (caller, of_warm, of_cold) = (caller.clone(), of_warm.clone(), of_cold.clone());
            tokio::spawn(async move { outlives(&caller, &of_warm, (round == 0).then_some(&of_cold)).await })
        });
        for task in watched.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        postgres.start_again();
        for caller in callers {
            caller
                .wait_for_response(&of_warm, |answer| answer.as_ref().is_ok_and(|answer| !answer.degraded))
                .await;
        }
    }
    // Both replicas follow each other's changes again.
    let revision = callers[1].revoke_at(&warm.name).await;
    let request = VerifyRequest { api_key: of_warm.clone(), min_revision: revision, ..Default::default() };
    let answer = callers[0].verifier().verify(request).await.unwrap().into_inner();
    assert_eq!(answer.code(), Code::Revoked);
    assert_eq!(callers[1].verified(&of_cold).await.unwrap().code(), Code::Valid);
    callers[0].revoke_at(&cold.name).await;
    callers[1].wait_for_code(&of_cold, Code::Revoked).await;
    cluster.stop().await;
}

/// Without polls: the connection for notifications is made again.
#[tokio::test]
async fn notifications_resume_after_a_restart_of_the_database() {
    let postgres = PrivatePostgres::start();
    let cluster = Cluster::start_at(&postgres.location(), 2, &RARE_POLL).await;
    let callers = &cluster.callers;
    let (key, api_key) = callers[0].create_key("warm").await;
    for caller in callers {
        caller.wait_for_code(&api_key, Code::Valid).await;
    }
    postgres.stop();
    postgres.start_again();
    let mut options = sea_orm::ConnectOptions::new(postgres.url());
    options.max_connections(1).sqlx_logging(false);
    let raw = sea_orm::Database::connect(options).await.unwrap();
    listening(&raw, 2, &[]).await;
    raw.close().await.unwrap();
    // Old connections may be found to be dead only now.
    let revoked = timeout(PATIENCE, async {
        let request = RevokeKeyRequest { name: key.name.clone(), ..Default::default() };
        while let Err(status) = callers[0].keys().revoke_key(request.clone()).await {
            assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
        }
    });
    revoked.await.expect("the replica stays unavailable");
    callers[1].wait_for_code(&api_key, Code::Revoked).await;
    cluster.stop().await;
}

/// A replica that is stopped while keys are revoked continues with an old cache, and must detect that.
#[tokio::test]
async fn a_replica_that_was_stopped_serves_nothing_stale() {
    let database = Database::empty(Kind::Postgres).await;
    let settings = [("KEYSTILE_MAX_STALENESS", "1s"), ("KEYSTILE_FEED_POLL", "50ms")];
    let cluster = Cluster::start(&database, 2, &settings).await;
    let [here, there] = &cluster.callers[..] else { unreachable!("the cluster has two replicas") };
    let mut keys: Vec<(Key, String)> = Vec::new();
    for number in 0..30 {
        keys.push(here.create_key(&format!("key {number}")).await);
        there.wait_for_code(&keys[number].1, Code::Valid).await;
    }
    for round in 0..3 {
        let sleeper = &cluster.replicas[1].process;
        sleeper.signal("STOP");
        let revoked = 10 * round..10 * round + 5;
        for (key, _) in &keys[revoked.clone()] {
            here.revoke_at(&key.name).await;
        }
        here.heartbeats(2).await;
        // Sent while it is stopped, so that it is the first request after it continues.
        let asked: Vec<_> = revoked
            .clone()
            .cycle()
            .take(100)
            .map(|number| {
                let (there, api_key) = (there.clone(), keys[number].1.clone());
                tokio::spawn(async move { there.verified(&api_key).await })
            })
            .collect();
        here.head().await;
        sleeper.signal("CONT");
        for task in asked {
            match task.await.unwrap() {
                Ok(answer) => {
                    assert_eq!(answer.code(), Code::Revoked, "the decision is staler than the bound")
                }
                Err(status) => assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}"),
            }
        }
        for (_, api_key) in &keys[revoked] {
            there.wait_for_code(api_key, Code::Revoked).await;
        }
        there.wait_for_code(&keys[10 * round + 5].1, Code::Valid).await;
        // It follows the log again.
        here.revoke_at(&keys[10 * round + 6].0.name).await;
        there.wait_for_code(&keys[10 * round + 6].1, Code::Revoked).await;
    }
    cluster.stop().await;
}
