//! What a key may do.

mod key_filters;
mod key_policy;
mod refused;
mod verify_permission;
