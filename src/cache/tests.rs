//! What makes a remembered value current.

use super::freshness::Freshness;
use crate::domain::{changed::Changed, id::KeyId, time::Timestamp};

fn key(seed: u8) -> Changed {
    Changed::Key(KeyId::new(Timestamp::from_micros(0), [seed; 10]))
}

#[test]
fn a_value_falls_with_whatever_it_was_made_of() {
    let account = Changed::ServiceAccount("projects/acme/serviceAccounts/ci".parse().unwrap());
    let project = Changed::Project("acme".parse().unwrap());
    for changed in [key(1), account.clone(), project.clone(), Changed::Everything] {
        let freshness = Freshness::new(1 << 16);
        let places = freshness.places(&key(1), &[account.clone(), project.clone()]);
        assert!(freshness.is_current(&places, 7));
        freshness.made(8, &changed);
        assert!(!freshness.is_current(&places, 7), "{changed:?}");
        assert!(freshness.is_current(&places, 8), "{changed:?}");
    }
}

#[test]
fn an_older_change_that_arrives_late_takes_nothing_back() {
    let freshness = Freshness::new(16);
    let places = freshness.places(&key(1), &[]);
    freshness.made(8, &key(1));
    freshness.made(5, &key(1));
    assert!(!freshness.is_current(&places, 7));
    assert_eq!(freshness.newest(), 8);
}
