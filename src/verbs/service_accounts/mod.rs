//! The owners of keys.

mod create;
mod delete;
mod disable;
mod enable;
mod get;
mod list;
mod update;
mod view;

pub use create::NewServiceAccount;
pub(super) use create::creation;
pub(super) use delete::{deletion, unused};
pub use list::ListAccounts;
pub use update::AccountPatch;
pub use view::AccountView;
