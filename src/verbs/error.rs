//! Why a verb did not do what it was asked.

use domain::{Invalid, Revision, key::Forbidden};

use crate::ports::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the request has invalid fields")]
    Invalid(Vec<FieldFault>),
    #[error("the page token belongs to another listing, or was changed")]
    InvalidPageToken,
    #[error("{field} is not available yet")]
    NotYetAvailable { field: String },
    #[error("{resource} does not exist")]
    NotFound { resource: String },
    #[error("{resource} exists already")]
    AlreadyExists { resource: String },
    #[error("the request id {request_id:?} was used for another request")]
    RequestIdReused { request_id: String },
    #[error("{resource} has changed: its etag is now {etag}")]
    EtagMismatch { resource: String, etag: String },
    #[error("{resource} keeps changing; try again")]
    Conflict { resource: String },
    #[error("{resource}: {why}")]
    Forbidden { resource: String, why: Forbidden },
    #[error("{resource} is in use by {used_by}")]
    InUse { resource: String, used_by: &'static str },
    #[error("{resource}, which owns the key, is gone")]
    OwnerGone { resource: String },
    #[error("{resource} is being deleted with all that it owned; its id is free when that is done")]
    DeletionUnderWay { resource: String },
    #[error(
        "whether {resource} was changed is not known: read it, or send the request again with the request_id that it had"
    )]
    OutcomeUnknown {
        resource: String,
        /// The request has a request id, so that a repeat is safe.
        repeatable: bool,
        /// For the log.
        why: String,
    },
    #[error("this node is at revision {revision}, before {min_revision}")]
    RevisionNotReached { min_revision: Revision, revision: Revision },
    #[error("revision {revision} is ahead of the change log, which ends with {head}")]
    RevisionAhead { revision: Revision, head: Revision },
    #[error(
        "the database lost changes: the change log, which ends with {head}, is not the one that was followed to {revision}"
    )]
    LogReplaced { revision: Revision, head: Revision },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldFault {
    /// Its path in the request, as in `key.display_name`.
    pub field: String,
    pub description: String,
    /// Where in its text, counted in characters from 1.
    pub position: Option<usize>,
}

impl FieldFault {
    pub fn new(field: impl Into<String>, why: &Invalid) -> Self {
        Self { field: field.into(), description: why.to_string(), position: None }
    }
}

impl Error {
    pub(super) fn not_found(resource: &impl ToString) -> Self {
        Self::NotFound { resource: resource.to_string() }
    }

    pub(super) fn invalid(field: &str, why: &Invalid) -> Self {
        Self::Invalid(vec![FieldFault::new(field, why)])
    }
}
