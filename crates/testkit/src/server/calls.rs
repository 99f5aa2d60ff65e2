//! One short call for each method of a key, as the root caller makes it.

use proto::Key;
use tonic::{Response, Status};

use super::Server;

pub type Answer<T> = Result<T, Status>;

impl Server {
    pub async fn create(&self, request: proto::CreateKeyRequest) -> Answer<proto::CreateKeyResponse> {
        inner(self.keys().create_key(request).await)
    }

    pub async fn get(&self, name: &str) -> Answer<Key> {
        let request = proto::GetKeyRequest { name: name.into() };
        inner(self.keys().get_key(request).await).map(|it| it.key.unwrap())
    }

    pub async fn list(&self, request: proto::ListKeysRequest) -> Answer<proto::ListKeysResponse> {
        inner(self.keys().list_keys(request).await)
    }

    pub async fn update(&self, request: proto::UpdateKeyRequest) -> Answer<Key> {
        inner(self.keys().update_key(request).await).map(|it| it.key.unwrap())
    }

    pub async fn delete(&self, request: proto::DeleteKeyRequest) -> Answer<Key> {
        inner(self.keys().delete_key(request).await).map(|it| it.key.unwrap())
    }

    pub async fn undelete(&self, request: proto::UndeleteKeyRequest) -> Answer<Key> {
        inner(self.keys().undelete_key(request).await).map(|it| it.key.unwrap())
    }

    pub async fn rotate(&self, request: proto::RotateKeyRequest) -> Answer<proto::RotateKeyResponse> {
        inner(self.keys().rotate_key(request).await)
    }

    pub async fn revoke(&self, request: proto::RevokeKeyRequest) -> Answer<Key> {
        inner(self.keys().revoke_key(request).await).map(|it| it.key.unwrap())
    }

    pub async fn disable(&self, request: proto::DisableKeyRequest) -> Answer<Key> {
        inner(self.keys().disable_key(request).await).map(|it| it.key.unwrap())
    }

    pub async fn enable(&self, request: proto::EnableKeyRequest) -> Answer<Key> {
        inner(self.keys().enable_key(request).await).map(|it| it.key.unwrap())
    }

    pub async fn count(&self, filter: &str) -> Answer<proto::CountKeysResponse> {
        let request = proto::CountKeysRequest { parent: "projects/acme".into(), filter: filter.into() };
        inner(self.keys().count_keys(request).await)
    }

    pub async fn lookup(&self, request: proto::LookupKeyRequest) -> Answer<proto::LookupKeyResponse> {
        inner(self.keys().lookup_key(request).await)
    }

    pub async fn explain(
        &self,
        request: proto::ExplainVerifyRequest,
    ) -> Answer<proto::ExplainVerifyResponse> {
        inner(self.keys().explain_verify(request).await)
    }

    pub async fn ask(&self, request: proto::VerifyRequest) -> Answer<proto::VerifyResponse> {
        inner(self.verifier().verify(request).await)
    }

    /// The response of Verify to the API key without other fields.
    pub async fn verified(&self, api_key: &str) -> proto::VerifyResponse {
        self.ask(proto::VerifyRequest { api_key: api_key.into(), ..Default::default() }).await.unwrap()
    }

    /// A role of `acme` with these permissions.
    pub async fn role(&self, id: &str, permissions: &[&str]) -> proto::Role {
        let role = proto::Role {
            permissions: permissions.iter().map(|&text| text.into()).collect(),
            ..Default::default()
        };
        let request = proto::CreateRoleRequest {
            parent: "projects/acme".into(),
            role_id: id.into(),
            role: Some(role),
            ..Default::default()
        };
        inner(self.roles().create_role(request).await).unwrap().role.unwrap()
    }

    /// A service account of `projects/{project}`, by name.
    pub async fn account(&self, project: &str, id: &str, display_name: &str) -> String {
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
    pub async fn remove_account(&self, name: &str) {
        let request =
            proto::DeleteServiceAccountRequest { name: name.into(), force: true, ..Default::default() };
        let removed = self.accounts().delete_service_account(request).await;
        removed.unwrap();
    }

    /// Disables a service account.
    pub async fn disable_account(&self, name: &str) {
        let request = proto::DisableServiceAccountRequest { name: name.into(), ..Default::default() };
        self.accounts().disable_service_account(request).await.unwrap();
    }

    /// The position of the last change.
    pub async fn revision(&self) -> i64 {
        let request =
            proto::ListAuditEventsRequest { parent: "projects/-".into(), page_size: 1, ..Default::default() };
        let events = inner(self.audit().list_audit_events(request).await).unwrap();
        events.audit_events[0].revision
    }

    /// The error of a call that must fail and change nothing.
    pub async fn refused<T>(&self, call: impl Future<Output = Answer<T>>) -> Status {
        let before = self.revision().await;
        let Err(status) = call.await else {
            panic!("the call was not refused");
        };
        assert_eq!(self.revision().await, before, "a refused call changed something");
        status
    }
}

pub fn inner<T>(answer: Answer<Response<T>>) -> Answer<T> {
    answer.map(Response::into_inner)
}
