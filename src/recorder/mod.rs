//! What verifications leave behind (last uses, new digests, counts), recorded in batches and off the hot path.

mod batch;
mod decisions;
mod duty_cycle;
mod message;
mod pending;
mod queue;
mod writer;

use std::sync::{Arc, atomic::AtomicU64};

use tokio::sync::mpsc;

use crate::ports::{Clock, Recording};

pub use decisions::Decisions;
pub use queue::Queue;
pub use writer::{Unsaved, Writer};

/// A queue for verifications, and the writer that empties it into `store`.
pub fn recorder(store: Arc<dyn Recording>, clock: Arc<dyn Clock>) -> (Queue, Writer) {
    let (sender, receiver) = mpsc::channel(queue::CAPACITY);
    let dropped = Arc::new(AtomicU64::new(0));
    (Queue::new(sender, Arc::clone(&dropped)), Writer::new(receiver, dropped, store, clock))
}
