//! The one table from errors to gRPC statuses.

use domain::{key::Forbidden, token::conceal};
use proto::{ErrorReason, VerifyError};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    ports::StoreError,
    telemetry::Series,
    verbs::{Error, FieldFault},
};

use super::{
    error_info::{cut, info, retryable},
    transport_status::{LARGEST_MESSAGE, overloaded, too_large},
};

/// How many faults of a request are reported; the others are only counted.
pub(in crate::grpc) const REPORTED: usize = 10;

/// Most bytes of each text in an error. With ten faults, everything together stays below the 8 KiB of headers that clients accept:
/// the details are sent in base64, and the message once more percent-encoded, with three bytes for each.
const LONGEST_MESSAGE: usize = 500;
const LONGEST_FIELD: usize = 80;
const LONGEST_DESCRIPTION: usize = 280;

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = cut(&conceal(&error.to_string()), LONGEST_MESSAGE);
        match error {
            Error::Invalid(faults) => invalid(&faults),
            Error::InvalidPageToken => {
                let mut details = info(ErrorReason::InvalidPageToken, [("field", "page_token".to_owned())]);
                details.add_bad_request_violation("page_token", message.as_str());
                Self::with_error_details(Code::InvalidArgument, message, details)
            }
            Error::NotYetAvailable { field } => {
                let details = info(ErrorReason::NotYetAvailable, [("field", field)]);
                Self::with_error_details(Code::Unimplemented, message, details)
            }
            Error::NotFound { resource } => about(Code::NotFound, message, ErrorReason::NotFound, resource),
            Error::AlreadyExists { resource } => {
                about(Code::AlreadyExists, message, ErrorReason::AlreadyExists, resource)
            }
            Error::RequestIdReused { request_id } => {
                let details = info(ErrorReason::RequestIdReused, [("request_id", request_id)]);
                Self::with_error_details(Code::FailedPrecondition, message, details)
            }
            Error::EtagMismatch { resource, etag } => {
                let details = info(ErrorReason::EtagMismatch, [("resource", resource), ("etag", etag)]);
                Self::with_error_details(Code::Aborted, message, details)
            }
            Error::Conflict { resource } => {
                let details = retryable(ErrorReason::Conflict, [("resource", resource)]);
                Self::with_error_details(Code::Aborted, message, details)
            }
            Error::Forbidden { resource, why: Forbidden::State { state, .. } } => {
                let details =
                    info(ErrorReason::StateForbids, [("resource", resource), ("state", state.to_owned())]);
                Self::with_error_details(Code::FailedPrecondition, message, details)
            }
            Error::Forbidden { resource, why: Forbidden::Protected { .. } } => {
                about(Code::FailedPrecondition, message, ErrorReason::Protected, resource)
            }
            Error::LimitReached { resource, kind, limit } => {
                let metadata =
                    [("resource", resource), ("kind", kind.to_owned()), ("limit", limit.to_string())];
                let details = info(ErrorReason::LimitReached, metadata);
                Self::with_error_details(Code::FailedPrecondition, message, details)
            }
            Error::KeyPolicy { project, violated } => {
                let fields: Vec<_> = violated.iter().map(|field| field.as_str()).collect();
                let resource = project.to_string();
                let mut details = info(
                    ErrorReason::KeyPolicy,
                    [("resource", resource.clone()), ("fields", fields.join(","))],
                );
                for field in fields {
                    let subject = format!("{resource}/keyPolicy/{field}");
                    details.add_precondition_failure_violation("KEY_POLICY", subject, field);
                }
                Self::with_error_details(Code::FailedPrecondition, message, details)
            }
            Error::ProjectDenied { project } => {
                let details = info(ErrorReason::PermissionDenied, [("project", project)]);
                Self::with_error_details(Code::PermissionDenied, message, details)
            }
            Error::Unauthenticated => unauthenticated(),
            Error::PermissionDenied { permission } => permission_denied(permission),
            Error::GrantExceedsCaller { resource, excess } => {
                let permission = excess.permission.map(|it| ("permission", it));
                let project = excess.project.map(|it| ("project", it));
                let metadata = [("resource", resource)].into_iter().chain(permission).chain(project);
                let details = info(ErrorReason::GrantExceedsCaller, metadata);
                Self::with_error_details(Code::PermissionDenied, message, details)
            }
            Error::InUse { resource, used_by } => {
                let details =
                    info(ErrorReason::InUse, [("resource", resource), ("used_by", used_by.to_owned())]);
                Self::with_error_details(Code::FailedPrecondition, message, details)
            }
            Error::OwnerGone { resource } => {
                about(Code::FailedPrecondition, message, ErrorReason::OwnerGone, resource)
            }
            Error::OutcomeUnknown { resource, repeatable, why } => {
                tracing::warn!(error = %why, "the outcome of a COMMIT is not known: the change may have been made");
                let details = if repeatable { retryable } else { info };
                let details = details(ErrorReason::OutcomeUnknown, [("resource", resource)]);
                // Not UNAVAILABLE, which clients retry on their own: a second rotation would end the secret in use.
                Self::with_error_details(Code::Unknown, message, details)
            }
            Error::DeletionUnderWay { resource } => {
                let details = retryable(ErrorReason::DeletionUnderWay, [("resource", resource)]);
                Self::with_error_details(Code::FailedPrecondition, message, details)
            }
            Error::RevisionNotReached { min_revision, revision } => {
                let details = retryable(
                    ErrorReason::RevisionNotReached,
                    [("min_revision", min_revision.to_string()), ("revision", revision.to_string())],
                );
                Self::with_error_details(Code::Unavailable, message, details)
            }
            Error::RevisionAhead { revision, head } | Error::LogReplaced { revision, head } => {
                let details = info(
                    ErrorReason::RevisionAhead,
                    [("revision", revision.to_string()), ("head_revision", head.to_string())],
                );
                Self::with_error_details(Code::OutOfRange, message, details)
            }
            Error::Store(error) => store(&error),
        }
    }
}

