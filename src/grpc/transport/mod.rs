//! Connections and calls, whatever they ask: who calls, how much at once, until when.

pub(super) mod activity;
pub(super) mod authenticate;
pub(super) mod backlog;
pub(super) mod closing;
pub(super) mod connection;
pub(super) mod connections;
pub(super) mod health;
pub(super) mod incoming;
pub(super) mod limits;
pub(super) mod observe;

pub use connections::Connections;
pub use health::{Health, Subject};
pub use incoming::Listener;
pub use observe::Observer;
