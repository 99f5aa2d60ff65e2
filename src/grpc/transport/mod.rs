//! Connections and calls, whatever they request: who calls, how much at once, and for how long.

pub(super) mod activity;
pub(super) mod authenticate;
pub(super) mod authorize;
mod body;
pub(super) mod caller;
mod complete;
pub(super) mod connection;
pub(super) mod connections;
mod credential;
pub(super) mod current;
pub(super) mod health;
pub(super) mod incoming;
pub(super) mod limits;
pub(super) mod methods;
pub(super) mod observe;
pub(super) mod peer;
pub(super) mod permissions;
mod public;
mod single;
mod streamed;

pub use connections::Connections;
pub use health::{Health, Subject};
pub use incoming::Listener;
pub use observe::Observer;
