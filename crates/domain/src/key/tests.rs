//! No sequence of transitions reaches a forbidden state.

use proptest::prelude::*;

use super::{
    sample::{at, key, sealed},
    *,
};
use crate::time::DAY;

#[derive(Debug, Clone, Copy)]
enum Step {
    Rotate(u64),
    Disable,
    Enable,
    Revoke,
    Delete,
    Undelete,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u64..1000).prop_map(Step::Rotate),
        Just(Step::Disable),
        Just(Step::Enable),
        Just(Step::Revoke),
        Just(Step::Delete),
        Just(Step::Undelete),
    ]
}

fn take(key: Key, step: Step, now: Timestamp) -> Result<Key, Forbidden> {
    match step {
        Step::Rotate(grace) => key.rotate(sealed(2), Duration::from_secs(grace), now),
        Step::Disable => key.disable(now),
        Step::Enable => key.enable(now),
        Step::Revoke => key.revoke("leaked".parse().unwrap(), now),
        Step::Delete => key.delete(Retention::default(), now),
        Step::Undelete => key.undelete(now),
    }
}

proptest! {
    #[test]
    fn transitions_never_reach_a_forbidden_state(
        protected: bool,
        expiry in prop::option::of(1i64..2000),
        steps in prop::collection::vec((step(), 1i64..200), 0..40),
    ) {
        let expiry = expiry.filter(|_| !protected).map(at);
        let mut key = key(expiry, protected);
        let mut second = 0;
        for (step, pause) in steps {
            second += pause;
            let now = at(second);
            let before = key.clone();
            let Ok(after) = take(key.clone(), step, now) else { continue };
            // A key stays revoked, even after it is deleted and restored.
            prop_assert!(before.revocation.is_none() || after.revocation == before.revocation);
            // Only UndeleteKey changes a deleted key.
            prop_assert!(before.state(now) != State::Deleted || matches!(step, Step::Undelete));
            if protected {
                prop_assert_eq!(after.state(now), State::Active);
            }
            // One secret, or two during a grace period, which never ends after the key.
            prop_assert!((1..=2).contains(&after.secrets.len()));
            prop_assert_eq!(after.secrets[0].expire_time, None);
            if let Some(old) = after.secrets.get(1) {
                prop_assert!(old.expire_time.is_some());
                prop_assert!(old.version < after.secrets[0].version);
                if let Some(expiry) = after.expire_time {
                    prop_assert!(old.expire_time <= Some(expiry));
                }
            }
            prop_assert!(after.newest_secret() >= before.newest_secret());
            prop_assert_eq!(after.expire_time, expiry);
            key = after;
        }
    }
}

#[test]
fn a_key_is_expired_from_the_instant_of_its_expiry() {
    let key = key(Some(at(10)), false);
    assert_eq!(key.state(Timestamp::from_micros(9_999_999)), State::Active);
    assert_eq!(key.state(at(10)), State::Expired);
}

