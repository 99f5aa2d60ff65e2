//! The hot path: many verifications in one call, streams, watches, and how new an answer is.

mod batch_verify;
mod min_revision;
mod rewinds;
mod stream_caller;
mod stream_flow;
mod stream_verify;
mod watch_audit_events;

use std::time::Duration;

use proto::VerifyRequest;
use testkit::server::Outcome;
use tonic::Status;

/// A generous limit for what must not take for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests that fail, with the gRPC code and reason that Verify returns.
fn bad_requests(api_key: &str) -> Vec<(VerifyRequest, tonic::Code, &'static str)> {
    use tonic::Code::{InvalidArgument, Unimplemented};
    let question = || crate::calls::verify(api_key);
    let invalid = |request| (request, InvalidArgument, "INVALID_ARGUMENT");
    let not_yet = |request| (request, Unimplemented, "NOT_YET_AVAILABLE");
    vec![
        invalid(VerifyRequest { client_ip: "not an address".into(), ..question() }),
        invalid(VerifyRequest { environment: "Not One".into(), ..question() }),
        invalid(VerifyRequest { customer: "two words".into(), ..question() }),
        invalid(VerifyRequest { min_revision: -1, ..question() }),
        invalid(VerifyRequest { permission: "a.read AND".into(), ..question() }),
        not_yet(VerifyRequest { costs: vec![proto::Cost::default()], ..question() }),
        not_yet(VerifyRequest { credits: Some(0), ..question() }),
        not_yet(VerifyRequest { tags: vec!["a".into()], ..question() }),
    ]
}

/// Checks that the error is the one that Verify returns.
#[track_caller]
fn assert_fails(outcome: &Outcome, code: tonic::Code, reason: &str) {
    let Err(error) = outcome else {
        panic!("the request did not fail: {outcome:?}");
    };
    assert_eq!(error.status_code, i32::from(code), "{error:?}");
    assert_eq!(error.reason, reason, "{error:?}");
    assert_ne!(error.message, "");
}

/// Checks that the call failed for lack of a valid credential.
#[track_caller]
fn assert_unauthenticated<T: std::fmt::Debug>(answer: Result<T, Status>) {
    let status = answer.expect_err("the credential has ended");
    assert_eq!(testkit::status::reason(&status, tonic::Code::Unauthenticated), "UNAUTHENTICATED");
}

/// Checks that the call ended because the server stops.
#[track_caller]
fn assert_closing<T: std::fmt::Debug>(answer: Result<T, Status>) {
    let status = answer.expect_err("the server stops");
    assert_eq!(testkit::status::reason(&status, tonic::Code::Unavailable), "STOPPING");
}
