//! Killed at any moment: what was answered holds, and what was not is there as a whole or not at all.

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
async fn sqlite_keeps_its_word_when_the_process_is_killed() {
    keeps_its_word(Kind::Sqlite).await;
}

#[tokio::test]
async fn postgres_keeps_its_word_when_the_process_is_killed() {
    keeps_its_word(Kind::Postgres).await;
}

#[tokio::test]
async fn mariadb_keeps_its_word_when_the_process_is_killed() {
    keeps_its_word(Kind::MySql).await;
}

#[tokio::test]
async fn a_first_start_that_is_killed_can_be_done_again() {
    for text in ["Applying migration", "migrated the database", r#""message":"serving""#] {
        let home = Home::embedded().with("KEYSTILE_LOG", "info");
        let process = home.spawn(&[]);
        process.tells(text).await;
        let killed = process.kill().await;
        assert_eq!(killed.signal, Some(9), "{killed:#?}");
        let serving = home.serve().await;
        // Killed between making and printing it, the root key is lost, and another has to be minted.
        let minted = home.run(&["root-key"]).await.with_code(0).stdout;
        let caller = serving.caller(&printed_key(&minted).unwrap());
        let changes = caller.whole_log().await;
        assert_eq!(changes, 2, "the system project is made once, and a root key minted");
        let second = serving.stop().await;
        let printed = [killed.stdout, second.stdout].map(|it| printed_key(&it));
        assert!(printed.iter().flatten().count() <= 1, "{printed:?}");
    }
}

async fn keeps_its_word(kind: Kind) {
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
        last_words(&database).await;
        serving = home.serve().await;
        let caller = serving.caller(&root);
        holds(&caller, &mut ledgers).await;
        for ledger in &mut ledgers {
            repeat(&caller, ledger).await;
        }
        // Whole once more, the repeated calls included.
        holds(&caller, &mut ledgers).await;
    }
    serving.stop().await;
}

/// All clients work until so many calls were answered; then the server is killed.
async fn until_killed(serving: Serving, root: &str, ledgers: Vec<Ledger>, kill_after: u64) -> Vec<Ledger> {
    let (answered, mut count) = watch::channel(0);
    let killed = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for ledger in ledgers {
        // A connection for each.
        let caller = serving.caller(root);
        let (answered, killed) = (answered.clone(), Arc::clone(&killed));
        clients.push(tokio::spawn(async move { ledger.work(caller, answered, &killed).await }));
    }
    // Dropped, so that a client that fails is noticed.
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

/// A database server ends what the dead had begun a moment later; it may still commit.
async fn last_words(database: &Database) {
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
    assert_eq!(number, 0, "connections of the dead stay open");
    raw.close().await.unwrap();
}

/// Checks all that is stored against all that was answered; learns what became of unanswered calls.
async fn holds(caller: &Caller, ledgers: &mut [Ledger]) {
    let inventory = Inventory::take(caller).await;
    inventory.is_whole(caller).await;
    let mut untold: HashMap<_, _> = inventory.keys.iter().map(|key| (key.name.clone(), key)).collect();
    for ledger in ledgers {
        for at in 0..ledger.known.len() {
            let key = untold.remove(&ledger.known[at].name).expect("what was answered is there");
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
            untold.retain(|_, key| key.display_name != *display_name);
        }
    }
    assert!(untold.is_empty(), "nobody asked for {untold:#?}");
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

/// Sends the unanswered call again: a request id makes that safe whether it was done or not.
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
