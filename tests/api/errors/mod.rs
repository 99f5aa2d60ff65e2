//! Every reason of an error is provoked and compared with what the contract promises.

mod crowd;
mod cut;
mod failing;
mod provoke;
mod size;

use prost::Message;
use prost_types::FileDescriptorSet;
use testkit::{server::Server, status::reason};
use tonic::Code;
use tonic_types::StatusExt;

use proto::{FILE_DESCRIPTOR_SET, UpdateServiceAccountRequest};
use provoke::provoke;

const ACME: &str = "projects/acme";
const CI: &str = "projects/acme/serviceAccounts/ci";

/// The contract's promises: reason, code, metadata, and whether there is a RetryInfo.
/// A value of `*` may be anything.
type Promise = (&'static str, Code, &'static [(&'static str, &'static str)], bool);

const PROMISES: [Promise; 31] = [
    ("UNAUTHENTICATED", Code::Unauthenticated, &[], false),
    ("INVALID_ARGUMENT", Code::InvalidArgument, &[("field", "filter"), ("position", "17")], false),
    ("NOT_YET_AVAILABLE", Code::Unimplemented, &[("field", "key.plan")], false),
    ("NOT_FOUND", Code::NotFound, &[("resource", "projects/none")], false),
    ("ALREADY_EXISTS", Code::AlreadyExists, &[("resource", ACME)], false),
    ("REQUEST_ID_REUSED", Code::FailedPrecondition, &[("request_id", "deploy-42")], false),
    ("ETAG_MISMATCH", Code::Aborted, &[("resource", ACME), ("etag", "*")], false),
    ("CONFLICT", Code::Aborted, &[("resource", CI)], true),
    ("STATE_FORBIDS", Code::FailedPrecondition, &[("resource", CI), ("state", "ACTIVE")], false),
    ("PROTECTED", Code::FailedPrecondition, &[("resource", "projects/system")], false),
    ("IN_USE", Code::FailedPrecondition, &[("resource", ACME), ("used_by", "*")], false),
    ("OWNER_GONE", Code::FailedPrecondition, &[("resource", CI)], false),
    ("INVALID_PAGE_TOKEN", Code::InvalidArgument, &[("field", "page_token")], false),
    ("REVISION_NOT_REACHED", Code::Unavailable, &[("min_revision", "812"), ("revision", "3")], true),
    ("STORE_UNAVAILABLE", Code::Unavailable, &[], true),
    ("INTERNAL", Code::Internal, &[], false),
    ("STOPPING", Code::Unavailable, &[], false),
    ("OUTCOME_UNKNOWN", Code::Unknown, &[("resource", CI)], true),
    ("OVERLOADED", Code::Unavailable, &[], true),
    ("QUERY_TOO_SLOW", Code::DeadlineExceeded, &[], false),
    ("MALFORMED_REQUEST", Code::InvalidArgument, &[], false),
    ("TOO_LARGE", Code::ResourceExhausted, &[("limit_bytes", "4194304")], false),
    ("TIME_LIMIT", Code::DeadlineExceeded, &[], false),
    (
        "UNSUPPORTED",
        Code::Unimplemented,
        &[("service", "keystile.v1.KeyService"), ("listener", "admin")],
        false,
    ),
    ("TOO_MANY_CONNECTIONS", Code::Unavailable, &[], true),
    ("DELETION_UNDER_WAY", Code::FailedPrecondition, &[("resource", ACME)], true),
    ("REVISION_AHEAD", Code::OutOfRange, &[("revision", "812"), ("head_revision", "3")], false),
    ("PERMISSION_DENIED", Code::PermissionDenied, &[("permission", "keys.create")], false),
    (
        "GRANT_EXCEEDS_CALLER",
        Code::PermissionDenied,
        &[("resource", "*"), ("permission", "*"), ("project", "projects/-")],
        false,
    ),
    ("KEY_POLICY", Code::FailedPrecondition, &[("resource", ACME), ("fields", "require_expiration")], false),
    (
        "LIMIT_REACHED",
        Code::FailedPrecondition,
        &[("resource", ACME), ("kind", "roles"), ("limit", "1000")],
        false,
    ),
];

/// Bytes that are not a message of the type have no field that could be named.
const NO_FIELDS: &str = "MALFORMED_REQUEST";

#[tokio::test]
async fn every_reason_is_as_the_contract_promises() {
    for (expected, code, metadata, retry) in PROMISES {
        let server = Server::start().await;
        server.project("acme").await;
        server.service_account("acme", "ci").await;
        let status = provoke(&server, expected).await;
        assert_eq!(reason(&status, code), expected);
        let info = status.get_details_error_info().unwrap().metadata;
        assert_eq!(info.len(), metadata.len(), "{expected}: {info:?}");
        for (name, value) in metadata {
            let value_sent = info.get(*name).unwrap_or_else(|| panic!("{expected} lacks {name}"));
            assert!(
                value_sent == value || (*value == "*" && !value_sent.is_empty()),
                "{expected}: {value_sent}"
            );
        }
        let delay = status.get_details_retry_info().and_then(|it| it.retry_delay);
        assert_eq!(delay.is_some_and(|it| !it.is_zero()), retry, "{expected}");
        let fields = status.get_details_bad_request();
        let names_fields = code == Code::InvalidArgument && expected != NO_FIELDS;
        assert_eq!(fields.is_some(), names_fields, "{expected}");
        assert!(!status.message().is_empty(), "{expected}");
    }
}

#[test]
fn every_reason_of_the_contract_is_tested() {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let enums = set.file.iter().flat_map(|file| &file.enum_type);
    let reasons = enums.clone().find(|it| it.name() == "ErrorReason").unwrap();
    let names = reasons.value.iter().map(|value| value.name());
    let names: Vec<_> = names.map(|it| it.strip_prefix("ERROR_REASON_").unwrap()).collect();
    let promised: Vec<_> = PROMISES.iter().map(|(reason, ..)| *reason).collect();
    assert_eq!(names[1..], promised, "in the order of the contract; the first is never sent");
}

#[tokio::test]
async fn an_internal_error_reveals_no_internals() {
    let server = Server::start().await;
    server.project("acme").await;
    let status = provoke(&server, "INTERNAL").await;
    let text = format!("{status:?}").to_lowercase();
    for inside in ["no prefix", "sql", "projects.prefix", "column", "stored"] {
        assert!(!text.contains(inside), "{text}");
    }
    let update = UpdateServiceAccountRequest::default();
    let wrong = server.accounts().update_service_account(update).await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument, "the server still answers");
}
