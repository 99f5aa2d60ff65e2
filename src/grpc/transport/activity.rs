//! What happens on a connection, for all to see: its open calls, and how much its client leaves unread.

use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Waker},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;

/// Most unread bytes of answers, on one connection and on all of them. Only a client that does not read leaves more than a few of
/// the largest answers unread.
pub(in crate::grpc) const MOST_UNREAD: usize = 16 * 1024 * 1024;
const MOST_UNREAD_IN_ALL: usize = 256 * 1024 * 1024;
/// Most open calls of health and reflection on one connection: they need no credential.
const MOST_PUBLIC: usize = 32;

/// The limit on unread bytes that has no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grpc) enum UnreadLimit {
    OfConnection,
    OfNode,
}

/// Of one connection.
#[derive(Debug)]
pub(in crate::grpc) struct Activity {
    /// Calls, without those of health and reflection.
    begun: AtomicU64,
    ended: AtomicU64,
    /// Open calls of health and reflection.
    public: AtomicUsize,
    /// Bytes that the socket took.
    written: AtomicU64,
    /// Bytes of answers that the socket has not taken yet.
    unread: AtomicUsize,
    /// Bytes that were unread and no longer are.
    taken: AtomicU64,
    /// Whether a stream made progress since the last look.
    progress: AtomicBool,
    unread_in_all: Arc<AtomicUsize>,
    /// Streams that are held back until less is unread.
    held: Mutex<Vec<Waker>>,
    /// Whether a call on it was ever authenticated.
    authenticated: AtomicBool,
    /// It is one of the few beyond the limit, which are there for health checks.
    spare: AtomicBool,
    cut: AtomicBool,
    /// Wakes the connection itself.
    waker: AtomicWaker,
}

