//! What verifications leave behind, written down in batches, off the hot path.

mod batch;
mod decisions;
mod drops;
mod notes;
mod pace;
mod recorder;
mod writer;

pub use decisions::Decisions;
pub use recorder::{Queue, recorder};
pub use writer::{Unsaved, Writer};
