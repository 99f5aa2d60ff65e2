//! What this node has seen of the change log, by which it detects that the log went backwards.
//!
//! A log that only grows has one hash for each revision. A log that lost its tail, in a restore or a failover, gives
//! the same revisions again to other changes. So the follower reads on from its own position, that one included, and
//! what it reads must continue what was seen: by the follower, by a commit of this node, or by a read of a key, which
//! both may be ahead of the follower.

use std::collections::BTreeMap;

use domain::{
    Revision,
    audit::{Hash, Head},
};

use crate::ports::feed::FeedEntry;

/// So far behind, it is cheaper to declare everything changed than to read what did.
pub(super) const TOO_FAR: Revision = 10_000;

/// How many of the revisions that were followed are kept, for commits that are made known late.
const KEPT: Revision = 1024;

/// Of what is seen ahead of the follower, no more is kept than this: the log is then so far ahead that the follower
/// declares everything changed, or else shorter than it was.
const MOST: usize = (TOO_FAR + KEPT) as usize + 1;

#[derive(Debug)]
pub(super) struct LogHistory {
    end: End,
    /// Of the revisions that were followed last, and of heads beyond.
    hashes: BTreeMap<Revision, Hash>,
    /// Something contradicted it: the log is not the one that was followed.
    contradicted: bool,
}

/// Where the log was followed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) head: Head,
    /// The hash of the event stored there, which is the head's unless the log was tampered with.
    pub(super) stored: Option<Hash>,
}

/// How a head fits with what was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Fits,
    /// Its revision is so old that the hash is no longer kept.
    Unknown,
    Contradicts,
}

/// What was read does not continue what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contradiction;

impl LogHistory {
    pub(super) fn new(end: End) -> Self {
        let mut history = Self { end, hashes: BTreeMap::new(), contradicted: false };
        history.remember(end.head);
        history
    }

    pub(super) fn end(&self) -> End {
        self.end
    }

    /// Whether the event at the end is there, as it is unless the log was tampered with or is being restored.
    pub(super) fn ends_well(&self) -> bool {
        self.end.head.revision == 0 || self.end.stored == Some(self.end.head.hash)
    }

    /// The newest revision that is known to exist.
    pub(super) fn newest(&self) -> Revision {
        self.newest_head().revision
    }

    pub(super) fn newest_head(&self) -> Head {
        let newest = self.hashes.last_key_value();
        newest.map_or(self.end.head, |(revision, hash)| Head { revision: *revision, hash: *hash })
    }

    pub(super) fn is_contradicted(&self) -> bool {
        self.contradicted
    }

    /// Notes a contradiction; returns whether one was known already.
    pub(super) fn contradict(&mut self) -> bool {
        std::mem::replace(&mut self.contradicted, true)
    }

    /// Notes a head of the log that a commit made or a read found.
    pub(super) fn note(&mut self, head: Head) -> Fit {
        if self.contradicted {
            return Fit::Fits;
        }
        match self.hashes.get(&head.revision) {
            Some(hash) if *hash == head.hash => Fit::Fits,
            Some(_) => {
                self.contradicted = true;
                Fit::Contradicts
            }
            None if head.revision <= self.end.head.revision => Fit::Unknown,
            None => {
                self.remember(head);
                Fit::Fits
            }
        }
    }

    /// Follows the log by `steps`, which were read from the end on, that one included; `whole` when nothing came
    /// after them. There was known to be the revision `newest` before they were read.
    pub(super) fn follow(
        &mut self,
        steps: &[FeedEntry],
        whole: bool,
        newest: Revision,
    ) -> Result<(), Contradiction> {
        let fresh = self.continues(steps, whole, newest)?;
        for step in fresh {
            self.remember(step.head());
        }
        if let Some(last) = fresh.last() {
            self.end = End { head: last.head(), stored: Some(last.hash) };
        }
        while self.hashes.first_key_value().is_some_and(|(it, _)| *it < self.end.head.revision - KEPT) {
            self.hashes.pop_first();
        }
        Ok(())
    }

    /// Continues at `head`, as if everything up to it had been followed.
    pub(super) fn skip_to(&mut self, head: Head) -> Result<(), Contradiction> {
        if self.contradicted || self.hashes.get(&head.revision).is_some_and(|hash| *hash != head.hash) {
            return Err(Contradiction);
        }
        self.hashes.retain(|revision, _| *revision > head.revision);
        self.remember(head);
        self.end = End { head, stored: Some(head.hash) };
        Ok(())
    }

