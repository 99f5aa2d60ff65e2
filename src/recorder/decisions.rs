//! How many decisions there were of each code.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use domain::decision::Code;
use thread_local::ThreadLocal;

/// Each thread has counters of its own, so that threads never contend for a cache line.
#[derive(Debug, Default)]
pub struct Decisions(ThreadLocal<Thread>);

/// Aligned so that no two threads share a cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Thread([AtomicU64; Code::ALL.len()]);

impl Decisions {
    pub(super) fn count(&self, code: Code) {
        let Thread(counts) = self.0.get_or_default();
        let count = &counts[code as usize];
        // Only this thread writes it, so no addition is lost between the load and the store.
        count.store(count.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// How many there were so far, by code.
    pub fn counts(&self) -> impl Iterator<Item = (Code, u64)> {
        Code::ALL.into_iter().map(|code| {
            let counts = self.0.iter().map(|Thread(counts)| counts[code as usize].load(Relaxed));
            (code, counts.sum())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_threads_count_together() {
        let decisions = Decisions::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| decisions.count(Code::Valid)));
            }
        });
        decisions.count(Code::Revoked);
        let counts = decisions.counts().filter(|(_, count)| *count > 0);
        assert_eq!(counts.collect::<Vec<_>>(), [(Code::Valid, 4000), (Code::Revoked, 1)]);
    }
}
