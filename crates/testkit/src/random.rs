//! Random numbers that are the same in each run, so that a test passes always or never.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

use keystile::ports::Random;

/// Different at each call, but no secret.
#[derive(Debug, Default)]
pub struct TestRandom(AtomicU64);

impl Random for TestRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut hasher = DefaultHasher::new();
            self.0.fetch_add(1, Ordering::Relaxed).hash(&mut hasher);
            chunk.copy_from_slice(&hasher.finish().to_ne_bytes()[..chunk.len()]);
        }
    }
}
