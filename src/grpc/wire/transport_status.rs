//! Errors of gRPC itself: what is wrong with a call before, or besides, what it asks.

use std::fmt;

use proto::ErrorReason;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::status::{RETRY_AFTER, info};

/// The most bytes of a request, which tonic holds requests to, and of an answer: more than clients take by default.
pub(in crate::grpc) const LARGEST_MESSAGE: usize = 4 * 1024 * 1024;

/// The most bytes of a request of health or reflection, which anybody may send: it holds a name.
pub(in crate::grpc) const LARGEST_PUBLIC: usize = 16 * 1024;

/// A request whose bytes are not its message.
pub(in crate::grpc) fn malformed_message(why: impl fmt::Display) -> Status {
    malformed(format!("the request is not a valid message of this method: {why}"))
}

fn malformed(message: String) -> Status {
    let details = info(ErrorReason::MalformedRequest, []);
    Status::with_error_details(Code::InvalidArgument, message, details)
}

pub(in crate::grpc) fn too_large(message: impl Into<String>, limit: usize) -> Status {
    let details = info(ErrorReason::TooLarge, [("limit_bytes", limit.to_string())]);
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// For what this node has no room for at the moment, and did not do.
pub(in crate::grpc) fn overloaded(message: &str) -> Status {
    let mut details = info(ErrorReason::Overloaded, []);
    details.set_retry_info(Some(RETRY_AFTER));
    Status::with_error_details(Code::Unavailable, message, details)
}

pub(in crate::grpc) fn timed_out() -> Status {
    let message = "the call was not answered in time";
    Status::with_error_details(Code::DeadlineExceeded, message, info(ErrorReason::TimeLimit, []))
}

pub(in crate::grpc) fn too_many_connections() -> Status {
    let mut details = info(ErrorReason::TooManyConnections, []);
    details.set_retry_info(Some(RETRY_AFTER));
    let message = "this node has reached its connection limit; try another node, or again later";
    Status::with_error_details(Code::Unavailable, message, details)
}

/// For a service that is not here; `listener` is the one that has it, if any has.
pub(in crate::grpc) fn no_such_service(service: &str, listener: Option<&'static str>) -> Status {
    let (message, metadata) = match listener {
        Some(listener) => (
            format!("{service} is served by the {listener} listener, not by this one"),
            vec![("service", service.to_owned()), ("listener", listener.to_owned())],
        ),
        None => ("there is no such service".to_owned(), Vec::new()),
    };
    Status::with_error_details(Code::Unimplemented, message, info(ErrorReason::Unsupported, metadata))
}

/// The same error with an ErrorInfo; what has none was made by a library, never by us. `largest` is the most bytes
/// that the request could have had.
pub(in crate::grpc) fn explained(status: Status, largest: usize) -> Status {
    if !status.details().is_empty() {
        return status;
    }
    let message = status.message().to_owned();
    let (code, reason) = match status.code() {
        Code::OutOfRange | Code::ResourceExhausted => return too_large(message, largest),
        Code::DeadlineExceeded => return timed_out(),
        Code::Unimplemented => {
            let message =
                if message.is_empty() { "the service has no such method".to_owned() } else { message };
            let details = info(ErrorReason::Unsupported, []);
            // It may say which compressions there are.
            let metadata = status.metadata().clone();
            return Status::with_error_details_and_metadata(Code::Unimplemented, message, details, metadata);
        }
        // Of health and reflection, which do not say what was not found.
        Code::NotFound => (Code::NotFound, ErrorReason::NotFound),
        // Broken framing: gRPC's code for it is INTERNAL, but the fault is the caller's.
        _ => return malformed(message),
    };
    Status::with_error_details(code, message, info(reason, []))
}
