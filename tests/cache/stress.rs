//! Keys change while they are verified at a high rate: a decision includes every change that was answered before it began.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use domain::{Revision, decision::Code};
use keystile::cache::Follower;
use testkit::database::Kind;
use tokio::task::JoinSet;

use crate::node::{LIMITS, Node, TestKey, call, fresh};

const KEYS: usize = 4;
const CHANGES: usize = 40;
const VERIFIERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_decision_is_older_than_its_request_on_sqlite() {
    hammer(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_decision_is_older_than_its_request_on_postgres() {
    hammer(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_decision_is_older_than_its_request_on_mariadb() {
    hammer(Kind::MySql).await;
}

/// A key, with all its states so far.
#[derive(Debug)]
struct Subject {
    key: TestKey,
    /// Added before the change is requested.
    states: Mutex<Vec<State>>,
    /// The last of them that was answered.
    answered: AtomicUsize,
    /// Every API key that it has had, the newest last.
    api_keys: Mutex<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct State {
    /// Which of its API keys works.
    secret: usize,
    disabled: bool,
    owner_disabled: bool,
    revoked: bool,
    /// Once it was answered.
    revision: Revision,
}

impl State {
    fn code(self, secret: usize) -> Code {
        match self {
            _ if self.secret != secret => Code::NotFound,
            Self { revoked: true, .. } => Code::Revoked,
            Self { disabled: true, .. } => Code::Disabled,
            Self { owner_disabled: true, .. } => Code::OwnerDisabled,
            _ => Code::Valid,
        }
    }
}

/// A pseudo-random number, the same in every run.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

async fn hammer(kind: Kind) {
    let database = fresh(kind).await;
    let here = Arc::new(Node::on(&database, LIMITS).await);
    let there = Arc::new(Node::on(&database, LIMITS).await);
    here.create_project("acme").await;
    let mut subjects = Vec::new();
    for key in here.keys(KEYS).await {
        subjects.push(Arc::new(Subject {
            api_keys: Mutex::new(vec![key.api_key.clone()]),
            key,
            states: Mutex::new(vec![State::default()]),
            answered: AtomicUsize::new(0),
        }));
    }
    let mut followers = JoinSet::new();
    for node in [&here, &there] {
        let words = database.open().await.wakeups();
        let follower = Follower::new(node.cache.clone(), words, Duration::from_millis(10));
        followers.spawn(follower.run(std::future::pending()));
    }
    let over = Arc::new(AtomicBool::new(false));
    let mut verifiers = JoinSet::new();
    for number in 0..VERIFIERS {
        // Half of them on the other node, where only `min_revision` guarantees it.
        let elsewhere = number % 2 == 1;
        let node = if elsewhere { &there } else { &here };
        let (node, subjects, over) = (node.clone(), subjects.clone(), over.clone());
        verifiers.spawn(async move { verify(&node, elsewhere, &subjects, &over, number as u64 + 1).await });
    }
    let mut writers = JoinSet::new();
    for (number, subject) in subjects.iter().enumerate() {
        let (here, subject) = (here.clone(), subject.clone());
        writers.spawn(async move { write(&here, &subject, number as u64 + 77).await });
    }
    writers.join_all().await;
    over.store(true, SeqCst);
    let verified: Vec<usize> = verifiers.join_all().await;
    assert!(verified.iter().all(|number| *number > CHANGES), "{verified:?}");
}

async fn write(node: &Node, subject: &Subject, seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for number in 1..=CHANGES {
        let mut state = *subject.states.lock().unwrap().last().unwrap();
        let change = if number == CHANGES { 5 } else { dice.roll(5) };
        match change {
            0 | 1 => state.disabled = !state.disabled,
            2 | 3 => state.owner_disabled = !state.owner_disabled,
            4 => state.secret += 1,
            _ => state.revoked = true,
        }
        subject.states.lock().unwrap().push(state);
        let revision = change_it(node, subject, change, state).await;
        subject.states.lock().unwrap()[number].revision = revision;
        subject.answered.store(number, SeqCst);
    }
}

async fn change_it(node: &Node, subject: &Subject, change: usize, state: State) -> Revision {
    let (service, call, TestKey { name, account, .. }) = (&node.service, &call(), &subject.key);
    match change {
        0 | 1 if state.disabled => service.disable_key(call, name, "").await.unwrap().key.revision,
        0 | 1 => service.enable_key(call, name, "").await.unwrap().key.revision,
        2 | 3 if state.owner_disabled => {
            service.disable_service_account(call, account, "").await.unwrap().account.revision
        }
        2 | 3 => service.enable_service_account(call, account, "").await.unwrap().account.revision,
        4 => {
            let rotated = service.rotate_key(call, name, "", Duration::ZERO).await.unwrap();
            let api_key = rotated.api_key.unwrap().expose().to_owned();
            subject.api_keys.lock().unwrap().push(api_key);
            rotated.key.key.revision
        }
        _ => node.revoke(&subject.key).await,
    }
}

/// How many verifications it made.
async fn verify(
    node: &Node,
    elsewhere: bool,
    subjects: &[Arc<Subject>],
    over: &AtomicBool,
    seed: u64,
) -> usize {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut verified = 0;
    loop {
        let last = over.load(SeqCst);
        for _ in 0..KEYS {
            let subject = &subjects[dice.roll(KEYS)];
            let (secret, api_key) = {
                let api_keys = subject.api_keys.lock().unwrap();
                // Mostly the newest secret.
                let secret = api_keys.len().saturating_sub(1 + dice.roll(4) / 3);
                (secret, api_keys[secret].clone())
            };
            let from = subject.answered.load(SeqCst);
            let revision = if elsewhere { subject.states.lock().unwrap()[from].revision } else { 0 };
            let code = node.verify_at(&api_key, revision).await.unwrap().code;
            let states = subject.states.lock().unwrap()[from..].to_vec();
            let possible = states.iter().any(|state| state.code(secret) == code);
            assert!(possible, "{code:?} to secret {secret} after {states:?}; elsewhere: {elsewhere}");
            verified += 1;
        }
        tokio::task::yield_now().await;
        if last {
            return verified;
        }
    }
}
