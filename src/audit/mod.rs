//! What verifications leave behind, written down in batches, off the hot path.

mod batch;
mod drops;
mod notes;
mod pace;
mod recorder;
mod writer;

pub use recorder::{Queue, recorder};
pub use writer::{Unsaved, Writer};
