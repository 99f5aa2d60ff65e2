//! The access of a key: all that its roles and its own permissions grant, prepared for questions.

use std::{
    hash::{Hash, Hasher},
    sync::LazyLock,
};

use super::{
    endpoint::{Endpoint, EndpointPattern, Segments, Wild},
    index::Index,
    permission::{Grant, Shape, Wildcards},
};
use crate::{id::RoleId, role::Role};

/// What a key may do. Questions allocate nothing.
#[derive(Debug, Clone, Default)]
pub struct Access {
    roles: Box<[RoleId]>,
    permissions: Box<[Grant]>,
    endpoints: Box<[EndpointPattern]>,
    /// One of the permissions is `*`.
    everything: bool,
    /// By name.
    exact: Index<1>,
    /// By the text before `.*`.
    below: Index<1>,
    /// By the text after `*.`.
    ending: Index<1>,
    /// The places of all other permissions.
    mixed: Box<[(u32, Wildcards)]>,
    /// Patterns without wildcards in the path, by method and path.
    literal: Index<2>,
    /// All other patterns, with their places.
    wild: Box<[(u32, Wild)]>,
}

impl Access {
    /// Of `roles` with their permissions and endpoints, and of permissions that are granted to the key directly.
    pub fn new<'a>(
        roles: impl IntoIterator<Item = (&'a RoleId, &'a [Grant], &'a [EndpointPattern])>,
        direct: &'a [Grant],
    ) -> Self {
        let (mut ids, mut permissions, mut endpoints) = (Vec::new(), Vec::from_iter(direct), Vec::new());
        for (id, grants, patterns) in roles {
            ids.push(id);
            permissions.extend(grants);
            endpoints.extend(patterns);
        }
        let access = Self {
            roles: sorted(ids),
            permissions: sorted(permissions),
            endpoints: sorted(endpoints),
            ..Self::default()
        };
        access.indexed()
    }

    /// The access of a key that holds `roles`, and has permissions of its own.
    pub fn of<'a>(roles: impl IntoIterator<Item = &'a Role>, direct: &'a [Grant]) -> Self {
        let parts = |role: &'a Role| (&role.id, &role.permissions[..], &role.endpoints[..]);
        Self::new(roles.into_iter().map(parts), direct)
    }

    /// The access of a key without roles and permissions.
    pub fn none() -> &'static Self {
        static NONE: LazyLock<Access> = LazyLock::new(Access::default);
        &NONE
    }

    fn indexed(mut self) -> Self {
        let (mut exact, mut below, mut ending, mut mixed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (item, grant) in (0..).zip(&self.permissions) {
            match grant.shape() {
                Shape::Everything => self.everything = true,
                Shape::Exact => exact.push((item, [grant.as_str()])),
                Shape::Below(above) => below.push((item, [above])),
                Shape::Ending(end) => ending.push((item, [end])),
                Shape::Mixed(wildcards) => mixed.push((item, wildcards)),
            }
        }
        let (mut literal, mut wild) = (Vec::new(), Vec::new());
        for (item, pattern) in (0..).zip(&self.endpoints) {
            match pattern.literal() {
                Some(method_and_path) => literal.push((item, method_and_path)),
                None => wild.push((item, Wild::new(pattern.path()))),
            }
        }
        self.exact = Index::new(&exact);
        self.below = Index::new(&below);
        self.ending = Index::new(&ending);
        self.mixed = mixed.into();
        self.literal = Index::new(&literal);
        self.wild = wild.into();
        self
    }

    /// Whether a grant allows `permission`, which is the text of a [`Permission`](super::Permission).
    #[inline]
    pub fn allows(&self, permission: &str) -> bool {
        self.everything
            || self.exact.has([permission], |item| self.permissions[item].as_str() == permission)
            || self.allows_by_wildcard(permission)
    }

    fn allows_by_wildcard(&self, permission: &str) -> bool {
        let text = |item: usize| self.permissions[item].as_str();
        let has_ends = !self.below.is_empty() || !self.ending.is_empty();
        let mut dots = permission.bytes().enumerate().filter(|(_, byte)| *byte == b'.').map(|(dot, _)| dot);
        let by_an_end = |dot| {
            let (above, end) = (&permission[..dot], &permission[dot + 1..]);
            self.below.has([above], |item| text(item).strip_suffix(".*") == Some(above))
                || self.ending.has([end], |item| text(item).strip_prefix("*.") == Some(end))
        };
        has_ends && dots.any(by_an_end)
            || self
                .mixed
                .iter()
                .any(|(item, wildcards)| self.permissions[*item as usize].allows_with(*wildcards, permission))
    }

    /// Whether a role allows `endpoint`. Nobody may use one whose path is ambiguous.
    #[inline]
    pub fn allows_endpoint(&self, endpoint: &Endpoint) -> bool {
        let Ok(path) = endpoint.path() else { return false };
        let matches = |item: usize| self.endpoints[item].is_literally(endpoint.method(), path);
        let is_literal = |method| self.literal.has([method, path], matches);
        is_literal(endpoint.method())
            || is_literal("*")
            || self.allows_by_wild_pattern(endpoint.method(), path)
    }

    fn allows_by_wild_pattern(&self, method: &str, path: &str) -> bool {
        if self.wild.is_empty() {
            return false;
        }
        let segments = Segments::of(path);
        self.wild
            .iter()
            .any(|(item, wild)| self.endpoints[*item as usize].matches_with(wild, method, &segments))
    }

    /// The ids of the roles, sorted.
    pub fn roles(&self) -> &[RoleId] {
        &self.roles
    }

    /// All that is granted, sorted, each once, even if another grant covers it.
    pub fn permissions(&self) -> &[Grant] {
        &self.permissions
    }

    /// All that the roles allow, sorted, each once.
    pub fn endpoints(&self) -> &[EndpointPattern] {
        &self.endpoints
    }

    /// Whether one grant covers `grant`.
    pub fn covers_grant(&self, grant: &Grant) -> bool {
        self.permissions.iter().any(|own| own.covers(grant))
    }

    /// The bytes that it takes in memory.
    pub fn size(&self) -> usize {
        let texts = self.roles.iter().map(RoleId::as_str);
        let texts = texts.chain(self.permissions.iter().map(Grant::as_str));
        let texts = texts.chain(self.endpoints.iter().map(EndpointPattern::as_str));
        let indexes = [&self.exact, &self.below, &self.ending].map(Index::heap_size);
        size_of::<Self>()
            + texts.map(str::len).sum::<usize>()
            + size_of_val(&*self.roles)
            + size_of_val(&*self.permissions)
            + size_of_val(&*self.endpoints)
            + indexes.iter().sum::<usize>()
            + self.literal.heap_size()
            + size_of_val(&*self.mixed)
            + size_of_val(&*self.wild)
            + self.wild.iter().map(|(_, wild)| wild.heap_size()).sum::<usize>()
    }

    /// What makes it; everything else follows.
    fn parts(&self) -> (&[RoleId], &[Grant], &[EndpointPattern]) {
        (&self.roles, &self.permissions, &self.endpoints)
    }
}

impl PartialEq for Access {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Access {}

impl Hash for Access {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

fn sorted<T: Ord + Clone>(mut items: Vec<&T>) -> Box<[T]> {
    items.sort_unstable();
    items.dedup();
    items.into_iter().cloned().collect()
}
