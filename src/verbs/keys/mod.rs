//! The life of a key.

mod count;
mod create;
mod delete;
mod disable;
mod enable;
mod explain;
mod get;
mod grants;
mod list;
mod lookup;
mod policy;
mod revoke;
mod rotate;
mod undelete;
mod update;
mod view;

pub use count::CountKeys;
pub use create::NewKey;
pub(super) use delete::{deletion_after_owner, purge};
pub use explain::{ExplainVerify, Explanation, Subject};
pub(super) use grants::{expect_roles, removal_of_role};
pub use list::ListKeys;
pub use lookup::{Found, Lookup, LookupKey};
pub use update::KeyPatch;
pub use view::{Issued, KeyView};
