//! The atomics of this floor; the model of its promise is checked with others in their place.

pub(super) use std::sync::atomic::{AtomicU64, Ordering};
