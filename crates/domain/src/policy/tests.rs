//! Policies, their profiles, and how large they are.

use std::hash::BuildHasher;

use super::*;
use crate::{
    access::Access,
    freshness::{Freshness, Point},
    key::{
        Revocation,
        sample::{at, key},
    },
    shared_access::KeyAccess,
    text::Reason,
};

#[test]
fn a_policy_has_the_state_of_the_key_and_its_owner() {
    let mut key = key(None, false);
    let state = |key: &Key, owner_disabled| {
        let policy = Policy::new(key, owner_disabled);
        let it = policy.restrictions();
        (it.revoked, it.disabled, it.owner_disabled)
    };
    assert_eq!(state(&key, false), (false, false, false));
    assert_eq!(state(&key, true), (false, false, true));
    key.disable_time = Some(at(1));
    assert_eq!(state(&key, false), (false, true, false));
    key.revocation = Some(Revocation { time: at(1), reason: Reason::default() });
    assert_eq!(state(&key, false), (true, true, false));
}

#[test]
fn only_keys_of_the_system_project_authenticate_callers() {
    let mut key = key(None, false);
    assert_eq!(Policy::new(&key, false).profile().caller, None);
    key.project = ProjectId::system();
    assert_eq!(Policy::new(&key, false).profile().caller, Some(key.service_account.clone()));
}

#[test]
fn a_policy_ends_with_the_key_or_its_newest_secret() {
    let mut key = key(None, false);
    let end = |key: &Key| Policy::new(key, false).expire_time();
    assert_eq!(end(&key), None);
    key.secrets[0].expire_time = Some(at(9));
    assert_eq!(end(&key), Some(at(9)));
    for (expire_time, earliest) in [(5, 5), (20, 9)] {
        key.expire_time = Some(at(expire_time));
        assert_eq!(end(&key), Some(at(earliest)));
    }
}

#[test]
fn equal_profiles_are_shared() {
    let [mut one, mut other] = [1, 2].map(|_| Policy::new(&key(None, false), false));
    assert_eq!(one.profile(), other.profile());
    one.share_profile(|_| other.profile().clone());
    assert!(Arc::ptr_eq(one.profile(), other.profile()));
    other.share_profile(Arc::clone);
    assert_eq!(Arc::strong_count(one.profile()), 2);
}

#[test]
fn profiles_differ_in_each_part_but_what_is_known_of_their_access() {
    let plain = key(None, false);
    let viewer: RoleId = "viewer".parse().unwrap();
    let others = [
        Key { token_prefix: "acme_stage".into(), ..plain.clone() },
        Key { environment: "staging".parse().unwrap(), ..plain.clone() },
        Key { project: "other".parse().unwrap(), ..plain.clone() },
        Key { roles: vec![viewer.clone()], ..plain.clone() },
        Key { permissions: vec!["a.read".parse().unwrap()], ..plain.clone() },
        Key { roles: vec![viewer], permissions: vec!["a.read".parse().unwrap()], ..plain.clone() },
    ];
    let hasher = std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default();
    let profiles: Vec<_> = std::iter::once(&plain).chain(&others).map(Profile::new).collect();
    for (at, one) in profiles.iter().enumerate() {
        for (other_at, other) in profiles.iter().enumerate() {
            assert_eq!(one == other, at == other_at);
            assert_eq!(hasher.hash_one(one) == hasher.hash_one(other), at == other_at);
        }
    }
    let known = Profile::new(&plain);
    known.access.replace(access_of(&plain));
    assert_eq!(known, profiles[0]);
}

fn access_of(key: &Key) -> Arc<KeyAccess> {
    let freshness = Freshness::new(1, 0);
    let stamp = freshness.stamp(Point::new(freshness.era(), 1), &[]);
    let access = Access::of([], &key.permissions);
    Arc::new(KeyAccess::new(access, vec![0; 100].into(), stamp, 0))
}

#[test]
fn nothing_is_granted_to_a_key_without_roles_and_permissions() {
    let mut key = key(None, false);
    assert_eq!(Granted::to(&key), None);
    assert!(Profile::new(&key).current_access().get().is_none());
    key.roles = vec!["viewer".parse().unwrap()];
    let granted = Granted::to(&key).unwrap();
    assert_eq!((granted.project.as_str(), &*granted.roles), ("acme", &key.roles[..]));
    key.permissions = vec!["a.read".parse().unwrap()];
    key.roles.clear();
    assert_eq!(*Granted::to(&key).unwrap().permissions, key.permissions[..]);
}

#[test]
fn the_size_counts_what_is_granted_and_what_that_comes_to() {
    let plain = key(None, false);
    let key = Key {
        roles: vec!["viewer".parse().unwrap()],
        permissions: vec!["a.read".parse().unwrap()],
        ..plain.clone()
    };
    let texts = "acme".len() + "viewer".len() + "a.read".len();
    let granted = texts + size_of::<RoleId>() + size_of::<Grant>();
    let profile = Profile::new(&key);
    assert_eq!(profile.size(), Profile::new(&plain).size() + granted);
    let access = access_of(&key);
    profile.access.replace(access.clone());
    assert_eq!(profile.size(), Profile::new(&plain).size() + granted + access.size());
    assert_eq!(access.size(), size_of::<KeyAccess>() + access.access.size() + 100);
}

/// The capacity of the cache is counted by this size.
#[test]
fn sizes_count_every_byte_of_text() {
    let mut key = key(None, false);
    key.token_prefix = "acme_live".into();
    key.environment = "production".parse().unwrap();
    let size = |key: &Key| Policy::new(key, false).profile().size();
    let texts = "acme_live".len() + "production".len();
    assert_eq!(size(&key), size_of::<Profile>() + texts + "acme".len());
    key.project = ProjectId::system();
    assert_eq!(size(&key), size_of::<Profile>() + texts + "system".len() + "ci".len());

    let heap_size = |key: &Key| Policy::new(key, false).heap_size();
    assert_eq!(heap_size(&key), 0, "a key without restrictions");
    key.allowed_cidrs = ["10.0.0.0/8", "192.0.2.0/24"].map(|it| it.parse().unwrap()).to_vec();
    key.customers = ["shop", "club"].map(|it| it.parse().unwrap()).to_vec();
    let customers = 2 * (size_of::<Customer>() + 4);
    assert_eq!(heap_size(&key), size_of::<Restrictions>() + 2 * size_of::<IpNet>() + customers);
}
