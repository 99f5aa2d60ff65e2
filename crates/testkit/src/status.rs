//! The details of an error.

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The reason of the error, after checking its code and domain.
pub fn reason(status: &Status, code: Code) -> String {
    assert_eq!(status.code(), code, "{status:?}");
    let info = status.get_details_error_info().expect("every error has an ErrorInfo");
    assert_eq!(info.domain, "keystile.dev");
    info.reason
}

/// One entry of the error's metadata.
pub fn metadata(status: &Status, name: &str) -> Option<String> {
    status.get_details_error_info()?.metadata.get(name).cloned()
}

/// The fields that the error calls wrong, in order.
pub fn fields(status: &Status) -> Vec<String> {
    let bad = status.get_details_bad_request().expect("the error lists the wrong fields");
    bad.field_violations.into_iter().map(|violation| violation.field).collect()
}

/// Checks that the error lists exactly these fields.
#[track_caller]
pub fn assert_invalid(status: &Status, expected: &[&str]) {
    assert_eq!(reason(status, Code::InvalidArgument), "INVALID_ARGUMENT");
    assert_eq!(fields(status), expected, "{}", status.message());
    assert_eq!(metadata(status, "field").as_deref(), Some(expected[0]));
}

/// Checks that the call was refused for the state of `resource`.
#[track_caller]
pub fn assert_refused(status: &Status, expected: &str, resource: &str) {
    assert_eq!(reason(status, Code::FailedPrecondition), expected);
    assert_eq!(metadata(status, "resource").as_deref(), Some(resource));
}

#[track_caller]
pub fn assert_not_found(status: &Status, resource: &str) {
    assert_eq!(reason(status, Code::NotFound), "NOT_FOUND");
    assert_eq!(metadata(status, "resource").as_deref(), Some(resource));
}

#[track_caller]
pub fn assert_exists(status: &Status, resource: &str) {
    assert_eq!(reason(status, Code::AlreadyExists), "ALREADY_EXISTS");
    assert_eq!(metadata(status, "resource").as_deref(), Some(resource));
}

/// Checks that the etag of the call was stale, and that of `resource` is now `etag`.
#[track_caller]
pub fn assert_stale(status: &Status, resource: &str, etag: &str) {
    assert_eq!(reason(status, Code::Aborted), "ETAG_MISMATCH");
    assert_eq!(metadata(status, "resource").as_deref(), Some(resource));
    assert_eq!(metadata(status, "etag").as_deref(), Some(etag));
}
