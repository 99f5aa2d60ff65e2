//! What continues the history of the log, and what contradicts it.

use super::*;

/// The head at `revision` of the time line `line`.
fn head(revision: Revision, line: u8) -> Head {
    let mut hash = [line; 32];
    hash[..8].copy_from_slice(&revision.to_be_bytes());
    Head { revision, hash }
}

/// Steps of the time line `line`; it parted from the time line 0 after `parted`.
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
fn a_log_that_is_shorter_or_another_is_not() {
    for (log, what) in [
        (vec![], "it ends before"),
        (steps(10..=10, 1, 9), "the event where it was is another"),
        (steps(11..=12, 0, 0), "the event where it was is gone"),
        (steps(10..=12, 1, 10)[..1].iter().cloned().chain(steps(12..=12, 0, 0)).collect(), "a gap"),
        (steps(10..=10, 0, 0).into_iter().chain(steps(11..=12, 1, 9)).collect(), "it does not follow"),
    ] {
        let mut history = seen_to(10);
        assert_eq!(read(&mut history, &log), Err(Contradiction), "{what}");
        assert_eq!(history.end().head, head(10, 0), "{what}");
    }
}

#[test]
fn what_was_seen_ahead_must_come() {
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

/// What is seen while the log is read may be beyond what it brings.
#[test]
fn what_was_seen_since_need_not_come_yet() {
    let mut history = seen_to(10);
    let newest = history.newest();
    history.note(head(12, 0));
    assert_eq!(history.follow(&steps(10..=11, 0, 0), true, newest), Ok(()));
    // Nor need it if there is more to read.
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
fn little_is_remembered() {
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

/// Too far behind, it continues at the head: what is before it is forgotten, and what was seen beyond it must still come.
#[test]
fn it_skips_to_a_head() {
    let mut history = seen_to(10);
    for revision in [14, 20, 30] {
        assert_eq!(history.note(head(revision, 0)), Fit::Fits);
    }
    assert_eq!(history.skip_to(head(20, 0)), Ok(()));
    assert_eq!(history.end(), End { head: head(20, 0), stored: Some(head(20, 0).hash) });
    assert_eq!(history.newest_head(), head(30, 0));
    assert_eq!(history.hashes.len(), 2);
    assert_eq!(history.note(head(14, 1)), Fit::Unknown);
    assert_eq!(read(&mut history, &steps(20..=29, 0, 0)), Err(Contradiction));
    assert_eq!(read(&mut history, &steps(20..=30, 0, 0)), Ok(30));
    // A head that was not seen before is one from now on.
    assert_eq!(history.skip_to(head(50, 0)), Ok(()));
    assert_eq!(history.note(head(50, 1)), Fit::Contradicts);
}

#[test]
fn it_does_not_skip_what_contradicts_it() {
    let mut history = seen_to(10);
    history.note(head(14, 0));
    assert_eq!(history.skip_to(head(14, 1)), Err(Contradiction));
    assert_eq!(history.end().head, head(10, 0));
    assert_eq!(history.note(head(14, 1)), Fit::Contradicts);
    assert_eq!(history.skip_to(head(20, 0)), Err(Contradiction));
}

#[test]
fn a_contradiction_is_noted_once_and_lasts() {
    let mut history = seen_to(10);
    assert!(!history.is_contradicted());
    assert!(!history.contradict());
    assert!(history.is_contradicted());
    assert!(history.contradict());
    // Until it starts over, no head says anything more.
    assert_eq!(history.note(head(10, 1)), Fit::Fits);
    assert_eq!(history.note(head(9, 1)), Fit::Fits);
    assert_eq!(read(&mut history, &steps(10..=11, 0, 0)), Err(Contradiction));
}

/// No more hashes fit, so that of the end is not kept: another one for its revision must not pass for it.
#[test]
fn an_end_without_room_for_its_hash_is_unknown() {
    let mut history = seen_to(10);
    for revision in (12..).take(MOST - 1) {
        assert_eq!(history.note(head(revision, 0)), Fit::Fits);
    }
    assert_eq!(history.follow(&steps(10..=11, 0, 0), false, 0), Ok(()));
    assert_eq!(history.note(head(11, 1)), Fit::Unknown);
}

#[test]
fn a_log_without_one_of_its_revisions_is_not_followed() {
    let mut history = seen_to(10);
    let mut log = steps(10..=12, 0, 0);
    log.remove(1);
    log[1].previous_hash = head(10, 0).hash;
    assert_eq!(read(&mut history, &log), Err(Contradiction));
}
