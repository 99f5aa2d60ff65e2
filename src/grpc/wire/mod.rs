//! Messages: bytes to domain values and back, and errors as statuses.

pub(super) mod codec;
pub(super) mod convert;
pub(super) mod entries;
pub(super) mod error_info;
pub(super) mod faults;
pub(super) mod mask;
mod network;
pub(super) mod paging;
pub(super) mod role_refs;
pub(super) mod status;
pub(super) mod transport_status;

pub use convert::code_name;
