//! Named sets of permissions and endpoints, which keys hold.

mod create;
mod delete;
mod get;
mod list;
mod update;
mod view;

pub use create::NewRole;
pub(super) use delete::deletion;
pub use list::ListRoles;
pub(super) use list::cursor;
pub use update::RolePatch;
pub use view::RoleView;
