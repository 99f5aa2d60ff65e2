//! One short call for each method of a key, as the root caller makes it.

use std::time::Duration;

use domain::time::Timestamp;
use proto::{Key, key::Expiration};
use tonic::{Code, Response, Status};

use crate::support::{
    server::{START, Server},
    status::{fields, metadata, reason},
};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);
pub(crate) const TICK: Duration = Duration::from_micros(1);

pub(crate) type Answer<T> = Result<T, Status>;

impl Server {
    pub(crate) async fn create(&self, request: proto::CreateKeyRequest) -> Answer<proto::CreateKeyResponse> {
        inner(self.keys().create_key(request).await)
    }

    pub(crate) async fn get(&self, name: &str) -> Answer<Key> {
        let request = proto::GetKeyRequest { name: name.into() };
        inner(self.keys().get_key(request).await).map(|it| it.key.unwrap())
    }

    pub(crate) async fn list(&self, request: proto::ListKeysRequest) -> Answer<proto::ListKeysResponse> {
        inner(self.keys().list_keys(request).await)
    }

    pub(crate) async fn update(&self, request: proto::UpdateKeyRequest) -> Answer<Key> {
        inner(self.keys().update_key(request).await).map(|it| it.key.unwrap())
    }

    pub(crate) async fn delete(&self, request: proto::DeleteKeyRequest) -> Answer<Key> {
        inner(self.keys().delete_key(request).await).map(|it| it.key.unwrap())
    }

    pub(crate) async fn undelete(&self, request: proto::UndeleteKeyRequest) -> Answer<Key> {
        inner(self.keys().undelete_key(request).await).map(|it| it.key.unwrap())
    }

    pub(crate) async fn rotate(&self, request: proto::RotateKeyRequest) -> Answer<proto::RotateKeyResponse> {
        inner(self.keys().rotate_key(request).await)
    }

    pub(crate) async fn revoke(&self, request: proto::RevokeKeyRequest) -> Answer<Key> {
        inner(self.keys().revoke_key(request).await).map(|it| it.key.unwrap())
    }

    pub(crate) async fn disable(&self, request: proto::DisableKeyRequest) -> Answer<Key> {
        inner(self.keys().disable_key(request).await).map(|it| it.key.unwrap())
    }

    pub(crate) async fn enable(&self, request: proto::EnableKeyRequest) -> Answer<Key> {
        inner(self.keys().enable_key(request).await).map(|it| it.key.unwrap())
    }

    pub(crate) async fn count(&self, filter: &str) -> Answer<proto::CountKeysResponse> {
        let request = proto::CountKeysRequest { parent: "projects/acme".into(), filter: filter.into() };
        inner(self.keys().count_keys(request).await)
    }

    pub(crate) async fn lookup(&self, request: proto::LookupKeyRequest) -> Answer<proto::LookupKeyResponse> {
        inner(self.keys().lookup_key(request).await)
    }

    pub(crate) async fn explain(
        &self,
        request: proto::ExplainVerifyRequest,
    ) -> Answer<proto::ExplainVerifyResponse> {
        inner(self.keys().explain_verify(request).await)
    }

    pub(crate) async fn ask(&self, request: proto::VerifyRequest) -> Answer<proto::VerifyResponse> {
        inner(self.verifier().verify(request).await)
    }

    /// What Verify answers to the bare API key, whole.
    pub(crate) async fn verified(&self, api_key: &str) -> proto::VerifyResponse {
        self.ask(verify(api_key)).await.unwrap()
    }

    /// A service account of `projects/{project}`, by name.
    pub(crate) async fn account(&self, project: &str, id: &str, display_name: &str) -> String {
        let request = proto::CreateServiceAccountRequest {
            parent: format!("projects/{project}"),
            service_account: Some(proto::ServiceAccount {
                display_name: display_name.into(),
                ..Default::default()
            }),
            service_account_id: id.into(),
            ..Default::default()
        };
        let created = inner(self.accounts().create_service_account(request).await).unwrap();
        created.service_account.unwrap().name
    }

    /// Removes a service account and its keys.
    pub(crate) async fn remove_account(&self, name: &str) {
        let request =
            proto::DeleteServiceAccountRequest { name: name.into(), force: true, ..Default::default() };
        let removed = self.accounts().delete_service_account(request).await;
        removed.unwrap();
    }

    /// Disables a service account.
    pub(crate) async fn disable_account(&self, name: &str) {
        let request = proto::DisableServiceAccountRequest { name: name.into(), ..Default::default() };
        self.accounts().disable_service_account(request).await.unwrap();
    }

    /// The position of the last change.
    pub(crate) async fn revision(&self) -> i64 {
        let request =
            proto::ListAuditEventsRequest { parent: "projects/-".into(), page_size: 1, ..Default::default() };
        let events = inner(self.audit().list_audit_events(request).await).unwrap();
        events.audit_events[0].revision
    }

    /// The error of a call that must fail and change nothing.
    pub(crate) async fn refused<T>(&self, call: impl Future<Output = Answer<T>>) -> Status {
        let before = self.revision().await;
        let Err(status) = call.await else {
            panic!("it was not refused");
        };
        assert_eq!(self.revision().await, before, "a refused call changed something");
        status
    }
}

pub(crate) fn inner<T>(answer: Answer<Response<T>>) -> Answer<T> {
    answer.map(Response::into_inner)
}

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

/// Just the name, for the methods that need no more.
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

/// The instant `span` after the test's start, as the wire has it.
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

/// Whether the error is INVALID_ARGUMENT for exactly these fields.
#[track_caller]
pub(crate) fn assert_invalid(status: &Status, expected: &[&str]) {
    assert_eq!(reason(status, Code::InvalidArgument), "INVALID_ARGUMENT");
    assert_eq!(fields(status), expected, "{status:?}");
    assert_eq!(metadata(status, "field").as_deref(), Some(expected[0]));
}

/// Whether the error is NOT_FOUND for this resource.
#[track_caller]
pub(crate) fn assert_not_found(status: &Status, resource: &str) {
    assert_eq!(reason(status, Code::NotFound), "NOT_FOUND");
    assert_eq!(metadata(status, "resource").as_deref(), Some(resource));
}

/// Whether the error is UNIMPLEMENTED for this field.
#[track_caller]
pub(crate) fn assert_not_yet(status: &Status, field: &str) {
    assert_eq!(reason(status, Code::Unimplemented), "NOT_YET_AVAILABLE");
    assert_eq!(metadata(status, "field").as_deref(), Some(field));
}

/// Whether the error is ABORTED, and tells the etag in force.
#[track_caller]
pub(crate) fn assert_stale(status: &Status, key: &Key) {
    assert_eq!(reason(status, Code::Aborted), "ETAG_MISMATCH");
    assert_eq!(metadata(status, "resource").as_ref(), Some(&key.name));
    assert_eq!(metadata(status, "etag").as_ref(), Some(&key.etag));
}

/// Names that are no key's, with an id that is well-formed where there is one.
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
