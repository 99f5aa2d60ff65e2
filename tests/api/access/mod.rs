//! What a key may do.

mod key_filters;
mod key_policy;
mod refused;
mod role_changes;
mod verify_permission;
