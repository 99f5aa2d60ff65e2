//! The wire: proto to domain and back, who may call, and what errors look like.

mod activity;
mod audit_service;
mod authenticate;
mod backlog;
mod call;
mod closing;
mod codec;
mod connection;
mod connections;
mod convert;
mod entries;
mod faults;
mod front;
mod health;
mod incoming;
mod keys;
mod limits;
mod listing;
mod mask;
mod observe;
mod project_service;
pub mod proto;
mod server;
mod service_account_service;
mod status;
mod transport_status;
pub mod verify;
mod watch;

pub use connections::Connections;
pub use health::{Health, Subject};
pub use incoming::Listener;
pub use observe::Observer;
pub use server::{ServeError, serve_admin, serve_verify};
pub use verify::render;
