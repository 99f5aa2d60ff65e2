//! SIGKILL at random moments: answered changes are kept, unanswered ones are made as a whole or not at all.

use std::{
    collections::HashMap,
    env,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use proto::{Code, key::State};
use sea_orm::{ConnectionTrait, Statement};
use testkit::database::{Database, Kind};
use tokio::sync::watch;

use crate::{
    home::{Caller, Home, Serving, printed_key},
    inventory::Inventory,
    ledger::{Known, Ledger, Pending, Random},
};

const CLIENTS: usize = 4;
const ROUNDS: usize = 5;

#[tokio::test]
async fn answered_changes_survive_a_kill_on_sqlite() {
    answered_changes_survive_kills(Kind::Sqlite).await;
}

#[tokio::test]
async fn answered_changes_survive_a_kill_on_postgres() {
    answered_changes_survive_kills(Kind::Postgres).await;
}

#[tokio::test]
async fn answered_changes_survive_a_kill_on_mariadb() {
    answered_changes_survive_kills(Kind::MySql).await;
}

#[tokio::test]
async fn a_killed_first_start_can_be_repeated() {
    for text in ["Applying migration", "migrated the database", r#""message":"serving""#] {
        let home = Home::embedded().with("KEYSTILE_LOG", "info");
        let process = home.spawn(&[]);
        process.wait_for_line(text).await;
        let killed = process.kill().await;
        assert_eq!(killed.signal, Some(9), "{killed:#?}");
        let serving = home.serve().await;
        // If it is killed after the root key is created and before it is printed, the key is lost, and another must be minted.
        let minted = home.run(&["root-key"]).await.with_code(0).stdout;
        let caller = serving.caller(&printed_key(&minted).unwrap());
        let changes = caller.whole_log().await;
        assert_eq!(changes, 2, "the system project is created once, and a root key minted");
        let second = serving.stop().await;
        let printed = [killed.stdout, second.stdout].map(|it| printed_key(&it));
        assert!(printed.iter().flatten().count() <= 1, "{printed:?}");
    }
}

async fn answered_changes_survive_kills(kind: Kind) {
    let seed = match env::var("KEYSTILE_TEST_SEED") {
        Ok(seed) => seed.parse().expect("KEYSTILE_TEST_SEED is a number"),
        Err(_) => RandomState::new().hash_one("seed"),
    };
    println!("{kind:?}: KEYSTILE_TEST_SEED={seed}");
    let mut random = Random::new(seed);
    let database = Database::empty(kind).await;
    let home = Home::on(&database);
    let mut serving = home.serve().await;
    let root = serving.root().await;
    serving.caller(&root).create_project().await;
    let mut ledgers: Vec<_> =
        (0..CLIENTS).map(|client| Ledger::new(client, Random::new(random.below(u64::MAX)))).collect();
    for round in 1..=ROUNDS {
        let kill_after = 1 + random.below(150);
        println!("{kind:?}: round {round} is killed after {kill_after} answers");
        ledgers = until_killed(serving, &root, ledgers, kill_after).await;
        wait_until_connections_end(&database).await;
        serving = home.serve().await;
        let caller = serving.caller(&root);
        assert_consistent(&caller, &mut ledgers).await;
        for ledger in &mut ledgers {
            repeat(&caller, ledger).await;
        }
        // Check again, including the repeated calls.
        assert_consistent(&caller, &mut ledgers).await;
    }
    serving.stop().await;
}

/// All clients work until this many calls are answered; then the server is killed.
async fn until_killed(serving: Serving, root: &str, ledgers: Vec<Ledger>, kill_after: u64) -> Vec<Ledger> {
    let (answered, mut count) = watch::channel(0);
    let killed = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for ledger in ledgers {
        // Each client has a connection of its own.
        let caller = serving.caller(root);
        let (answered, killed) = (answered.clone(), Arc::clone(&killed));
        clients.push(tokio::spawn(async move { ledger.work(caller, answered, &killed).await }));
    }
    // Drop the sender, so that a failed client is noticed.
    drop(answered);
    let enough = count.wait_for(|count| *count >= kill_after).await.is_ok();
    killed.store(true, Ordering::SeqCst);
    let ended = serving.process.kill().await;
    assert!(enough, "the clients gave up: {ended:#?}");
    assert_eq!(ended.signal, Some(9));
    let mut ledgers = Vec::new();
    for client in clients {
        ledgers.push(client.await.unwrap());
    }
    ledgers
}

/// A database server ends the transactions of a killed process a moment later, and may still commit them.
async fn wait_until_connections_end(database: &Database) {
    let others = match database.kind {
        Kind::Sqlite => return,
        Kind::Postgres => {
            "SELECT COUNT(*) AS number FROM pg_stat_activity \
                           WHERE datname = current_database() AND pid <> pg_backend_pid()"
        }
        Kind::MySql => {
            "SELECT COUNT(*) AS number FROM information_schema.processlist \
                        WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        }
    };
    let raw = database.raw().await;
    let mut number = 0_i64;
    for _ in 0..10_000 {
        let asked = Statement::from_string(raw.get_database_backend(), others);
        let row = raw.query_one_raw(asked).await.unwrap().unwrap();
        number = row.try_get("", "number").unwrap();
        if number == 0 {
            break;
        }
    }
    assert_eq!(number, 0, "connections of the killed process stay open");
    raw.close().await.unwrap();
}

/// Compares what is stored with what was answered, and finds the outcome of unanswered calls.
async fn assert_consistent(caller: &Caller, ledgers: &mut [Ledger]) {
    let inventory = Inventory::take(caller).await;
    inventory.is_whole(caller).await;
    let mut unexplained: HashMap<_, _> = inventory.keys.iter().map(|key| (key.name.clone(), key)).collect();
    for ledger in ledgers {
        for at in 0..ledger.known.len() {
            let key = unexplained.remove(&ledger.known[at].name).expect("an answered change is lost");
            let newest = key.secrets.iter().map(|secret| secret.version).max();
            let revoked = key.state() == State::Revoked;
            let known = &mut ledger.known[at];
            match &ledger.pending {
                Some(Pending::Rotate(of, from, _))
                    if *of == at && known.version == *from && newest == Some(from + 1) =>
                {
                    known.rotated(None);
                }
                Some(Pending::Revoke(of, _)) if *of == at => known.revoked = revoked,
                _ => {}
            }
            assert_eq!(newest, Some(known.version), "{known:?} against {key:?}");
            assert_eq!(revoked, known.revoked, "{known:?} against {key:?}");
            verifies(caller, known).await;
        }
        if let Some(Pending::Create(request)) = &ledger.pending {
            let display_name = &request.key.as_ref().unwrap().display_name;
            unexplained.retain(|_, key| key.display_name != *display_name);
        }
    }
    assert!(unexplained.is_empty(), "no client created {unexplained:#?}");
}

async fn verifies(caller: &Caller, known: &Known) {
    let current = if known.revoked { Code::Revoked } else { Code::Valid };
    if let Some(api_key) = &known.current {
        assert_eq!(caller.code(api_key).await, current, "{known:?}");
    }
    for api_key in &known.ended {
        assert_eq!(caller.code(api_key).await, Code::NotFound, "{known:?}");
    }
}

/// Repeats the unanswered call: the request id makes that safe, whether or not the change was made.
async fn repeat(caller: &Caller, ledger: &mut Ledger) {
    match ledger.pending.take() {
        Some(call @ Pending::Create(_)) => ledger.make(caller, call).await.unwrap(),
        Some(Pending::Rotate(at, from, request)) => {
            let done = ledger.known[at].version > from;
            let again = caller.keys().rotate_key(request).await.unwrap().into_inner();
            assert_eq!(again.api_key_already_issued, done, "{:?}", ledger.known[at]);
            if !done {
                ledger.known[at].rotated(Some(again.api_key));
            }
        }
        Some(Pending::Revoke(..)) | None => {}
    }
}
