//! What this node has seen of the change log, by which it detects that the log went backwards.
//!
//! A log that only grows has one hash for each revision. A log that lost its tail, in a restore or a failover, gives
//! the same revisions again to other changes. So the follower reads on from its own position, that one included, and
//! what it reads must continue what was seen: by the follower, by a commit of this node, or by a read of a key, which
//! both may be ahead of the follower.

#[cfg(test)]
mod tests;

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