#[test]
fn rotation_without_grace_ends_every_old_secret_at_once() {
    let key = key(None, false).rotate(sealed(2), 10 * DAY, at(1)).unwrap();
    assert_eq!(key.secrets.len(), 2);
    let key = key.rotate(sealed(3), Duration::ZERO, at(2)).unwrap();
    assert_eq!(key.secrets.iter().map(|secret| secret.version).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_second_rotation_within_the_grace_keeps_only_the_newest_two() {
    let key = key(None, false).rotate(sealed(2), 10 * DAY, at(1)).unwrap();
    let key = key.rotate(sealed(3), DAY, at(2)).unwrap();
    assert_eq!(key.secrets.iter().map(|secret| secret.version).collect::<Vec<_>>(), [3, 2]);
}

#[test]
fn an_earlier_expiry_ends_the_grace_period_too() {
    let mut key = key(None, false).rotate(sealed(2), 10 * DAY, at(1)).unwrap();
    key.end_at(Some(at(60)));
    assert_eq!(key.secrets[1].expire_time, Some(at(60)));
    assert_eq!(key.secrets[0].expire_time, None);
    key.end_at(None);
    assert_eq!(key.secrets[1].expire_time, Some(at(60)), "a shortened grace period stays shortened");
}

/// The rows are states, the columns the operations that they allow.
#[test]
fn a_state_allows_what_its_row_says() {
    const VERBS: [&str; 7] = ["rotated", "disabled", "enabled", "revoked", "deleted", "undeleted", "updated"];
    for (state, allowed) in [
        (State::Active, [true, true, false, true, true, false, true]),
        (State::Disabled, [true, false, true, true, true, false, true]),
        (State::Revoked, [false, false, false, false, true, false, true]),
        (State::Expired, [false, true, false, true, true, false, true]),
        (State::Deleted, [false, false, false, false, false, true, false]),
    ] {
        let key = in_state(state);
        assert_eq!(key.state(at(10)), state);
        assert_eq!(state.to_string(), state.as_str());
        for (verb, allowed) in VERBS.into_iter().zip(allowed) {
            let expected =
                if allowed { Ok(()) } else { Err(Forbidden::State { verb, state: state.as_str() }) };
            assert_eq!(done(key.clone(), verb, at(10)), expected, "{verb} while {state}");
        }
    }
}

fn in_state(state: State) -> Key {
    let key = key(Some(at(20)), false);
    match state {
        State::Active => key,
        State::Disabled => key.disable(at(1)).unwrap(),
        State::Revoked => key.revoke(Reason::default(), at(1)).unwrap(),
        State::Expired => Key { expire_time: Some(at(10)), ..key },
        State::Deleted => key.delete(Retention::default(), at(1)).unwrap(),
    }
}

fn done(key: Key, verb: &str, now: Timestamp) -> Result<(), Forbidden> {
    let updated = |key: Key| {
        assert_eq!(key.update_time, now);
    };
    match verb {
        "rotated" => key.rotate(sealed(2), Duration::ZERO, now).map(updated),
        "disabled" => key.disable(now).map(updated),
        "enabled" => key.enable(now).map(updated),
        "revoked" => key.revoke(Reason::default(), now).map(updated),
        "deleted" => key.delete(Retention::default(), now).map(updated),
        "undeleted" => key.undelete(now).map(updated),
        _ => key.updatable(now),
    }
}

#[test]
fn a_protected_key_can_only_be_rotated_and_updated() {
    let key = key(None, true);
    for verb in ["disabled", "revoked", "deleted"] {
        assert_eq!(done(key.clone(), verb, at(1)), Err(Forbidden::Protected { verb }));
    }
    assert_eq!(key.purgeable(), Err(Forbidden::Protected { verb: "deleted" }));
    for verb in ["rotated", "updated"] {
        assert_eq!(done(key.clone(), verb, at(1)), Ok(()));
    }
}

#[test]
fn a_key_is_due_for_purge_when_its_retention_is_over() {
    let key = key(None, false);
    assert!(!key.is_due_for_purge(at(1_000_000_000)), "the key is not deleted");
    assert_eq!(key.purgeable(), Ok(()));
    let retention = Retention::try_from(DAY).unwrap();
    let key = key.delete(retention, at(1)).unwrap();
    let end = at(1).after(DAY);
    assert_eq!(key.deletion, Some(Deletion { time: at(1), purge_time: end }));
    assert!(!key.is_due_for_purge(Timestamp::from_micros(end.as_micros() - 1)));
    assert!(key.is_due_for_purge(end));
    assert_eq!(key.purgeable(), Ok(()));
}

#[test]
fn a_key_in_any_state_is_deleted_with_its_owner() {
    let deletion = Deletion { time: at(10), purge_time: at(20) };
    for state in State::ALL {
        let key = in_state(state).follow_owner(deletion, at(11));
        assert_eq!(key.deletion, Some(deletion), "{state}");
        assert_eq!(key.update_time, at(11));
    }
}

#[test]
fn the_masked_form_has_the_id() {
    let key = key(None, false);
    assert_eq!(key.masked(), format!("acme_live_{}****", key.id));
}

#[test]
fn the_grace_period_begins_at_the_rotation() {
    let rotated = |expire_time| key(expire_time, false).rotate(sealed(2), DAY, at(1)).unwrap();
    assert_eq!(rotated(None).secrets[1].expire_time, Some(at(1).after(DAY)));
    assert_eq!(rotated(Some(at(60))).secrets[1].expire_time, Some(at(60)));
    assert_eq!(rotated(None).newest_secret(), 2);
}

#[test]
fn a_role_is_taken_from_a_key_in_any_state() {
    let mut key = key(None, false);
    key.roles = ["a", "b", "c"].map(|id| id.parse().unwrap()).to_vec();
    key.deletion = Some(Deletion { time: at(1), purge_time: at(2) });
    let left = key.clone().without_role(&"b".parse().unwrap(), at(5));
    assert_eq!(left.roles, ["a", "c"].map(|id| id.parse().unwrap()));
    assert_eq!((left.update_time, left.deletion), (at(5), key.deletion));
}
