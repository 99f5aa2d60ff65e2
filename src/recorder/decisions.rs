//! How many decisions came to each code.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use domain::decision::Code;
use thread_local::ThreadLocal;

/// Counted by each thread for itself: a verification waits for no memory that another writes.
#[derive(Debug, Default)]
pub struct Decisions(ThreadLocal<Thread>);

/// In lines of memory of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Thread([AtomicU64; Code::ALL.len()]);

impl Decisions {
    pub(super) fn count(&self, code: Code) {
        let Thread(counts) = self.0.get_or_default();
        let count = &counts[code as usize];
        // Nobody else adds to it, so nothing is lost between the two.
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
