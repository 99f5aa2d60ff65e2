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
pub use list::ListAccounts;
pub use update::AccountPatch;

use crate::{
    domain::{key::Forbidden, name::ServiceAccountName},
    service::Error,
};

fn forbidden(name: &ServiceAccountName) -> impl Fn(Forbidden) -> Error {
    move |why| Error::Forbidden { resource: name.to_string(), why }
}
