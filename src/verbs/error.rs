//! Why a verb did not do what it was asked.

use std::fmt;

use domain::{Invalid, Revision, key::Forbidden, name::ProjectName, project::PolicyField};

use crate::ports::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the request has invalid fields")]
    Invalid(Vec<FieldFault>),
    #[error("page_token was issued for another request, or was changed")]
    InvalidPageToken,
    #[error("{field} is not available yet")]
    NotYetAvailable { field: String },
    #[error("{resource} does not exist")]
    NotFound { resource: String },
    #[error("{resource} already exists")]
    AlreadyExists { resource: String },
    #[error("request_id {request_id:?} was used for a request with other content")]
    RequestIdReused { request_id: String },
    #[error("{resource} has changed: its etag is now {etag}")]
    EtagMismatch { resource: String, etag: String },
    #[error("{resource} was changed at the same time; try again")]
    Conflict { resource: String },
    #[error("{resource}: {why}")]
    Forbidden { resource: String, why: Forbidden },
    #[error("the caller's API key is no longer valid")]
    Unauthenticated,
    #[error("the caller no longer has the permission {permission}")]
    PermissionDenied { permission: &'static str },
    #[error("the caller may not act on {project}")]
    ProjectDenied { project: String },
    #[error("{resource} would have {excess}, which the caller does not have")]
    GrantExceedsCaller { resource: String, excess: Lacking },
    #[error("{resource} is in use by {used_by}")]
    InUse { resource: String, used_by: &'static str },
    #[error("{resource} has {limit} {kind}, as many as it may have")]
    LimitReached { resource: String, kind: &'static str, limit: u32 },
    #[error("the key policy of {project} forbids it: {}", fields(violated))]
    KeyPolicy { project: ProjectName, violated: Vec<PolicyField> },
    #[error("the key's service account {resource} was deleted")]
    OwnerGone { resource: String },
    #[error("{resource} is still being deleted; its id is available when that is done")]
    DeletionUnderWay { resource: String },
    #[error(
        "the outcome of the change of {resource} is unknown: read it, or repeat the request with the same request_id"
    )]
    OutcomeUnknown {
        resource: String,
        /// The request has a request id, so that a repeat is safe.
        repeatable: bool,
        /// For the log.
        why: String,
    },
    #[error("this node is at revision {revision} and did not reach {min_revision} in time")]
    RevisionNotReached { min_revision: Revision, revision: Revision },
    #[error("revision {revision} is beyond the end of the change log ({head})")]
    RevisionAhead { revision: Revision, head: Revision },
    #[error(
        "the database lost changes: the change log, which now ends with {head}, is not the one that was followed to {revision}"
    )]
    LogReplaced { revision: Revision, head: Revision },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a caller would hand on without having it: a permission, a project (`projects/-` for all), or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    pub permission: Option<String>,
    pub project: Option<String>,
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.permission, &self.project) {
            (Some(permission), Some(project)) => {
                write!(f, "the permission {permission} and access to {project}")
            }
            (Some(permission), None) => write!(f, "the permission {permission}"),
            (None, project) => write!(f, "access to {}", project.as_deref().unwrap_or("nothing")),
        }
    }
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

/// The names of the violated parts of a key policy.
fn fields(violated: &[PolicyField]) -> String {
    violated.iter().map(|field| field.as_str()).collect::<Vec<_>>().join(", ")
}

impl Error {
    pub(super) fn not_found(resource: &impl ToString) -> Self {
        Self::NotFound { resource: resource.to_string() }
    }

    pub(super) fn invalid(field: &str, why: &Invalid) -> Self {
        Self::Invalid(vec![FieldFault::new(field, why)])
    }
}
