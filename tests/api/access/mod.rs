//! What a key may do.

mod verify_permission;
