//! What the rules need from the world.

pub mod changes;
pub mod clock;
pub mod credentials;
pub mod random;
pub mod recorder;
pub mod store;

pub use changes::Changes;
pub use clock::{Clock, Moment};
pub use credentials::Credentials;
pub use random::Random;
pub use recorder::Recorder;
pub use store::{Store, StoreError};
