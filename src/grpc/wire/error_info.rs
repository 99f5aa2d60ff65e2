//! The details that every error carries: `ErrorInfo` with its reason, and how long its texts may be.

use std::{collections::HashMap, time::Duration};

use proto::ErrorReason;
use tonic_types::ErrorDetails;

const DOMAIN: &str = "keystile.dev";

/// The delay in `RetryInfo`, for a failure that passes.
pub(in crate::grpc) const RETRY_AFTER: Duration = Duration::from_millis(500);

const LONGEST_METADATA: usize = 180;

pub(in crate::grpc) fn info(
    reason: ErrorReason,
    metadata: impl IntoIterator<Item = (&'static str, String)>,
) -> ErrorDetails {
    let name = reason.as_str_name();
    let metadata: HashMap<String, String> =
        metadata.into_iter().map(|(name, value)| (name.to_owned(), cut(&value, LONGEST_METADATA))).collect();
    ErrorDetails::with_error_info(name.strip_prefix("ERROR_REASON_").unwrap_or(name), DOMAIN, metadata)
}

/// The details of a failure that passes: the caller may retry.
pub(in crate::grpc) fn retryable(
    reason: ErrorReason,
    metadata: impl IntoIterator<Item = (&'static str, String)>,
) -> ErrorDetails {
    let mut details = info(reason, metadata);
    details.set_retry_info(Some(RETRY_AFTER));
    details
}

/// `text`, shortened to at most `most` bytes.
pub(in crate::grpc) fn cut(text: &str, most: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most - MARK.len());
    format!("{}{MARK}", &text[..end])
}
