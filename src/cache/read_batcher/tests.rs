//! Which reads share a query, and which wait.

use domain::time::Timestamp;
use futures_util::{FutureExt, future::join_all};
use tokio::{sync::Semaphore, task::JoinSet};

use super::*;

/// A fake database that reports its queries, and answers each when the test permits it.
struct Database {
    batcher: Arc<ReadBatcher<usize>>,
    queries: Arc<Mutex<Vec<Vec<KeyId>>>>,
    gate: Arc<Semaphore>,
}

/// A throttle whose permits return only when the test returns them.
const STILL: Throttle =
    Throttle { concurrent: 4, tick: Duration::from_secs(3600), timeout: Duration::from_secs(3600) };

fn id(number: usize) -> KeyId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&(number as u64).to_be_bytes());
    KeyId::new(Timestamp::from_micros(0), random)
}

impl Database {
    fn open(throttle: Throttle) -> Self {
        let database = Self::closed(throttle);
        database.gate.add_permits(Semaphore::MAX_PERMITS / 2);
        database
    }

    fn closed(throttle: Throttle) -> Self {
        let (queries, gate) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Semaphore::new(0)));
        let (log, opens) = (queries.clone(), gate.clone());
        let batcher = ReadBatcher::new(throttle, nothing, move |ids| {
            let mut log = log.lock().unwrap();
            log.push(ids);
            let (number, opens) = (log.len(), opens.clone());
            async move {
                opens.acquire().await.unwrap().forget();
                Ok(number)
            }
        });
        Self { batcher: Arc::new(batcher), queries, gate }
    }

    /// Reads `ids`, each in a task, in this order.
    async fn ask(&self, ids: std::ops::Range<usize>) -> JoinSet<Answer<usize>> {
        let mut tasks = JoinSet::new();
        for number in ids {
            let batcher = self.batcher.clone();
            tasks.spawn(async move { batcher.load(id(number)).await });
            settle().await;
        }
        tasks
    }

    /// The number of ids in each query so far.
    fn sizes(&self) -> Vec<usize> {
        self.queries.lock().unwrap().iter().map(Vec::len).collect()
    }

    fn queued(&self) -> usize {
        self.batcher.0.lock().queued.len()
    }
}

/// A database without keys, as in a flood of unknown ids.
fn nothing(_number: &usize) -> bool {
    false
}

/// Runs every task until it waits.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

fn number(answer: Answer<usize>) -> usize {
    *answer.unwrap()
}

#[tokio::test]
async fn few_reads_do_not_wait() {
    let database = Database::open(STILL);
    for turn in 1..=BURST as usize {
        assert_eq!(number(database.batcher.load(id(turn)).await), turn);
    }
    assert_eq!(database.sizes(), [1; BURST as usize]);
    settle().await;
    assert_eq!(Arc::strong_count(&database.batcher.0), 2, "one task returns the permits of all");
}

#[tokio::test]
async fn reads_that_find_keys_never_wait() {
    let batcher = ReadBatcher::new(STILL, |_| true, |ids| async move { Ok(ids.len()) });
    for turn in 0..10 * BURST as usize {
        assert_eq!(number(batcher.load(id(turn)).await), 1);
    }
}

#[tokio::test]
async fn simultaneous_reads_share_a_query() {
    let database = Database::open(STILL);
    let answers = join_all((0..50).map(|it| database.batcher.load(id(it)))).await;
    assert!(answers.into_iter().all(|answer| number(answer) == 1));
    assert_eq!(*database.queries.lock().unwrap(), [(0..50).map(id).collect::<Vec<_>>()]);
}

#[tokio::test]
async fn many_reads_wait_for_a_permit_and_share_a_query() {
    let database = Database::open(STILL);
    for turn in 0..BURST as usize {
        database.batcher.load(id(turn)).await.unwrap();
    }
    let tasks = database.ask(100..120).await;
    assert_eq!(database.sizes(), [1; BURST as usize]);
    database.batcher.0.return_permit();
    assert!(tasks.join_all().await.into_iter().all(|answer| number(answer) == BURST as usize + 1));
    assert_eq!(database.sizes().last(), Some(&20));
}

#[tokio::test]
async fn permits_return_with_time_up_to_their_maximum() {
    let database = Database::open(Throttle { tick: Duration::from_millis(1), ..STILL });
    // More reads than permits, and once more after all permits are back.
    for round in 0..2 {
        for turn in 1..=BURST as usize + 3 {
            let before = round * (BURST as usize + 3);
            assert_eq!(number(database.batcher.load(id(turn)).await), before + turn);
        }
        while database.batcher.0.lock().ticking {
            tokio::task::yield_now().await;
        }
        assert_eq!(database.batcher.0.lock().permits, BURST);
    }
}

