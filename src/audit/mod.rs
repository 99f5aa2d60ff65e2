//! What verifications leave behind, written down in batches, off the hot path.

mod batch;
mod recorder;

pub use recorder::{Queue, Unsaved, Writer, recorder};
