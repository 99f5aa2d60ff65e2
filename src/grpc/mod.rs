//! The wire: proto to domain and back, who may call, and what errors look like.

mod audit_service;
mod authenticate;
mod call;
mod closing;
mod connection;
mod convert;
mod faults;
mod front;
mod health;
mod keys;
mod listing;
mod mask;
mod observe;
mod project_service;
pub mod proto;
mod server;
mod service_account_service;
mod status;
pub mod verify;
mod watch;

pub use health::{Health, Subject};
pub use observe::Observer;
pub use server::{ServeError, serve_admin, serve_verify};
pub use verify::render;
