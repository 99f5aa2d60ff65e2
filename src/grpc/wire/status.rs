//! The one table from errors to gRPC statuses.

use std::{collections::HashMap, time::Duration};

use domain::{key::Forbidden, token::conceal};
use proto::{ErrorReason, VerifyError};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{
    ports::StoreError,
    telemetry::Series,
    verbs::{Error, FieldFault},
};

use super::transport_status::{LARGEST_MESSAGE, overloaded, too_large};

const DOMAIN: &str = "keystile.dev";

/// When a caller may try again what failed for a passing reason.
pub(in crate::grpc) const RETRY_AFTER: Duration = Duration::from_millis(500);

/// How many faults of a request are reported; the others are only counted.
pub(in crate::grpc) const REPORTED: usize = 10;

/// The most bytes of each text that an error carries. With ten faults, all of it together stays under the 8 KiB of
/// headers that clients take: texts are sent in base64, and the message once more with three bytes for each.
const LONGEST_MESSAGE: usize = 500;
const LONGEST_FIELD: usize = 80;
const LONGEST_DESCRIPTION: usize = 280;
const LONGEST_METADATA: usize = 180;

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
                let mut details = info(ErrorReason::Conflict, [("resource", resource)]);
                details.set_retry_info(Some(RETRY_AFTER));
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
            Error::InUse { resource, used_by } => {
                let details =
                    info(ErrorReason::InUse, [("resource", resource), ("used_by", used_by.to_owned())]);
                Self::with_error_details(Code::FailedPrecondition, message, details)
            }
            Error::OwnerGone { resource } => {
                about(Code::FailedPrecondition, message, ErrorReason::OwnerGone, resource)
            }
            Error::OutcomeUnknown { resource, repeatable, why } => {
                tracing::warn!(error = %why, "whether a change was made is not known");
                let mut details = info(ErrorReason::OutcomeUnknown, [("resource", resource)]);
                if repeatable {
                    details.set_retry_info(Some(RETRY_AFTER));
                }
                // Not UNAVAILABLE, which clients retry by themselves: a second rotation ends the secret in use.
                Self::with_error_details(Code::Unknown, message, details)
            }
            Error::DeletionUnderWay { resource } => {
                let mut details = info(ErrorReason::DeletionUnderWay, [("resource", resource)]);
                details.set_retry_info(Some(RETRY_AFTER));
                Self::with_error_details(Code::FailedPrecondition, message, details)
            }
            Error::RevisionNotReached { min_revision, revision } => {
                let mut details = info(
                    ErrorReason::RevisionNotReached,
                    [("min_revision", min_revision.to_string()), ("revision", revision.to_string())],
                );
                details.set_retry_info(Some(RETRY_AFTER));
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

/// The one answer to a caller without a valid credential, whatever is wrong with it.
pub(in crate::grpc) fn unauthenticated() -> Status {
    Status::with_error_details(
        Code::Unauthenticated,
        "an API key of projects/system is needed, as in `authorization: Bearer <API key>`",
        info(ErrorReason::Unauthenticated, []),
    )
}

/// Why a stream ends when this node stops.
pub(in crate::grpc) fn closing() -> Status {
    let details = info(ErrorReason::Stopping, []);
    Status::with_error_details(Code::Unavailable, "this node is stopping; connect again", details)
}

/// Why one of several verifications has no decision.
pub(in crate::grpc) fn item(error: Error) -> VerifyError {
    item_of(&Status::from(error))
}

/// Why it has none although it was made: the answer has no room for it.
pub(in crate::grpc) fn too_many_bytes() -> VerifyError {
    let message = "the decisions before this one fill the answer: ask again, in a smaller batch";
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
        // It may quote what was sent.
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

/// At most so many bytes of `text`.
fn cut(text: &str, most: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most - MARK.len());
    format!("{}{MARK}", &text[..end])
}

/// Callers may fail by the thousand.
static OUTAGE: Series = Series::new("calls failed for want of the database");
static FAULTS: Series = Series::new("calls failed inside");
static SLOW: Series = Series::new("calls took the database too long");

/// What went wrong inside goes to the log; the caller learns only whether to try again.
fn store(error: &StoreError) -> Status {
    match error {
        StoreError::Unavailable(_) => {
            if OUTAGE.note() {
                tracing::warn!(error = %error, "a call failed for want of the database");
            }
            let mut details = info(ErrorReason::StoreUnavailable, []);
            details.set_retry_info(Some(RETRY_AFTER));
            Status::with_error_details(Code::Unavailable, "the database does not answer; try again", details)
        }
        // The store logs when it begins.
        StoreError::Overloaded(_) => overloaded("too many calls at once; try again"),
        StoreError::TooSlow(_) => {
            if SLOW.note() {
                tracing::warn!(error = %error, "a call took the database too long");
            }
            Status::with_error_details(
                Code::DeadlineExceeded,
                "it took the database too long; ask for less, as by a narrower filter",
                info(ErrorReason::QueryTooSlow, []),
            )
        }
        StoreError::Broken(_) => {
            if FAULTS.note() {
                tracing::error!(error = %error, "a call failed inside");
            }
            Status::with_error_details(
                Code::Internal,
                "an internal error; see the log",
                info(ErrorReason::Internal, []),
            )
        }
    }
}

fn about(code: Code, message: String, reason: ErrorReason, resource: String) -> Status {
    Status::with_error_details(code, message, info(reason, [("resource", resource)]))
}

pub(in crate::grpc) fn info(
    reason: ErrorReason,
    metadata: impl IntoIterator<Item = (&'static str, String)>,
) -> ErrorDetails {
    let name = reason.as_str_name();
    let metadata: HashMap<String, String> =
        metadata.into_iter().map(|(name, value)| (name.to_owned(), cut(&value, LONGEST_METADATA))).collect();
    ErrorDetails::with_error_info(name.strip_prefix("ERROR_REASON_").unwrap_or(name), DOMAIN, metadata)
}
