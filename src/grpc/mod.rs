//! The wire: proto to domain and back, authentication of callers, and errors as statuses.

mod api;
mod server;
mod transport;
mod wire;

pub use api::verify::KeyPartEncoder;
pub use server::{ServeError, serve_admin, serve_verify};
pub use transport::{Connections, Health, Listener, Observer, Subject};
pub use wire::code_name;
