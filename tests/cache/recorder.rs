//! The recorder under a paused clock: its share of the time, what it keeps after failures, and how it ends.

use std::{future::pending, sync::Arc, time::Duration};

use domain::{
    credential::Credential,
    digest::Digest,
    id::KeyId,
    key::{Key, Sealed, StoredSecret},
    labels::Metadata,
    time::Timestamp,
};
use keystile::{
    ports::{
        Clock, Recorder,
        credentials::{CachedKey, EncodedKey},
    },
    recorder::{self, Queue, Unsaved},
};
use testkit::database::{Database, Kind};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, pause, sleep},
};

use crate::faulty::{Faulty, Mode};

/// A writer on a store that does not write. The clock is paused: time passes only while a task waits for it.
pub(crate) struct Recording {
    pub(crate) store: Arc<Faulty>,
    pub(crate) queue: Queue,
    clock: Arc<TokioClock>,
    stop: oneshot::Sender<()>,
    writer: JoinHandle<Unsaved>,
    _database: Database,
}

impl Recording {
    pub(crate) async fn start(keys: &[TestKey]) -> Self {
        let (database, real) = Database::migrated(Kind::Sqlite).await;
        let store = Arc::new(Faulty::new(real));
        store.pretend_to_write_uses(PORTION);
        pause();
        let clock = Arc::new(TokioClock::start());
        let (queue, writer) = recorder::recorder(store.clone(), clock.clone());
        for key in keys {
            use_at(&queue, key, 1);
        }
        let (stop, stopped) = oneshot::channel();
        let writer = tokio::spawn(writer.run(async {
            if stopped.await.is_err() {
                pending().await
            }
        }));
        Self { store, queue, clock, stop, writer, _database: database }
    }

    fn millis(&self) -> u128 {
        self.clock.uptime().as_millis()
    }

    pub(crate) async fn stop(self) -> (Unsaved, Arc<Faulty>, u128) {
        let before = self.millis();
        self.stop.send(()).unwrap();
        let unsaved = self.writer.await.unwrap();
        (unsaved, self.store, self.clock.uptime().as_millis() - before)
    }
}

/// How long the write of a portion takes: in the range in which the size of portions stays the same.
const PORTION: Duration = Duration::from_millis(17);
pub(crate) const SIZE: usize = 256;

/// A clock that shows the time of tokio's timers.
#[derive(Debug)]
struct TokioClock(Instant);

impl TokioClock {
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    fn start() -> Self {
        Self(Instant::now())
    }
}

#[async_trait::async_trait]
impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0).after(self.uptime())
    }

    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    fn uptime(&self) -> Duration {
        Instant::now() - self.0
    }

    async fn sleep(&self, span: Duration) {
        sleep(span).await;
    }
}

pub(crate) type TestKey = (KeyId, Arc<CachedKey>);

pub(crate) fn keys(number: u64) -> Vec<TestKey> {
    (0..number).map(key).collect()
}

fn key(n: u64) -> TestKey {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    let start = Timestamp::from_micros(0);
    let sealed = Sealed { digest: Digest::from_bytes([0; 32]), pepper: 1 };
    let key = Key {
        id: KeyId::new(start, random),
        project: "acme".parse().unwrap(),
        service_account: "ci".parse().unwrap(),
        account_generation: 7,
        environment: "production".parse().unwrap(),
        token_prefix: "acme_live".into(),
        display_name: "".parse().unwrap(),
        roles: vec![],
        permissions: vec![],
        customers: vec![],
        allowed_cidrs: vec![],
        metadata: Metadata::default(),
        tags: vec![],
        created_by: None,
        create_time: start,
        update_time: start,
        expire_time: None,
        last_used_time: None,
        disable_time: None,
        revocation: None,
        deletion: None,
        protected: false,
        secrets: vec![StoredSecret::new(1, sealed, start)],
        revision: 1,
    };
    let credential = Credential::new(&key, false).unwrap();
    (key.id, Arc::new(CachedKey { credential, encoded: EncodedKey::default() }))
}

/// Records a use as a verification does; `true` if that put a message into the queue.
pub(crate) fn use_at(queue: &Queue, (id, key): &TestKey, millis: i64) -> bool {
    let first = key.credential.secret(1).unwrap().note_use(Timestamp::from_micros(millis * 1000));
    if first {
        queue.used(*id, key.clone(), 1);
    }
    first
}

