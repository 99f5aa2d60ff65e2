//! Short constructors of requests about keys, and checks of their errors.

use std::time::Duration;

use domain::time::Timestamp;
use proto::{Key, key::Expiration};
use testkit::{
    server::START,
    status::{metadata, reason},
};
pub(crate) use testkit::{
    server::{Answer, inner},
    status::{assert_invalid, assert_not_found},
};
use tonic::{Code, Status};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);
pub(crate) const TICK: Duration = Duration::from_micros(1);

/// A request for a key in production of `projects/acme`, otherwise as given.
pub(crate) fn creation(mut key: Key) -> proto::CreateKeyRequest {
    if key.environment.is_empty() {
        key.environment = "production".into();
    }
    proto::CreateKeyRequest { parent: "projects/acme".into(), key: Some(key), ..Default::default() }
}

pub(crate) fn verify(api_key: &str) -> proto::VerifyRequest {
    proto::VerifyRequest { api_key: api_key.into(), ..Default::default() }
}

/// Requests that need only the name of the key.
macro_rules! named {
    ($($function:ident $request:ident),*) => {$(
        pub(crate) fn $function(name: &str) -> proto::$request {
            proto::$request { name: name.into(), ..Default::default() }
        }
    )*};
}
named!(
    deletion DeleteKeyRequest,
    undeletion UndeleteKeyRequest,
    rotation RotateKeyRequest,
    revocation RevokeKeyRequest,
    disabling DisableKeyRequest,
    enabling EnableKeyRequest
);

pub(crate) fn purge(name: &str) -> proto::DeleteKeyRequest {
    proto::DeleteKeyRequest { purge: true, ..deletion(name) }
}

/// The instant `span` after the test's start, as a message.
pub(crate) fn at(span: Duration) -> prost_types::Timestamp {
    wire(START.after(span))
}

pub(crate) fn wire(time: Timestamp) -> prost_types::Timestamp {
    let micros = time.as_micros();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000)).unwrap() * 1000,
    }
}

pub(crate) fn span(span: Duration) -> prost_types::Duration {
    span.try_into().unwrap()
}

pub(crate) fn ends(span: Duration) -> Option<Expiration> {
    Some(Expiration::ExpireTime(at(span)))
}

pub(crate) fn lives(span: Duration) -> Option<Expiration> {
    Some(Expiration::Ttl(self::span(span)))
}

pub(crate) fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|&text| text.into()).collect()
}

/// Whether the error is UNIMPLEMENTED for this field.
#[track_caller]
pub(crate) fn assert_not_yet(status: &Status, field: &str) {
    assert_eq!(reason(status, Code::Unimplemented), "NOT_YET_AVAILABLE");
    assert_eq!(metadata(status, "field").as_deref(), Some(field));
}

/// Checks that the error is ABORTED, and contains the current etag.
#[track_caller]
pub(crate) fn assert_stale(status: &Status, key: &Key) {
    assert_eq!(reason(status, Code::Aborted), "ETAG_MISMATCH");
    assert_eq!(metadata(status, "resource").as_ref(), Some(&key.name));
    assert_eq!(metadata(status, "etag").as_ref(), Some(&key.etag));
}

/// Malformed names of keys; those with an id have a well-formed one.
pub(crate) const MALFORMED_NAMES: &[&str] = &[
    "",
    "acme",
    "projects/acme",
    "projects/acme/keys/",
    "projects/acme/keys/short",
    "projects/acme/keys/zzzzzzzzzzzzzzzzzzzzzz",
    "projects/-/keys/01890a5d-ac96-774b-bcce-b302099a8057",
    "projects/acme/keys/01890a5d-ac96-774b-bcce-b302099a8057/",
    "projects/acme/keys/01890a5d-ac96-474b-bcce-b302099a8057",
    "projects/acme/serviceAccounts/ci",
    "projects/AC ME/keys/01890a5d-ac96-774b-bcce-b302099a8057",
    "projects/acme/keys/01890a5d-ac96-774b-bcce-b302099a805\u{e9}",
];

/// A UUIDv7 that no test's key has unless it asks for it.
pub(crate) const FREE_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
