//! What verifications leave behind, written down in batches, off the hot path.

mod batch;
mod decisions;
mod drops;
mod notes;
mod pace;
mod sender;
mod writer;

pub use decisions::Decisions;
pub use sender::{Queue, recorder};
pub use writer::{Unsaved, Writer};
