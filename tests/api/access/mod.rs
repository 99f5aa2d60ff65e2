//! What a key may do.

mod role_changes;
mod verify_permission;