#[tokio::test]
async fn the_writer_spends_a_tenth_of_the_time_writing() {
    let recording = Recording::start(&keys(4 * SIZE as u64)).await;
    let mut ends = Vec::new();
    for number in 1..=4 {
        recording.store.portions_reach(number).await;
        ends.push(recording.millis());
    }
    // Tokio rounds timers up to whole milliseconds.
    let apart: Vec<_> = ends.windows(2).map(|ends| ends[1] - ends[0]).collect();
    assert!(apart.iter().all(|it| (170..190).contains(it)), "{apart:?}");
    let portions = recording.store.portions();
    assert!(portions.iter().all(|portion| portion.len() == SIZE));
    assert!(portions.concat().is_sorted_by_key(|it| it.key), "neighbours are written together");
    let (unsaved, ..) = recording.stop().await;
    assert_eq!(unsaved, Unsaved(0));
}

#[tokio::test]
async fn a_hot_key_costs_one_message_and_one_write_per_round() {
    let hot = key(1);
    let recording = Recording::start(&[]).await;
    sleep(Duration::from_millis(100)).await;
    assert!(use_at(&recording.queue, &hot, 100));
    for millis in (200..2_000).step_by(100) {
        assert!(!use_at(&recording.queue, &hot, millis));
    }
    recording.store.portions_reach(1).await;
    assert!(recording.millis() <= 3_050, "{}", recording.millis());
    let times: Vec<_> = recording.store.portions().concat().iter().map(|it| it.time.as_millis()).collect();
    assert_eq!(times, [1_900]);
    assert_eq!(Arc::strong_count(&hot.1), 1, "it may be evicted");

    assert!(use_at(&recording.queue, &hot, 3_000));
    recording.store.portions_reach(2).await;
    assert!(recording.millis() <= 6_100, "{}", recording.millis());
}

#[tokio::test]
async fn messages_are_received_during_a_write_and_during_a_rest() {
    const ROUND: u64 = 16_000;
    let keys = keys(4 * ROUND);
    let mut rounds = keys.chunks(ROUND as usize);
    let recording = Recording::start(rounds.next().unwrap()).await;
    recording.store.portions_reach(1).await;
    for (round, mode) in rounds.zip([Mode::Answers, Mode::Hangs, Mode::Hangs]) {
        recording.store.set(mode);
        for key in round {
            use_at(&recording.queue, key, 1);
        }
        // During one rest, and then during one write that does not return.
        sleep(Duration::from_millis(100)).await;
    }
    recording.store.set(Mode::Answers);
    let (unsaved, store, _) = recording.stop().await;
    assert_eq!(unsaved, Unsaved(0));
    assert_eq!(store.portions().concat().len(), keys.len(), "the queue overflowed");
    assert!(keys.iter().all(|it| Arc::strong_count(&it.1) == 1));
}

#[tokio::test]
async fn at_the_end_everything_is_written_without_a_rest() {
    let recording = Recording::start(&keys(10_000)).await;
    recording.store.portions_reach(1).await;
    let late = key(20_000);
    use_at(&recording.queue, &late, 1);
    let (unsaved, store, took) = recording.stop().await;
    assert_eq!(unsaved, Unsaved(0));
    assert_eq!(store.portions().concat().len(), 10_001);
    assert!(took < 60, "{took} ms, though portions are as large as they get");
}

#[tokio::test]
async fn uses_that_the_store_fails_to_write_are_kept() {
    let recording = Recording::start(&[]).await;
    recording.store.set(Mode::Fails);
    let first = key(1);
    use_at(&recording.queue, &first, 1);
    sleep(Duration::from_secs(20)).await;
    assert!(recording.store.portions().is_empty());
    use_at(&recording.queue, &first, 2);
    recording.store.set(Mode::Answers);
    recording.store.portions_reach(1).await;
    assert!(recording.millis() <= 24_000, "{}", recording.millis());
    assert_eq!(recording.stop().await.0, Unsaved(0));
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_store_that_fails() {
    the_end_comes(Mode::Fails).await;
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_store_that_hangs() {
    the_end_comes(Mode::Hangs).await;
}

async fn the_end_comes(mode: Mode) {
    let recording = Recording::start(&[]).await;
    recording.store.set(mode);
    use_at(&recording.queue, &key(1), 1);
    // Until a write is in flight.
    sleep(Duration::from_secs(4)).await;
    let (unsaved, _, took) = recording.stop().await;
    assert_eq!(unsaved, Unsaved(1));
    assert!(took < 9_000, "{took} ms");
}
