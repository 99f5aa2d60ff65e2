//! What the rules need from the world: one small trait for each need, in a file of its own.

pub mod changes;
pub mod cleanup;
pub mod clock;
pub mod commits;
pub mod credentials;
pub mod error;
pub mod feed;
pub mod keys;
pub mod load;
pub mod log;
pub mod peppers;
pub mod projects;
pub mod random;
pub mod readiness;
pub mod recorder;
pub mod recording;
pub mod roles;
pub mod service_accounts;
pub mod upgrades;
pub mod write;

pub use changes::Changes;
pub use cleanup::Cleanup;
pub use clock::{Clock, Moment};
pub use commits::Commits;
pub use credentials::Credentials;
pub use error::StoreError;
pub use feed::Feed;
pub use keys::ReadKeys;
pub use load::LoadKeys;
pub use log::ReadLog;
pub use peppers::PepperRecords;
pub use projects::ReadProjects;
pub use random::Random;
pub use readiness::Readiness;
pub use recorder::Recorder;
pub use recording::Recording;
pub use roles::{LoadRoles, ReadRoles};
pub use service_accounts::ReadServiceAccounts;
pub use upgrades::Upgrades;

/// What the cache reads: keys, roles, and what changed.
pub trait CacheStore: LoadKeys + LoadRoles + Feed {}

impl<T: LoadKeys + LoadRoles + Feed> CacheStore for T {}

/// What the verbs of the admin side read and write.
pub trait AdminStore:
    ReadKeys
    + ReadRoles
    + ReadServiceAccounts
    + ReadProjects
    + ReadLog
    + Commits
    + Cleanup
    + PepperRecords
    + Upgrades
{
}

impl<T> AdminStore for T where
    T: ReadKeys
        + ReadRoles
        + ReadServiceAccounts
        + ReadProjects
        + ReadLog
        + Commits
        + Cleanup
        + PepperRecords
        + Upgrades
{
}
