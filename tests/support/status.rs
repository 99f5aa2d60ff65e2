//! What an error says besides its code.

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The reason that the error gives, after checking its code and domain.
pub(crate) fn reason(status: &Status, code: Code) -> String {
    assert_eq!(status.code(), code, "{status:?}");
    let info = status.get_details_error_info().expect("every error has an ErrorInfo");
    assert_eq!(info.domain, "keystile.dev");
    info.reason
}

/// One entry of the error's metadata.
pub(crate) fn metadata(status: &Status, name: &str) -> Option<String> {
    status.get_details_error_info()?.metadata.get(name).cloned()
}

/// The fields that the error calls wrong, in order.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    let bad = status.get_details_bad_request().expect("it names the wrong fields");
    bad.field_violations.into_iter().map(|violation| violation.field).collect()
}
