//! The wire: proto to domain and back, who may call, and what errors look like.

mod audit_service;
mod authenticate;
mod call;
mod connection;
mod convert;
mod faults;
mod health;
mod key_service;
mod key_update;
mod listing;
mod mask;
mod project_service;
pub mod proto;
mod server;
mod service_account_service;
mod status;
mod verify_service;

pub use health::Health;
pub use server::{ServeError, serve_admin, serve_verify};
