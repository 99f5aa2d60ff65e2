//! The owners of keys.

mod create;
mod delete;
mod disable;
mod enable;
mod get;
mod list;
mod update;

pub use create::NewServiceAccount;
pub(super) use create::creation_of;
pub(super) use delete::deletion_of;
use domain::{key::Forbidden, name::ServiceAccountName};
pub use list::ListAccounts;
pub use update::AccountPatch;

use crate::verbs::Error;

fn forbidden(name: &ServiceAccountName) -> impl Fn(Forbidden) -> Error {
    move |why| Error::Forbidden { resource: name.to_string(), why }
}