    /// Those of `steps` that are new.
    fn continues<'a>(
        &self,
        steps: &'a [FeedEntry],
        whole: bool,
        newest: Revision,
    ) -> Result<&'a [FeedEntry], Contradiction> {
        let (stored, fresh) = match steps {
            [first, fresh @ ..] if first.revision == self.end.head.revision => (Some(first.hash), fresh),
            fresh => (None, fresh),
        };
        let mut last = self.end.head;
        for step in fresh {
            let follows = step.revision == last.revision + 1 && step.previous_hash == last.hash;
            let as_seen = self.hashes.get(&step.revision).is_none_or(|hash| *hash == step.hash);
            if !follows || !as_seen {
                return Err(Contradiction);
            }
            last = step.head();
        }
        let as_long = !whole || last.revision >= newest;
        if self.contradicted || stored != self.end.stored || !as_long {
            return Err(Contradiction);
        }
        Ok(fresh)
    }

    fn remember(&mut self, head: Head) {
        if self.hashes.len() < MOST {
            self.hashes.insert(head.revision, head.hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head at `revision` of the time line `line`.
    fn head(revision: Revision, line: u8) -> Head {
        let mut hash = [line; 32];
        hash[..8].copy_from_slice(&revision.to_be_bytes());
        Head { revision, hash }
    }

    /// Steps of the time line `line`, which diverged from the time line 0 after `parted`.
    fn steps(revisions: std::ops::RangeInclusive<Revision>, line: u8, parted: Revision) -> Vec<FeedEntry> {
        let at = |revision| head(revision, if revision > parted { line } else { 0 });
        let step = |revision| FeedEntry {
            revision,
            target: String::new(),
            previous_hash: at(revision - 1).hash,
            hash: at(revision).hash,
        };
        revisions.map(step).collect()
    }

    fn seen_to(revision: Revision) -> LogHistory {
        let head = head(revision, 0);
        LogHistory::new(End { head, stored: Some(head.hash) })
    }

    /// Reads to the end of the log.
    fn read(history: &mut LogHistory, steps: &[FeedEntry]) -> Result<Revision, Contradiction> {
        history.follow(steps, true, history.newest()).map(|()| history.end().head.revision)
    }

    #[test]
    fn a_log_that_grows_is_followed() {
        let mut history = seen_to(10);
        assert_eq!(read(&mut history, &steps(10..=10, 0, 0)), Ok(10));
        assert_eq!(read(&mut history, &steps(10..=15, 0, 0)), Ok(15));
        assert_eq!(history.note(head(17, 0)), Fit::Fits);
        assert_eq!(history.note(head(12, 0)), Fit::Fits);
        assert_eq!(read(&mut history, &steps(15..=20, 0, 0)), Ok(20));
    }

    #[test]
    fn an_empty_log_is_followed_from_its_first_event() {
        let genesis = Head { revision: 0, hash: head(0, 0).hash };
        let mut history = LogHistory::new(End { head: genesis, stored: None });
        assert_eq!(read(&mut history, &[]), Ok(0));
        assert_eq!(read(&mut history, &steps(1..=3, 0, 0)), Ok(3));
    }

    #[test]
    fn a_shorter_or_different_log_is_not_followed() {
        for (log, what) in [
            (vec![], "too short"),
            (steps(10..=10, 1, 9), "another event"),
            (steps(11..=12, 0, 0), "a lost event"),
            (steps(10..=12, 1, 10)[..1].iter().cloned().chain(steps(12..=12, 0, 0)).collect(), "a gap"),
            (steps(10..=10, 0, 0).into_iter().chain(steps(11..=12, 1, 9)).collect(), "a broken chain"),
        ] {
            let mut history = seen_to(10);
            assert_eq!(read(&mut history, &log), Err(Contradiction), "{what}");
            assert_eq!(history.end().head, head(10, 0), "{what}");
        }
    }

    #[test]
    fn heads_seen_ahead_must_appear_in_the_log() {
        for (log, follows) in [
            (steps(10..=13, 0, 0), false),
            (steps(10..=13, 1, 10), false),
            (steps(10..=14, 1, 10), false),
            (steps(10..=20, 1, 10), false),
            (steps(10..=14, 0, 0), true),
            (steps(10..=20, 1, 14), true),
        ] {
            let mut history = seen_to(10);
            assert_eq!(history.note(head(14, 0)), Fit::Fits);
            assert_eq!(read(&mut history, &log).is_ok(), follows, "{log:?}");
        }
    }

    /// A head that is seen during a read of the log may be beyond the end of that read.
    #[test]
    fn heads_seen_during_a_read_need_not_appear_in_it() {
        let mut history = seen_to(10);
        let newest = history.newest();
        history.note(head(12, 0));
        assert_eq!(history.follow(&steps(10..=11, 0, 0), true, newest), Ok(()));
        // Nor must it appear if there is more to read.
        assert_eq!(history.follow(&steps(11..=11, 0, 0), false, history.newest()), Ok(()));
        assert_eq!(read(&mut history, &steps(11..=11, 0, 0)), Err(Contradiction));
    }

    #[test]
    fn another_hash_for_a_revision_contradicts() {
        let mut history = seen_to(10);
        read(&mut history, &steps(10..=12, 0, 0)).unwrap();
        history.note(head(14, 0));
        for revision in [11, 12, 14] {
            let mut history = LogHistory { hashes: history.hashes.clone(), ..history };
            assert_eq!(history.note(head(revision, 0)), Fit::Fits);
            assert_eq!(history.note(head(revision, 1)), Fit::Contradicts, "{revision}");
            assert_eq!(read(&mut history, &steps(12..=14, 0, 0)), Err(Contradiction));
        }
        assert_eq!(history.note(head(9, 0)), Fit::Unknown);
    }

    #[test]
    fn the_history_is_bounded() {
        let mut history = seen_to(0);
        for revision in (0..20_000).step_by(1000) {
            let fresh = steps(revision.max(1)..=revision + 1000, 0, 0);
            history.end.stored = (revision > 0).then_some(history.end.head.hash);
            assert!(history.follow(&fresh, false, 0).is_ok());
        }
        assert_eq!(history.hashes.len() as Revision, KEPT + 1);
        for revision in 20_001..60_000 {
            assert_eq!(history.note(head(revision, 0)), Fit::Fits);
        }
        assert_eq!(history.hashes.len(), MOST);
    }
}
