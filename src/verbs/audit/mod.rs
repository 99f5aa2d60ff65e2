//! Reading the change log.

mod list_events;
mod verify_chain;
mod view;
mod watch;

pub use list_events::ListEvents;
pub use verify_chain::{ChainReport, ChainRequest};
pub use view::EventView;
pub use watch::EventBatch;
