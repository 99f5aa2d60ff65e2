//! Errors of the transport: about the call itself, not about what it requests.

use std::fmt;

use domain::token::conceal;
use proto::ErrorReason;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::error_info::{cut, info, retryable};

/// Most bytes of a request, which tonic enforces, and of an answer: clients accept no more by default.
pub(in crate::grpc) const LARGEST_MESSAGE: usize = 4 * 1024 * 1024;

/// Most bytes of a request of health or reflection, which needs no credential: it holds only a name.
pub(in crate::grpc) const LARGEST_PUBLIC: usize = 16 * 1024;

/// A request whose bytes do not decode.
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

/// This node has no room for the call at the moment, and did nothing.
pub(in crate::grpc) fn overloaded(message: &str) -> Status {
    Status::with_error_details(Code::Unavailable, message, retryable(ErrorReason::Overloaded, []))
}

pub(in crate::grpc) fn timed_out() -> Status {
    let message = "the call was not answered in time";
    Status::with_error_details(Code::DeadlineExceeded, message, info(ErrorReason::TimeLimit, []))
}

pub(in crate::grpc) fn too_many_connections() -> Status {
    let message = "this node has reached its connection limit; try another node, or try again later";
    Status::with_error_details(Code::Unavailable, message, retryable(ErrorReason::TooManyConnections, []))
}

/// A service that this listener does not have; `listener` is the one that has it, if any.
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

/// A path that is no method of the contract.
pub(in crate::grpc) fn no_such_method(path: &str) -> Status {
    const LONGEST_PATH: usize = 200;
    let message = format!("there is no method {}", cut(&conceal(path), LONGEST_PATH));
    Status::with_error_details(Code::Unimplemented, message, info(ErrorReason::Unsupported, []))
}

/// The same error with an `ErrorInfo`, if it has none because a library made it. `largest` is the size limit of the request.
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
            // It may list the supported compressions.
            let metadata = status.metadata().clone();
            return Status::with_error_details_and_metadata(Code::Unimplemented, message, details, metadata);
        }
        // From health or reflection, which do not say what was not found.
        Code::NotFound => (Code::NotFound, ErrorReason::NotFound),
        // Broken framing: the library's code for it is INTERNAL, but the caller is at fault.
        _ => return malformed(message),
    };
    Status::with_error_details(code, message, info(reason, []))
}
