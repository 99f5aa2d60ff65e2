//! The life of a key.

mod count;
mod create;
mod delete;
mod disable;
mod enable;
mod explain;
mod get;
mod list;
mod lookup;
mod revoke;
mod rotate;
mod undelete;
mod update;

pub use count::CountKeys;
pub use create::NewKey;
pub(super) use delete::purge_of;
use domain::{key::Forbidden, name::KeyName};
pub use explain::{ExplainVerify, Explanation, Subject};
pub use list::ListKeys;
pub use lookup::{Found, Lookup, LookupKey};
pub use update::KeyPatch;

use crate::verbs::Error;

fn forbidden(name: &KeyName) -> impl Fn(Forbidden) -> Error {
    move |why| Error::Forbidden { resource: name.to_string(), why }
}
