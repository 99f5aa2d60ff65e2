//! What keys may do: put together from the roles that they hold and their own permissions, once for all keys that hold the
//! same.
//!
//! A key's entry does not depend on its roles. What they grant has a stamp of its own, so that a change of a role costs one
//! read of it, however many keys hold it.

use std::sync::Arc;

use domain::{
    access::Access,
    changed::Changed,
    freshness::{Point, Stamp},
    id::{KeyId, RoleId},
    name::RoleName,
    policy::{Granted, Profile},
    role::Role,
    shared_access::{CurrentAccess, KeyAccess},
};
use moka::sync::Cache as Moka;

use crate::ports::StoreError;

use super::{
    Cache, Limits,
    entry::{Entry, Hasher},
    reading::{LOADS, gone},
    together,
};

/// The roles that were read lately: keys with permissions of their own need them too.
pub(super) struct Roles(Moka<RoleName, RoleEntry, Hasher>);

/// What one read brought.
#[derive(Debug, Clone)]
pub(super) struct RoleEntry {
    /// `None` if there is no such role: it was deleted, and is still to be removed from keys.
    role: Option<Arc<Role>>,
    /// The uptime when the read began, in microseconds.
    loaded_at: u64,
    stamp: Stamp,
}

impl Roles {
    pub(super) fn new(limits: &Limits) -> Self {
        let roles = Moka::builder()
            .max_capacity(limits.capacity / 16)
            .weigher(weight)
            .build_with_hasher(Hasher::default());
        Self(roles)
    }

    pub(super) fn clear(&self) {
        self.0.invalidate_all();
    }
}

/// What counts against the capacity: the texts, and the bookkeeping of moka.
fn weight(name: &RoleName, entry: &RoleEntry) -> u32 {
    const BOOKKEEPING: usize = 300;
    let texts = entry.role.as_ref().map_or(0, |role| role.size());
    u32::try_from(BOOKKEEPING + 2 * name.role.as_str().len() + texts).unwrap_or(u32::MAX)
}

impl Cache {
    /// What the keys of `profile` may do now. While the database is gone, what they could do when it was last known, within
    /// the bound on staleness. `entry` is that of the key `id`, for which it is read.
    pub(super) async fn read_access(
        &self,
        id: KeyId,
        entry: &Entry,
        profile: &Profile,
    ) -> Result<CurrentAccess, StoreError> {
        let Some(granted) = &profile.granted else { return Ok(CurrentAccess::NONE) };
        match self.load_access(profile, granted).await {
            Ok((access, is_new)) => {
                if is_new {
                    // Again, because its weight now includes what it may do.
                    self.entries.put(id, entry.clone());
                }
                Ok(CurrentAccess::new(access))
            }
            Err(StoreError::Unavailable(why)) if self.may_answer() => {
                let known = profile.current_access();
                let is_current = known.get().is_some_and(|it| self.freshness.is_current(&it.stamp));
                if is_current { Ok(known) } else { Err(StoreError::Unavailable(why)) }
            }
            Err(error) => Err(error),
        }
    }

    /// As [`Cache::load`] reads a key; says also whether it had to be put together.
    async fn load_access(
        &self,
        profile: &Profile,
        granted: &Granted,
    ) -> Result<(Arc<KeyAccess>, bool), StoreError> {
        if let Some(access) = self.check(self.uptime()).usable_access(profile)
            && let Some(access) = access.get()
        {
            return Ok((access.clone(), false));
        }
        let floor = self.freshness.newest();
        for _ in 0..LOADS {
            let load = || self.load_access_once(granted);
            let access = self.accesses_in_flight.join(granted.clone(), load).await?;
            if access.stamp.point() >= floor || self.freshness.is_current(&access.stamp) {
                profile.access.replace(access.clone());
                return Ok((access, true));
            }
        }
        Err(self.behind())
    }

    async fn load_access_once(&self, granted: &Granted) -> Result<Arc<KeyAccess>, StoreError> {
        let asked = self.asked();
        // Without roles it depends on nothing, and is as new as this.
        let position = Point::new(asked.era, self.position.point().revision());
        let depends_on: Vec<_> = granted.roles.iter().map(|role| changed(granted, role)).collect();
        let entries = match self.cached_roles(granted) {
            Some(cached) => cached,
            None => self.load_roles(granted).await?,
        };
        // The roles were all so at the newest of their points.
        let point = entries.iter().map(|entry| entry.stamp.point()).max().unwrap_or(position);
        let loaded_at = entries.iter().map(|entry| entry.loaded_at).min().unwrap_or(asked.uptime);
        let roles = entries.iter().filter_map(|entry| entry.role.as_deref());
        let access = Access::of(roles, &granted.permissions);
        let encoded = self.encoder.encode_access(&access);
        let stamp = self.freshness.stamp(point, &depends_on);
        Ok(Arc::new(KeyAccess::new(access, encoded, stamp, loaded_at)))
    }

