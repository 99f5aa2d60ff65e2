//! What a change writes.

use domain::{
    id::RoleId, key::Key, project::Project, removal::Removal, resource::Resource, role::Role,
    service_account::ServiceAccount,
};

/// Every update or deletion is of a resource as it was read: if it has another revision in the store, that is a conflict.
#[derive(Debug)]
pub enum Write {
    Insert(AnyResource),
    /// Writes all of it but what verifications record.
    Update(AnyResource),
    Delete(AnyResource),
    /// Writes the deletion that this key has from its owner, in whatever state it is, and nothing else of it.
    DeleteAfterOwner(Key),
    /// A conflict while the account owns a key, deleted or not.
    DeleteUnused(ServiceAccount),
    /// Removes a role from this key: writes its remaining roles, and nothing else of it.
    TakeRole(Key, RoleId),
    /// Records that what the deleted resource leaves behind must follow it. Nothing is recorded for a role that no key holds.
    BeginRemoval(Removal),
}

/// Declares the resources that there are: a new one is one more word.
macro_rules! resources {
    ($($resource:ident),+) => {
        /// A resource of any kind.
        #[expect(clippy::large_enum_variant, reason = "a commit has few of them, and for a short time")]
        #[derive(Debug, Clone)]
        pub enum AnyResource {
            $($resource($resource)),+
        }

        $(
            impl From<$resource> for AnyResource {
                fn from(resource: $resource) -> Self {
                    Self::$resource(resource)
                }
            }
        )+
    };
}

resources!(Project, ServiceAccount, Role, Key);

impl Write {
    pub fn insert<R: Resource + Into<AnyResource>>(resource: R) -> Self {
        Self::Insert(resource.into())
    }

    pub fn update<R: Resource + Into<AnyResource>>(resource: R) -> Self {
        Self::Update(resource.into())
    }

    pub fn delete<R: Resource + Into<AnyResource>>(resource: R) -> Self {
        Self::Delete(resource.into())
    }
}
