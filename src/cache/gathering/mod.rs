//! Gathering those who have something to read: who come close together share a query.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt, mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::id::KeyId;
use tokio::{
    sync::oneshot,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::ports::{StoreError, load::LOADED_TOGETHER};

/// Asks the database for keys.
///
/// Each query costs a turn. One that finds something gives it back; of the others there may be a few at
/// once, but their turns come back only one a tick. So in a flood of ids that no key has, those who come
/// between two ticks are gathered, and their query is one.
pub(super) struct Gathering<T>(Arc<Shared<T>>);

/// How many queries that find nothing may follow on each other's heels.
const TURNS: u32 = 8;

/// How fast queries may follow each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How many may be under way.
    places: usize,
    /// How often a turn comes back.
    tick: Duration,
    /// How long one may take.
    patience: Duration,
}

impl Pace {
    pub(super) fn new(places: usize) -> Self {
        Self {
            places,
            // Nobody notices having waited so long, and a flood makes no more than 100 queries a second,
            // unless they are full.
            tick: Duration::from_millis(10),
            // Longer than the follower of the change log waits before nobody may ask any more; but a
            // connection that died silently must not keep its place for ever.
            patience: Duration::from_secs(5),
        }
    }
}

struct Shared<T> {
    query: Box<Query<T>>,
    /// Whether a query found something.
    found: fn(&T) -> bool,
    pace: Pace,
    state: Mutex<State<T>>,
}

type Query<T> =
    dyn Fn(Vec<KeyId>) -> Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>> + Send + Sync;

type Answer<T> = Result<Arc<T>, StoreError>;

struct State<T> {
    /// Those for whom no query went out yet, in the order in which they came.
    waiting: BTreeMap<u64, Asker<T>>,
    /// The number of whoever comes next.
    next: u64,
    /// A query is about to go out, with all who come until it does.
    leaving: bool,
    under_way: usize,
    turns: u32,
    ticking: bool,
}

struct Asker<T> {
    id: KeyId,
    answer: oneshot::Sender<Answer<T>>,
}

impl<T: Send + Sync + 'static> Gathering<T> {
    pub(super) fn new<F>(
        pace: Pace,
        found: fn(&T) -> bool,
        query: impl Fn(Vec<KeyId>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let state = State {
            waiting: BTreeMap::new(),
            next: 0,
            leaving: false,
            under_way: 0,
            turns: TURNS,
            ticking: false,
        };
        Self(Arc::new(Shared {
            query: Box::new(move |ids| Box::pin(query(ids))),
            found,
            pace,
            state: Mutex::new(state),
        }))
    }

    /// What a query brings that has `id` in it and begins after this is called. It goes on when the caller
    /// gives up, for the sake of the others.
    pub(super) async fn load(&self, id: KeyId) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        let _place = self.0.enter(Asker { id, answer });
        answered.await.unwrap_or_else(|_| Err(StoreError::Unavailable("it was cut short".into())))
    }

    /// Answers all for whom no query went out yet.
    pub(super) fn refuse(&self, why: &StoreError) {
        for asker in mem::take(&mut self.0.lock().waiting).into_values() {
            asker.tell(Err(why.clone()));
        }
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    fn enter(self: &Arc<Self>, asker: Asker<T>) -> Place<'_, T> {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.waiting.insert(number, asker);
        self.go_on(&mut state);
        Place { shared: self, number }
    }

    /// Sends a query on its way if there is reason to, and nothing to wait for.
    fn go_on(self: &Arc<Self>, state: &mut State<T>) {
        // One that is full has nothing to gain by waiting.
        let due = !state.waiting.is_empty() && state.turns > 0 || state.waiting.len() >= LOADED_TOGETHER;
        if due && !state.leaving && state.under_way < self.pace.places {
            state.leaving = true;
            // Whoever asks for several keys has them all in here before the task runs.
            tokio::spawn(self.clone().send());
        }
    }

    async fn send(self: Arc<Self>) {
        let (askers, under_way) = self.take();
        if askers.is_empty() {
            return;
        }
        let ids = askers.iter().map(|asker| asker.id).collect();
        let answer = timeout(self.pace.patience, (self.query)(ids)).await;
        drop(under_way);
        if let Ok(Ok(answer)) = &answer
            && (self.found)(answer)
        {
            self.give_turn();
        }
        let answer = answer.unwrap_or_else(|_| Err(StoreError::Unavailable("it takes too long".into())));
        let answer = answer.map(Arc::new);
        for asker in askers {
            asker.tell(answer.clone());
        }
    }

    /// Those who waited longest, as many as fit, and their query's place among those under way.
    fn take(self: &Arc<Self>) -> (Vec<Asker<T>>, Option<UnderWay<T>>) {
        let mut state = self.lock();
        state.leaving = false;
        let mut askers = Vec::with_capacity(state.waiting.len().min(LOADED_TOGETHER));
        while askers.len() < LOADED_TOGETHER
            && let Some((_, asker)) = state.waiting.pop_first()
        {
            askers.push(asker);
        }
        // They may all have given up.
        if askers.is_empty() {
            return (askers, None);
        }
        state.under_way += 1;
        state.turns = state.turns.saturating_sub(1);
        if !state.ticking {
            state.ticking = true;
            tokio::spawn(self.clone().tick());
        }
        self.go_on(&mut state);
        (askers, Some(UnderWay(self.clone())))
    }

    /// Gives the turns back, one a tick, until they are all there.
    async fn tick(self: Arc<Self>) {
        let mut ticks = interval(self.pace.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first comes at once.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            self.give_turn();
            if self.rest() {
                return;
            }
        }
    }

    /// Whether all turns are there still, so that no tick is needed.
    fn rest(&self) -> bool {
        let mut state = self.lock();
        state.ticking = state.turns < TURNS;
        !state.ticking
    }

    fn give_turn(self: &Arc<Self>) {
        let mut state = self.lock();
        state.turns = TURNS.min(state.turns + 1);
        self.go_on(&mut state);
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing that holds it can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Asker<T> {
    fn tell(self, answer: Answer<T>) {
        // Whoever gave up does not want to know.
        let _ = self.answer.send(answer);
    }
}

/// One who asks.
struct Place<'a, T> {
    shared: &'a Shared<T>,
    number: u64,
}

impl<T> Drop for Place<'_, T> {
    /// Who gives up waits no longer.
    fn drop(&mut self) {
        self.shared.lock().waiting.remove(&self.number);
    }
}

/// A query's place, given back however it ends.
struct UnderWay<T: Send + Sync + 'static>(Arc<Shared<T>>);

impl<T: Send + Sync + 'static> Drop for UnderWay<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.under_way -= 1;
        self.0.go_on(&mut state);
    }
}

impl<T> fmt::Debug for Gathering<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gathering")
    }
}
