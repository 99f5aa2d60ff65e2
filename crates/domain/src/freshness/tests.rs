//! When a cached value is current.

use super::*;
use crate::{id::KeyId, time::Timestamp};

fn key(seed: u8) -> Changed {
    Changed::Key(KeyId::new(Timestamp::from_micros(0), [seed; 10]))
}

fn stamp(freshness: &Freshness, revision: Revision, owners: &[Changed]) -> Stamp {
    let resources = [&[key(1)], owners].concat();
    freshness.stamp(Point::new(freshness.era(), revision), &resources)
}

#[test]
fn a_value_is_stale_after_a_change_of_any_of_its_resources() {
    let account = Changed::ServiceAccount("projects/acme/serviceAccounts/ci".parse().unwrap());
    let project = Changed::Project("acme".parse().unwrap());
    for changed in [key(1), account.clone(), project.clone(), Changed::Everything] {
        let freshness = Freshness::new(1 << 16, 0);
        let owners = [account.clone(), project.clone()];
        let [before, after] = [7, 8].map(|revision| stamp(&freshness, revision, &owners));
        assert!(freshness.is_current(&before));
        freshness.made(8, &changed);
        assert!(!freshness.is_current(&before), "{changed:?}");
        assert!(freshness.is_current(&after), "{changed:?}");
    }
}

/// With more resources than fit into a stamp without allocation.
#[test]
fn a_value_is_stale_after_a_change_of_the_last_of_many_resources() {
    let roles: Vec<_> = (0..40).map(key).collect();
    for changed in &roles {
        let freshness = Freshness::new(1 << 16, 0);
        let [before, after] =
            [7, 8].map(|revision| freshness.stamp(Point::new(freshness.era(), revision), &roles));
        assert!(freshness.is_current(&before.clone()));
        freshness.made(8, changed);
        assert!(!freshness.is_current(&before), "{changed:?}");
        assert!(freshness.is_current(&after), "{changed:?}");
    }
}

#[test]
fn an_older_change_that_arrives_late_has_no_effect() {
    let freshness = Freshness::new(16, 0);
    freshness.made(8, &key(1));
    freshness.made(5, &key(1));
    assert!(!freshness.is_current(&stamp(&freshness, 7, &[])));
    assert_eq!(freshness.newest().revision(), 8);
}

/// Revisions are reused, so those of the earlier era neither confirm a value nor make it stale.
#[test]
fn a_new_era_makes_earlier_values_stale_and_earlier_changes_irrelevant() {
    let freshness = Freshness::new(16, 0);
    freshness.made(8, &key(1));
    let [old, later] = [8, 20].map(|revision| stamp(&freshness, revision, &[]));
    let newest = freshness.newest();
    freshness.begin_era();
    assert!(!freshness.is_current(&old) && !freshness.is_current(&later));
    assert!(freshness.newest() > newest);
    let read = stamp(&freshness, 5, &[]);
    assert!(freshness.is_current(&read), "change 8 of the earlier era does not matter");
    freshness.made(6, &key(1));
    assert!(!freshness.is_current(&read));
    assert!(freshness.is_current(&stamp(&freshness, 6, &[])));
    assert!(!freshness.is_current(&later));
}

/// Whatever the newest change was, and whatever it touched.
#[test]
fn each_era_is_newer_than_all_points_of_the_one_before() {
    let freshness = Freshness::new(16, 0);
    freshness.made(8, &Changed::Everything);
    let last = Point::new(freshness.era(), Revision::MAX);
    let read = freshness.stamp(last, &[key(1)]);
    freshness.begin_era();
    assert!(Point::new(freshness.era(), 0) > last);
    assert!(freshness.newest() > last);
    assert!(!freshness.is_current(&read));
}

#[test]
fn in_the_last_era_no_value_is_current() {
    let freshness = Freshness::new(16, 0);
    for _ in 0..(1 << 20) + 10 {
        freshness.begin_era();
    }
    assert!(!freshness.is_current(&stamp(&freshness, 1, &[])));
    assert!(!freshness.is_current(&stamp(&freshness, 17_000_000_000_000, &[])));
    assert!(freshness.newest() > Point::new(freshness.era(), 17_000_000_000_000));
}

#[test]
#[should_panic(expected = "power_of_two")]
fn the_number_of_slots_is_a_power_of_two() {
    Freshness::new(3, 0);
}

#[test]
#[should_panic(expected = "1 << 16")]
fn there_are_no_more_slots_than_a_stamp_can_name() {
    Freshness::new(1 << 17, 0);
}

#[test]
fn a_point_has_room_for_every_revision() {
    let freshness = Freshness::new(16, 0);
    freshness.begin_era();
    let point = |revision| Point::new(freshness.era(), revision);
    for revision in [0, 1, 17_000_000_000_000] {
        assert_eq!(point(revision).revision(), revision);
    }
    assert_eq!(point(-1).revision(), 0);
    assert!(point(Revision::MAX) > point(0));
}