/// The answer to every caller without a valid credential, whatever is wrong with it.
pub(in crate::grpc) fn unauthenticated() -> Status {
    Status::with_error_details(
        Code::Unauthenticated,
        "a valid API key of projects/system is required: `authorization: Bearer <API key>`",
        info(ErrorReason::Unauthenticated, []),
    )
}

/// The answer to a caller whose key does not have the `permission` that the method needs.
pub(in crate::grpc) fn permission_denied(permission: &str) -> Status {
    Status::with_error_details(
        Code::PermissionDenied,
        format!("the caller's key does not have the permission {permission}, which this method needs"),
        info(ErrorReason::PermissionDenied, [("permission", permission.to_owned())]),
    )
}

/// Ends a stream when this node stops.
pub(in crate::grpc) fn closing() -> Status {
    let details = info(ErrorReason::Stopping, []);
    Status::with_error_details(Code::Unavailable, "this node is stopping; reconnect", details)
}

/// The error of one verification of several.
pub(in crate::grpc) fn item(error: Error) -> VerifyError {
    item_of(&Status::from(error))
}

/// A decision that does not fit into the answer.
pub(in crate::grpc) fn too_many_bytes() -> VerifyError {
    let message = "the decisions before this one fill the answer; send this one again in a smaller batch";
    item_of(&too_large(message, LARGEST_MESSAGE))
}

fn item_of(status: &Status) -> VerifyError {
    VerifyError {
        status_code: status.code().into(),
        reason: status.get_details_error_info().map(|info| info.reason).unwrap_or_default(),
        message: status.message().to_owned(),
    }
}

fn invalid(faults: &[FieldFault]) -> Status {
    let mut metadata = Vec::new();
    if let [fault, ..] = faults {
        metadata.push(("field", conceal(&fault.field)));
        metadata.extend(fault.position.map(|position| ("position", position.to_string())));
    }
    let mut details = info(ErrorReason::InvalidArgument, metadata);
    let mut list = Vec::new();
    for fault in faults.iter().take(REPORTED) {
        // Both may quote the request.
        let field = cut(&conceal(&fault.field), LONGEST_FIELD);
        let description = cut(&conceal(&fault.description), LONGEST_DESCRIPTION);
        list.push(format!("{field} {description}"));
        details.add_bad_request_violation(field, description);
    }
    let more = match faults.len().saturating_sub(REPORTED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let message = cut(&list.join("; "), LONGEST_MESSAGE - more.len()) + &more;
    Status::with_error_details(Code::InvalidArgument, message, details)
}

// Thousands of calls may fail at once.
static UNAVAILABLE: Series = Series::new("calls failed because the database does not answer");
static BROKEN: Series = Series::new("calls failed with an internal error");
static TOO_SLOW: Series = Series::new("calls failed because a query took too long");

/// The cause goes to the log; the caller learns only whether to retry.
fn store(error: &StoreError) -> Status {
    match error {
        StoreError::Unavailable(_) => {
            if UNAVAILABLE.note() {
                tracing::warn!(error = %error, "a call failed because the database does not answer");
            }
            let details = retryable(ErrorReason::StoreUnavailable, []);
            Status::with_error_details(Code::Unavailable, "the database does not answer; try again", details)
        }
        // The store logs when the overload begins.
        StoreError::Overloaded(_) => overloaded("too many calls wait for the database; try again"),
        StoreError::TooSlow(_) => {
            if TOO_SLOW.note() {
                tracing::warn!(error = %error, "a call failed because a query took too long");
            }
            Status::with_error_details(
                Code::DeadlineExceeded,
                "the query took too long; request less, for example with a narrower filter",
                info(ErrorReason::QueryTooSlow, []),
            )
        }
        StoreError::Broken(_) => {
            if BROKEN.note() {
                tracing::error!(error = %error, "a call failed with an internal error");
            }
            Status::with_error_details(
                Code::Internal,
                "internal error; the cause is in the server's log",
                info(ErrorReason::Internal, []),
            )
        }
    }
}

fn about(code: Code, message: String, reason: ErrorReason, resource: String) -> Status {
    Status::with_error_details(code, message, info(reason, [("resource", resource)]))
}