#[tokio::test]
async fn a_full_query_needs_no_permit_and_none_is_larger() {
    let database = Database::open(STILL);
    for turn in 0..BURST as usize {
        database.batcher.load(id(turn)).await.unwrap();
    }
    let mut tasks = database.ask(100..100 + 2 * LOADED_TOGETHER + 7).await;
    assert_eq!(database.sizes()[BURST as usize..], [LOADED_TOGETHER; 2]);
    for _ in 0..2 * LOADED_TOGETHER {
        number(tasks.join_next().await.unwrap().unwrap());
    }
    assert_eq!(database.queued(), 7);
    database.batcher.0.return_permit();
    tasks.join_all().await;
    assert_eq!(database.sizes()[BURST as usize + 2..], [7]);
}

#[tokio::test]
async fn queries_in_flight_are_limited() {
    let database = Database::closed(STILL);
    let tasks = database.ask(0..4 + 2 * LOADED_TOGETHER).await;
    assert_eq!(database.sizes(), [1; 4]);
    database.gate.add_permits(1);
    settle().await;
    assert_eq!(database.sizes(), [1, 1, 1, 1, LOADED_TOGETHER]);
    database.gate.add_permits(5);
    assert!(tasks.join_all().await.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(database.sizes(), [1, 1, 1, 1, LOADED_TOGETHER, LOADED_TOGETHER]);
}

#[tokio::test]
async fn dropped_reads_cost_no_query_and_affect_no_other() {
    let database = Database::closed(Throttle { concurrent: 1, ..STILL });
    let mut first = database.ask(0..1).await;
    let mut others = database.ask(1..3).await;
    let mut leaving = database.ask(3..10).await;
    // One whose query is in flight, and some without a query yet.
    first.shutdown().await;
    leaving.shutdown().await;
    assert_eq!(database.queued(), 2);
    database.gate.add_permits(2);
    for _ in 0..2 {
        assert_eq!(number(others.join_next().await.unwrap().unwrap()), 2);
    }
    assert_eq!(database.sizes(), [1, 2]);
    // If all reads are dropped before the query, there is none.
    assert!(database.batcher.load(id(10)).now_or_never().is_none());
    settle().await;
    assert_eq!(database.sizes(), [1, 2]);
    assert_eq!(database.batcher.queries().available_permits(), 1);
    assert_eq!(database.batcher.0.lock().permits, BURST - 2);
}

#[tokio::test]
async fn a_failure_is_returned_to_all_that_share_the_query() {
    let batcher =
        ReadBatcher::<usize>::new(STILL, nothing, |_| async { Err(StoreError::Broken("it is".into())) });
    for answer in join_all((0..5).map(|it| batcher.load(id(it)))).await {
        assert!(matches!(answer, Err(StoreError::Broken(_))));
    }
}

#[tokio::test]
async fn a_query_that_times_out_frees_its_place() {
    let database = Database::closed(Throttle { concurrent: 1, timeout: Duration::from_millis(1), ..STILL });
    for turn in 1..=3 {
        let answer = database.batcher.load(id(turn)).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
        assert_eq!(database.sizes().len(), turn);
    }
}

#[tokio::test]
async fn a_query_that_panics_frees_its_place() {
    let throttle = Throttle { concurrent: 1, ..STILL };
    let batcher =
        ReadBatcher::<usize>::new(throttle, nothing, |_| async { panic!("the test panics on purpose") });
    for _ in 0..3 {
        assert!(matches!(batcher.load(id(0)).await, Err(StoreError::Unavailable(_))));
    }
}

#[tokio::test]
async fn waiting_reads_can_be_refused() {
    let database = Database::closed(Throttle { concurrent: 1, ..STILL });
    let mut first = database.ask(0..1).await;
    let mut others = database.ask(1..5).await;
    database.batcher.refuse(&StoreError::Unavailable("gone".into()));
    while let Some(answer) = others.join_next().await {
        assert!(matches!(answer.unwrap(), Err(StoreError::Unavailable(why)) if why == "gone"));
    }
    database.gate.add_permits(1);
    assert_eq!(number(first.join_next().await.unwrap().unwrap()), 1);
    assert_eq!(database.sizes(), [1]);
}
