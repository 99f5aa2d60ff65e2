//! The permission that each method needs, from its option in the contract. `build.rs` writes the table, and fails for a method
//! without the option.

use http::Extensions;
use tonic::Status;

use crate::{grpc::wire::status::permission_denied, verbs::Session};

use super::methods::VERIFY;

include!(concat!(env!("OUT_DIR"), "/required_permissions.rs"));

const TO_VERIFY: &str = "keys.verify";

/// The permission that the method at `path` needs; empty if every caller may call it. `None` if there is no such method.
pub(super) fn required(path: &str) -> Option<&'static str> {
    // Nearly all calls are verifications.
    if path == VERIFY {
        return Some(TO_VERIFY);
    }
    REQUIRED.binary_search_by_key(&path, |(path, _)| path).ok().map(|at| REQUIRED[at].1)
}

/// The permission that a method needs, for the checks that come later. A Verify does not carry it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Required(pub(super) &'static str);

/// The permission that the call with these `extensions` needs; empty if it needs none, or was checked already.
pub(in crate::grpc) fn needed(extensions: &Extensions) -> &'static str {
    extensions.get().map_or("", |Required(permission)| permission)
}

/// Whether the caller of `session` may call a method that needs `permission`.
pub(super) fn allows(session: &Session, permission: &str) -> bool {
    permission.is_empty() || session.access().allows(permission)
}

/// The permission that the caller does not have.
#[derive(Debug, Clone, Copy)]
pub(in crate::grpc) struct Denied(pub(in crate::grpc) &'static str);

impl From<Denied> for Status {
    fn from(Denied(permission): Denied) -> Self {
        permission_denied(permission)
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        access::{Access, Permission},
        id::ProjectId,
        role::built_in,
        time::Timestamp,
    };

    use super::*;
    use crate::grpc::transport::methods::{is_public, methods};

    #[test]
    fn every_method_of_the_contract_needs_what_the_contract_says() {
        // Of any package: what is in no package of ours is public.
        let paths = methods().map(|it| format!("/{}", it.name));
        let mut paths: Vec<_> = paths.filter(|path| !is_public(path)).collect();
        paths.sort();
        assert_eq!(paths, REQUIRED.map(|(path, _)| path));
        for (path, permission) in REQUIRED {
            assert!(
                permission.is_empty() || permission.parse::<Permission>().is_ok(),
                "{path}: {permission}"
            );
            assert_eq!(required(path), Some(permission), "{path}");
        }
        assert_eq!(required("/keystile.v1.CallerService/WhoAmI"), Some(""));
    }

    #[test]
    fn a_path_that_is_no_method_has_no_entry() {
        for path in
            ["", "/", "/keystile.v1.VerifyService/verify", "/keystile.v1.VerifyService/Verify/", "/x.Y/Z"]
        {
            assert_eq!(required(path), None, "{path}");
        }
    }

    /// A typing error in a role would be a permission that no method asks for.
    #[test]
    fn every_permission_of_a_built_in_role_is_one_that_a_method_needs() {
        let exempt = ["chat.run"];
        for role in built_in(&ProjectId::system(), Timestamp::from_micros(0)) {
            for grant in role.permissions.iter().filter(|it| !exempt.contains(&it.as_str())) {
                let access = Access::new([], std::slice::from_ref(grant));
                assert!(REQUIRED.iter().any(|(_, it)| access.allows(it)), "{}: {grant}", role.id);
            }
        }
    }
}
