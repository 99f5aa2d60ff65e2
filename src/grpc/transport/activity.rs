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
pub(in crate::grpc) const MOST_WAITING: usize = 16 * 1024 * 1024;
const MOST_WAITING_IN_ALL: usize = 256 * 1024 * 1024;
/// How many calls of health and reflection may be open on one connection: they need no credential.
const MOST_PUBLIC: usize = 32;

/// Which limit has no room for more that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grpc) enum Full {
    OfClient,
    OfAll,
}

/// Of one connection.
#[derive(Debug)]
pub(in crate::grpc) struct Activity {
    /// Calls, but for health and reflection, which anybody may call.
    begun: AtomicU64,
    ended: AtomicU64,
    /// Calls of health and reflection that are open.
    public: AtomicUsize,
    /// Bytes that the socket took.
    written: AtomicU64,
    /// Bytes of answers that the socket did not take yet.
    waiting: AtomicUsize,
    /// Bytes that were handed on and wait no more.
    taken: AtomicU64,
    /// Whether a stream went on since that was last asked.
    went_on: AtomicBool,
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
    pub(in crate::grpc) fn new(waiting_in_all: Arc<AtomicUsize>, spare: bool) -> Self {
        Self {
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            public: AtomicUsize::new(0),
            written: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            taken: AtomicU64::new(0),
            went_on: AtomicBool::new(false),
            waiting_in_all,
            held: Mutex::default(),
            let_in: AtomicBool::new(false),
            spare: AtomicBool::new(spare),
            cut: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    /// Ends the connection as soon as it is next polled, which is at once.
    pub(in crate::grpc) fn cut_off(&self) {
        self.cut.store(true, Relaxed);
        self.waker.wake();
    }

    /// Whether it was cut off; if it is later, `context` is woken.
    pub(in crate::grpc) fn is_cut_off(&self, context: &Context<'_>) -> bool {
        self.waker.register(context.waker());
        self.cut.load(Relaxed)
    }

    pub(in crate::grpc) fn wrote(&self, bytes: usize) {
        // The connection's own task is the only one that writes.
        self.written.store(self.written.load(Relaxed) + bytes as u64, Relaxed);
    }

    pub(in crate::grpc) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    pub(in crate::grpc) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    pub(in crate::grpc) fn has_calls(&self) -> bool {
        self.begun.load(Relaxed) != self.ended.load(Relaxed)
    }

    pub(in crate::grpc) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    pub(in crate::grpc) fn taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }

    /// Notes that a client took what a stream answered before.
    pub(in crate::grpc) fn go_on(&self) {
        // Mostly it is noted already, and reading is cheaper.
        if !self.went_on.load(Relaxed) {
            self.went_on.store(true, Relaxed);
        }
    }

    /// Whether a stream went on since this was last asked.
    pub(in crate::grpc) fn went_on(&self) -> bool {
        self.went_on.swap(false, Relaxed)
    }

    pub(in crate::grpc) fn let_in(&self) {
        self.let_in.store(true, Relaxed);
    }

    pub(in crate::grpc) fn was_let_in(&self) -> bool {
        self.let_in.load(Relaxed)
    }

    pub(in crate::grpc) fn is_spare(&self) -> bool {
        self.spare.load(Relaxed)
    }

    pub(in crate::grpc) fn count_as_others(&self) {
        self.spare.store(false, Relaxed);
    }

    /// Whether so many bytes more may wait.
    pub(in crate::grpc) fn room_for(&self, bytes: usize) -> Result<(), Full> {
        let fits = |counter: &AtomicUsize, most: usize| counter.load(Relaxed) + bytes <= most;
        if !fits(&self.waiting, MOST_WAITING) {
            return Err(Full::OfClient);
        }
        if !fits(&self.waiting_in_all, MOST_WAITING_IN_ALL) {
            return Err(Full::OfAll);
        }
        Ok(())
    }

    /// As `room_for`; when there is none, `context` is woken once less is waiting.
    pub(in crate::grpc) fn has_room_or_wakes(&self, bytes: usize, context: &Context<'_>) -> bool {
        let has_room = self.room_for(bytes).is_ok();
        if !has_room {
            self.held.lock().expect("nothing panics with it").push(context.waker().clone());
        }
        has_room
    }

    /// Streams that hold back try again.
    pub(in crate::grpc) fn resume(&self) {
        // Not while the lock is held: a stream that is woken may take it.
        let held = mem::take(&mut *self.held.lock().expect("nothing panics with it"));
        for waker in held {
            waker.wake();
        }
    }
}

/// A call that is open, until it is dropped.
#[derive(Debug)]
pub(in crate::grpc) struct Open(pub(in crate::grpc) Arc<Activity>);

impl Open {
    pub(in crate::grpc) fn new(activity: Arc<Activity>) -> Self {
        activity.begun.fetch_add(1, Relaxed);
        Self(activity)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Relaxed);
    }
}

/// A call of health or reflection that is open, until it is dropped.
#[derive(Debug)]
pub(in crate::grpc) struct OpenPublic(Arc<Activity>);

impl OpenPublic {
    /// `None` when too many are open already.
    pub(in crate::grpc) fn new(activity: Arc<Activity>) -> Option<Self> {
        let before = activity.public.fetch_add(1, Relaxed);
        // Dropped at once if it is one too many.
        let open = Self(activity);
        (before < MOST_PUBLIC).then_some(open)
    }
}

impl Drop for OpenPublic {
    fn drop(&mut self) {
        self.0.public.fetch_sub(1, Relaxed);
    }
}

/// So many bytes of an answer that waits, until they are dropped.
#[derive(Debug)]
pub(in crate::grpc) struct Waiting {
    activity: Arc<Activity>,
    bytes: usize,
}

impl Waiting {
    /// Whether there is room for them or not.
    pub(in crate::grpc) fn new(activity: &Arc<Activity>, bytes: usize) -> Self {
        activity.waiting_in_all.fetch_add(bytes, Relaxed);
        activity.waiting.fetch_add(bytes, Relaxed);
        Self { activity: activity.clone(), bytes }
    }

    /// Notes that they wait no more because they were sent, or their stream was given up.
    pub(in crate::grpc) fn note_taken(&self) {
        self.activity.taken.fetch_add(self.bytes as u64, Relaxed);
    }

    /// So many of them apart.
    pub(in crate::grpc) fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { activity: self.activity.clone(), bytes }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.activity.waiting_in_all.fetch_sub(self.bytes, Relaxed);
        let before = self.activity.waiting.fetch_sub(self.bytes, Relaxed);
        if before >= MOST_WAITING / 2 {
            self.activity.resume();
        }
    }
}