    /// The roles of `granted`, if all of them are cached and current, and were so at one point.
    fn cached_roles(&self, granted: &Granted) -> Option<Vec<RoleEntry>> {
        // Before the roles are checked, so that none of them changed up to it.
        let position = self.position.point();
        let check = self.check(self.uptime());
        let cached = |id: &RoleId| {
            let entry = self.roles.0.get(&name(granted, id));
            entry.filter(|entry| check.passes(entry.loaded_at, &entry.stamp))
        };
        let cached: Vec<_> = granted.roles.iter().map(cached).collect::<Option<_>>()?;
        let points = || cached.iter().map(|entry| entry.stamp.point());
        let were_true = match (points().min(), points().max()) {
            (Some(oldest), Some(newest)) => together::all_true(oldest, newest, position),
            _ => true,
        };
        were_true.then_some(cached)
    }

    /// Reads the roles of `granted`; all that hold the same roles share the read.
    async fn load_roles(&self, granted: &Granted) -> Result<Vec<RoleEntry>, StoreError> {
        let floor = self.freshness.newest();
        let id = (granted.project.clone(), granted.roles.clone());
        for _ in 0..LOADS {
            let entries = self.roles_in_flight.join(id.clone(), || self.load_roles_once(granted)).await?;
            let is_new_enough =
                |entry: &RoleEntry| entry.stamp.point() >= floor || self.freshness.is_current(&entry.stamp);
            if entries.iter().all(is_new_enough) {
                return Ok(entries);
            }
        }
        Err(self.behind())
    }

    /// Reads them in one query, so that all are from one point.
    async fn load_roles_once(&self, granted: &Granted) -> Result<Vec<RoleEntry>, StoreError> {
        let turn = tokio::select! {
            biased;
            () = self.goes_down() => return Err(gone()),
            turn = self.role_reads.turn() => turn,
        };
        // Reads of other sets of roles may have brought them meanwhile.
        if let Some(cached) = self.cached_roles(granted) {
            return Ok(cached);
        }
        let asked = self.asked();
        let mut loaded = turn.load(granted.project.clone(), granted.roles.clone()).await?;
        self.note(loaded.head, asked.era);
        let point = Point::new(asked.era, loaded.head.revision);
        let mut entries = Vec::with_capacity(granted.roles.len());
        for id in &granted.roles {
            let found = loaded.roles.iter().position(|role| role.id == *id);
            let entry = RoleEntry {
                role: found.map(|at| Arc::new(loaded.roles.swap_remove(at))),
                loaded_at: asked.uptime,
                stamp: self.freshness.stamp(point, &[changed(granted, id)]),
            };
            self.roles.0.insert(name(granted, id), entry.clone());
            entries.push(entry);
        }
        Ok(entries)
    }
}

fn name(granted: &Granted, role: &RoleId) -> RoleName {
    RoleName { project: granted.project.clone(), role: role.clone() }
}

fn changed(granted: &Granted, role: &RoleId) -> Changed {
    Changed::Role(name(granted, role))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::{freshness::Freshness, role::built_in, time::Timestamp};

    use super::*;

    #[test]
    fn few_bytes_of_roles_are_kept() {
        const CAPACITY: usize = 1 << 20;
        let limits = Limits {
            capacity: CAPACITY as u64,
            time_to_live: Duration::MAX,
            unknown: 0,
            reads: 1,
            max_staleness: Duration::MAX,
            fail_open: false,
        };
        let roles = Roles::new(&limits);
        let stamp = Freshness::new(1, 0).stamp(Point::from_bits(1), &[]);
        let mut role = built_in(&"acme".parse().unwrap(), Timestamp::from_micros(0)).remove(0);
        role.permissions =
            (0..100).map(|number| format!("documents.p{number}.read").parse().unwrap()).collect();
        let size = role.size();
        let entry = RoleEntry { role: Some(Arc::new(role)), loaded_at: 0, stamp: stamp.clone() };
        for number in 0..200 {
            let name: RoleName = format!("projects/acme/roles/r{number}").parse().unwrap();
            roles.0.insert(name, entry.clone());
            roles.0.run_pending_tasks();
        }
        let kept = roles.0.iter().count() * size;
        assert!((CAPACITY / 32..=CAPACITY / 16).contains(&kept), "{kept} bytes");
        roles.clear();
        assert_eq!(roles.0.iter().count(), 0);
        // An id of no role takes room too.
        for number in 0..2000 {
            let name: RoleName = format!("projects/acme/roles/n{number}").parse().unwrap();
            roles.0.insert(name, RoleEntry { role: None, loaded_at: 0, stamp: stamp.clone() });
            roles.0.run_pending_tasks();
        }
        let kept = roles.0.iter().count();
        assert!((150..=250).contains(&kept), "{kept} roles");
    }
}
