//! What the rules need from the world.

pub mod clock;
pub mod random;
pub mod recorder;
pub mod store;

pub use clock::Clock;
pub use random::Random;
pub use recorder::Recorder;
pub use store::{Credentials, Store, StoreError};
