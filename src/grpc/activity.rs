//! What a connection does, as others see it: the calls it has open, the answers its client leaves unread.

use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Waker},
};

use futures_util::task::AtomicWaker;

/// How many bytes of answers may wait for one client, and for all of them. More than a few of the largest answers
/// wait only for a client that does not read.
const MOST_WAITING: usize = 16 * 1024 * 1024;
const MOST_WAITING_IN_ALL: usize = 256 * 1024 * 1024;

/// Of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    /// Calls, but for health and reflection, which anybody may call.
    begun: AtomicU64,
    ended: AtomicU64,
    /// Bytes that the socket took.
    written: AtomicU64,
    /// Bytes of answers that the socket did not take yet.
    waiting: AtomicUsize,
    /// Bytes that waited and do so no more.
    taken: AtomicU64,
    waiting_in_all: Arc<AtomicUsize>,
    /// Streams that go on once less is waiting.
    held: Mutex<Vec<Waker>>,
    /// Whether a caller was ever let in.
    let_in: AtomicBool,
    /// It is one of the few beyond the cap, which are there for health checks.
    spare: AtomicBool,
    cut: AtomicBool,
    /// Of the connection itself.
    waker: AtomicWaker,
}

impl Activity {
    pub(super) fn new(waiting_in_all: Arc<AtomicUsize>, spare: bool) -> Self {
        Self {
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            written: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            taken: AtomicU64::new(0),
            waiting_in_all,
            held: Mutex::default(),
            let_in: AtomicBool::new(false),
            spare: AtomicBool::new(spare),
            cut: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    /// Ends the connection as soon as it is next polled, which is at once.
    pub(super) fn cut_off(&self) {
        self.cut.store(true, Relaxed);
        self.waker.wake();
    }

    /// Whether it was cut off; if it is later, `context` is woken.
    pub(super) fn is_cut_off(&self, context: &Context<'_>) -> bool {
        self.waker.register(context.waker());
        self.cut.load(Relaxed)
    }

    pub(super) fn wrote(&self, bytes: usize) {
        // The connection's own task is the only one that writes.
        self.written.store(self.written.load(Relaxed) + bytes as u64, Relaxed);
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    pub(super) fn has_calls(&self) -> bool {
        self.begun.load(Relaxed) != self.ended.load(Relaxed)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }

    pub(super) fn let_in(&self) {
        if !self.was_let_in() {
            self.let_in.store(true, Relaxed);
        }
    }

    pub(super) fn was_let_in(&self) -> bool {
        self.let_in.load(Relaxed)
    }

    pub(super) fn is_spare(&self) -> bool {
        self.spare.load(Relaxed)
    }

    pub(super) fn count_as_others(&self) {
        self.spare.store(false, Relaxed);
    }

    /// Streams that hold back try again.
    pub(super) fn resume(&self) {
        for waker in mem::take(&mut *self.held.lock().expect("nothing panics with it")) {
            waker.wake();
        }
    }
}

/// A call that is open, until it is dropped.
#[derive(Debug)]
pub(super) struct Open(pub(super) Arc<Activity>);

impl Open {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        activity.begun.fetch_add(1, Relaxed);
        Self(activity)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Relaxed);
    }
}

/// So many bytes of an answer that waits, until they are dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    activity: Arc<Activity>,
    bytes: usize,
}

impl Waiting {
    /// `None` when too much is waiting already.
    pub(super) fn new(activity: &Arc<Activity>, bytes: usize) -> Option<Self> {
        let fits = |counter: &AtomicUsize, most: usize| counter.fetch_add(bytes, Relaxed) + bytes <= most;
        let all = fits(&activity.waiting_in_all, MOST_WAITING_IN_ALL);
        let one = fits(&activity.waiting, MOST_WAITING);
        // Dropped at once if it does not fit.
        let waiting = Self { activity: activity.clone(), bytes };
        (all && one).then_some(waiting)
    }

    /// As `new`; when it is `None`, `context` is woken once less is waiting.
    pub(super) fn or_wake(activity: &Arc<Activity>, bytes: usize, context: &Context<'_>) -> Option<Self> {
        let waiting = Self::new(activity, bytes);
        if waiting.is_none() {
            activity.held.lock().expect("nothing panics with it").push(context.waker().clone());
        }
        waiting
    }

    /// So many of them apart.
    pub(super) fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { activity: self.activity.clone(), bytes }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.activity.taken.fetch_add(self.bytes as u64, Relaxed);
        self.activity.waiting_in_all.fetch_sub(self.bytes, Relaxed);
        let before = self.activity.waiting.fetch_sub(self.bytes, Relaxed);
        if before >= MOST_WAITING / 2 {
            self.activity.resume();
        }
    }
}
