//! The tenants.

mod create;
mod delete;
mod get;
mod list;
mod update;
mod view;

pub(super) use create::all_projects;
pub use create::{CreatedProject, NewProject};
pub use update::ProjectPatch;