impl Activity {
    pub(in crate::grpc) fn new(unread_in_all: Arc<AtomicUsize>, spare: bool) -> Self {
        Self {
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            public: AtomicUsize::new(0),
            written: AtomicU64::new(0),
            unread: AtomicUsize::new(0),
            taken: AtomicU64::new(0),
            progress: AtomicBool::new(false),
            unread_in_all,
            held: Mutex::default(),
            authenticated: AtomicBool::new(false),
            spare: AtomicBool::new(spare),
            cut: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    /// Makes the connection fail at its next poll, and wakes it for that.
    pub(in crate::grpc) fn cut_off(&self) {
        self.cut.store(true, Relaxed);
        self.waker.wake();
    }

    /// Whether it was cut off; a later cut wakes `context`.
    pub(in crate::grpc) fn is_cut_off(&self, context: &Context<'_>) -> bool {
        self.waker.register(context.waker());
        self.cut.load(Relaxed)
    }

    pub(in crate::grpc) fn wrote(&self, bytes: usize) {
        // Only the connection's own task writes it.
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

    pub(in crate::grpc) fn unread(&self) -> usize {
        self.unread.load(Relaxed)
    }

    pub(in crate::grpc) fn taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }

    /// Notes that the client took earlier answers of a stream.
    pub(in crate::grpc) fn note_progress(&self) {
        // Usually it is noted already, and a load is cheaper than a store.
        if !self.progress.load(Relaxed) {
            self.progress.store(true, Relaxed);
        }
    }

    /// Whether a stream made progress since the last call.
    pub(in crate::grpc) fn take_progress(&self) -> bool {
        self.progress.swap(false, Relaxed)
    }

    /// Connections without a caller are the first to be ended when room is needed.
    pub(in crate::grpc) fn note_authenticated(&self) {
        self.authenticated.store(true, Relaxed);
    }

    pub(in crate::grpc) fn is_authenticated(&self) -> bool {
        self.authenticated.load(Relaxed)
    }

    pub(in crate::grpc) fn is_spare(&self) -> bool {
        self.spare.load(Relaxed)
    }

    pub(in crate::grpc) fn count_as_ordinary(&self) {
        self.spare.store(false, Relaxed);
    }

    /// Whether so many more bytes may be unread.
    pub(in crate::grpc) fn room_for(&self, bytes: usize) -> Result<(), UnreadLimit> {
        let fits = |counter: &AtomicUsize, most: usize| counter.load(Relaxed) + bytes <= most;
        if !fits(&self.unread, MOST_UNREAD) {
            return Err(UnreadLimit::OfConnection);
        }
        if !fits(&self.unread_in_all, MOST_UNREAD_IN_ALL) {
            return Err(UnreadLimit::OfNode);
        }
        Ok(())
    }

    /// As `room_for`; without room, `context` is woken once less is unread.
    pub(in crate::grpc) fn has_room_or_wakes(&self, bytes: usize, context: &Context<'_>) -> bool {
        let has_room = self.room_for(bytes).is_ok();
        if !has_room {
            self.held.lock().expect("no holder of the lock panics").push(context.waker().clone());
        }
        has_room
    }

    /// Wakes the streams that are held back, to try again.
    pub(in crate::grpc) fn resume(&self) {
        // Outside of the lock, which a woken stream may take.
        let held = mem::take(&mut *self.held.lock().expect("no holder of the lock panics"));
        for waker in held {
            waker.wake();
        }
    }
}

/// Counts a call as open until it is dropped.
#[derive(Debug)]
pub(in crate::grpc) struct OpenCall(Arc<Activity>);

impl OpenCall {
    pub(in crate::grpc) fn new(activity: Arc<Activity>) -> Self {
        activity.begun.fetch_add(1, Relaxed);
        Self(activity)
    }

    pub(in crate::grpc) fn activity(&self) -> &Arc<Activity> {
        &self.0
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Relaxed);
    }
}

/// Counts a call of health or reflection as open until it is dropped.
#[derive(Debug)]
pub(in crate::grpc) struct OpenPublicCall(Arc<Activity>);

impl OpenPublicCall {
    /// `None` when too many are open already.
    pub(in crate::grpc) fn new(activity: Arc<Activity>) -> Option<Self> {
        let before = activity.public.fetch_add(1, Relaxed);
        // One too many is dropped at once, which counts it down again.
        let open = Self(activity);
        (before < MOST_PUBLIC).then_some(open)
    }
}

impl Drop for OpenPublicCall {
    fn drop(&mut self) {
        self.0.public.fetch_sub(1, Relaxed);
    }
}

/// Counts bytes of an answer as unread until it is dropped.
#[derive(Debug)]
pub(in crate::grpc) struct UnreadBytes {
    activity: Arc<Activity>,
    bytes: usize,
}

impl UnreadBytes {
    /// Counts them whether there is room for them or not.
    pub(in crate::grpc) fn new(activity: &Arc<Activity>, bytes: usize) -> Self {
        activity.unread_in_all.fetch_add(bytes, Relaxed);
        activity.unread.fetch_add(bytes, Relaxed);
        Self { activity: activity.clone(), bytes }
    }

    /// Splits off some of them.
    pub(in crate::grpc) fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { activity: self.activity.clone(), bytes }
    }

    /// `data`, with which they are dropped: once it is sent, or its stream is reset.
    pub(in crate::grpc) fn attach_to(self, data: Bytes) -> Bytes {
        struct Attached(Bytes, UnreadBytes);
        impl Drop for Attached {
            fn drop(&mut self) {
                let UnreadBytes { activity, bytes } = &self.1;
                activity.taken.fetch_add(*bytes as u64, Relaxed);
            }
        }
        impl AsRef<[u8]> for Attached {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        Bytes::from_owner(Attached(data, self))
    }
}

impl Drop for UnreadBytes {
    fn drop(&mut self) {
        self.activity.unread_in_all.fetch_sub(self.bytes, Relaxed);
        let before = self.activity.unread.fetch_sub(self.bytes, Relaxed);
        if before >= MOST_UNREAD / 2 {
            self.activity.resume();
        }
    }
}
