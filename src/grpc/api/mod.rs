//! The services: each RPC from its request to the verb that does it, and back.

pub(super) mod audit;
mod call;
pub(super) mod callers;
pub(super) mod keys;
pub(super) mod projects;
pub(super) mod roles;
pub(super) mod service_accounts;
pub(super) mod services;
pub(super) mod verify;
