//! Why the store did not do what it was asked.

/// The store failed; what it was asked for did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It does not answer now; trying again may help.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// Too many wait for it already; nothing was done, and trying again later may help.
    #[error("too many calls wait for the database: {0}")]
    Overloaded(String),
    /// It broke the statement off, which took too long; nothing was done.
    #[error("the database broke off a statement: {0}")]
    TooSlow(String),
    /// It answered what it never should.
    #[error("the database failed: {0}")]
    Broken(String),
}
