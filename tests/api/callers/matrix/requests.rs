//! A valid request for each method.

use prost::Message;
use proto::{
    BatchVerifyResponse, Key, Role, VerifyRequest, VerifyResponse, WatchAuditEventsRequest,
    explain_verify_request::Subject, lookup_key_request::Query,
};
use testkit::{
    forge::with_wrong_secret,
    rpc::{Rpc, call},
    server::{Outcome, Server, channel, outcome},
};
use tonic::Status;

use super::super::bearer;
use crate::calls::{deletion, disabling};

/// What a request is about.
#[derive(Debug, Clone)]
pub(super) struct Target {
    method: &'static str,
    project: String,
    key: String,
    /// Of that key; it proves none in a project that does not exist.
    api_key: String,
    account: String,
}

/// A message, encoded; fields that are not named are unset.
macro_rules! request {
    ($request:ident { $($fields:tt)* }) => {
        proto::$request { $($fields)*, ..Default::default() }.encode_to_vec()
    };
}

impl Target {
    /// One that the method can be called for, in a project that exists.
    pub(super) async fn of(server: &Server, method: &'static str, project: &str) -> Self {
        if project == "missing" {
            let target = Box::pin(Self::of(server, method, "foreign")).await;
            return target.renamed("foreign", "missing");
        }
        let (key, api_key) = server.key(project, Key::default()).await;
        if method.ends_with("/EnableKey") {
            server.disable(disabling(&key.name)).await.unwrap();
        }
        if method.ends_with("/UndeleteKey") {
            server.delete(deletion(&key.name)).await.unwrap();
        }
        let account = server.account(project, "", "").await;
        if method.ends_with("/EnableServiceAccount") {
            server.disable_account(&account).await;
        }
        Self { method, project: format!("projects/{project}"), key: key.name, api_key, account }
    }

    /// The same in a project that does not exist.
    pub(super) fn renamed(&self, from: &str, to: &str) -> Self {
        let renamed = |name: &str| name.replace(&format!("projects/{from}"), &format!("projects/{to}"));
        Self {
            method: self.method,
            project: renamed(&self.project),
            key: renamed(&self.key),
            api_key: with_wrong_secret(&self.api_key),
            account: renamed(&self.account),
        }
    }

    fn verification(&self) -> VerifyRequest {
        VerifyRequest { api_key: self.api_key.clone(), ..Default::default() }
    }

    #[expect(clippy::needless_update, reason = "some requests have no other fields")]
    fn body(&self) -> Vec<u8> {
        let Self { project: parent, key, account, .. } = self.clone();
        let id = || parent.strip_prefix("projects/").unwrap().to_owned();
        let role =
            || Role { name: format!("{parent}/roles/viewer"), description: "x".into(), ..Default::default() };
        match self.method.split_once('/').unwrap().1 {
            "ListAuditEvents" => request!(ListAuditEventsRequest { parent }),
            "VerifyAuditChain" | "WhoAmI" | "ListProjects" => Vec::new(),
            "CountKeys" => request!(CountKeysRequest { parent }),
            "CreateKey" => {
                let key = Key { environment: "production".into(), ..Default::default() };
                request!(CreateKeyRequest { parent, key: Some(key) })
            }
            "DeleteKey" => request!(DeleteKeyRequest { name: key }),
            "DisableKey" => request!(DisableKeyRequest { name: key }),
            "EnableKey" => request!(EnableKeyRequest { name: key }),
            "ExplainVerify" => {
                let request = Some(VerifyRequest::default());
                request!(ExplainVerifyRequest { parent, subject: Some(Subject::Name(key)), request })
            }
            "GetKey" => request!(GetKeyRequest { name: key }),
            "ListKeys" => request!(ListKeysRequest { parent }),
            "LookupKey" => {
                let id = key.rsplit_once('/').unwrap().1.to_owned();
                request!(LookupKeyRequest { parent, query: Some(Query::KeyId(id)) })
            }
            "RevokeKey" => request!(RevokeKeyRequest { name: key }),
            "RotateKey" => request!(RotateKeyRequest { name: key }),
            "UndeleteKey" => request!(UndeleteKeyRequest { name: key }),
            "UpdateKey" => {
                // A role that the project does not have must not show that the project exists.
                let key = Key { name: key, roles: vec!["viewer".into()], ..Default::default() };
                request!(UpdateKeyRequest { key: Some(key) })
            }
            "CreateProject" => {
                let project = proto::Project { prefix: "acme".into(), ..Default::default() };
                request!(CreateProjectRequest { project_id: id(), project: Some(project) })
            }
            "DeleteProject" => request!(DeleteProjectRequest { name: parent }),
            "GetProject" => request!(GetProjectRequest { name: parent }),
            "UpdateProject" => {
                let project =
                    proto::Project { name: parent, display_name: "New".into(), ..Default::default() };
                request!(UpdateProjectRequest { project: Some(project) })
            }
            "CreateRole" => {
                let role_id = format!("r{}", &key.rsplit_once('/').unwrap().1.to_lowercase());
                request!(CreateRoleRequest { parent, role_id, role: Some(Role::default()) })
            }
            "DeleteRole" => request!(DeleteRoleRequest { name: role().name }),
            "GetRole" => request!(GetRoleRequest { name: role().name }),
            "ListRoles" => request!(ListRolesRequest { parent }),
            "UpdateRole" => request!(UpdateRoleRequest { role: Some(role()) }),
            "CreateServiceAccount" => request!(CreateServiceAccountRequest { parent }),
            "DeleteServiceAccount" => request!(DeleteServiceAccountRequest { name: account }),
            "DisableServiceAccount" => request!(DisableServiceAccountRequest { name: account }),
            "EnableServiceAccount" => request!(EnableServiceAccountRequest { name: account }),
            "GetServiceAccount" => request!(GetServiceAccountRequest { name: account }),
            "ListServiceAccounts" => request!(ListServiceAccountsRequest { parent }),
            "UpdateServiceAccount" => {
                let account =
                    proto::ServiceAccount { name: account, display_name: "New".into(), ..Default::default() };
                request!(UpdateServiceAccountRequest { service_account: Some(account) })
            }
            "Verify" => self.verification().encode_to_vec(),
            "BatchVerify" => request!(BatchVerifyRequest { requests: vec![self.verification()] }),
            other => panic!("{other} has no request here"),
        }
    }
}

/// Calls the method for `target`, and answers with what Verify decides, or `OK`.
pub(super) async fn ask(
    server: &Server,
    rpc: &Rpc,
    api_key: &str,
    target: &Target,
) -> Result<String, Status> {
    let name = target.method.split_once('/').unwrap().1;
    match name {
        "WatchAuditEvents" => {
            let request = WatchAuditEventsRequest { parent: target.project.clone(), ..Default::default() };
            let mut watch = server.watch_as(api_key, request).await?;
            watch.message().await?;
            return Ok("OK".into());
        }
        "StreamVerify" => {
            let mut talk = server.talk_as(api_key).await?;
            let first = decided(talk.ask(target.verification()).await?);
            for _ in 0..3 {
                assert_eq!(decided(talk.ask(target.verification()).await?), first, "a later message");
            }
            return Ok(first);
        }
        _ => {}
    }
    let answer = call(&channel(rpc.listener), &rpc.path, bearer(api_key), &target.body()).await?;
    Ok(match name {
        "Verify" => decided(Ok(VerifyResponse::decode(&*answer).unwrap())),
        "BatchVerify" => {
            let mut answer = BatchVerifyResponse::decode(&*answer).unwrap();
            decided(outcome(answer.results.remove(0)))
        }
        _ => "OK".into(),
    })
}

fn decided(outcome: Outcome) -> String {
    match outcome.unwrap().code() {
        proto::Code::Valid => "VALID".into(),
        code => format!("code {}", code.as_str_name().trim_start_matches("CODE_")),
    }
}
