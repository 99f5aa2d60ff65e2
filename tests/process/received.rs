//! A client that creates secrets, sends them in right and wrong fields, and records every response.

use proto::{
    explain_verify_request::Subject, lookup_key_request::Query, project_service_client::ProjectServiceClient,
};
use tonic::{Request, Response, Status};

use crate::{
    home::{Caller, new_key},
    needles::Needles,
};

/// The secrets that the server issued, and all other responses.
#[derive(Debug)]
pub(crate) struct Received {
    /// Each with a description, in the order of creation.
    pub(crate) secrets: Vec<(String, String)>,
    pub(crate) answers: Vec<Vec<u8>>,
    pub(crate) errors: usize,
}

impl Received {
    pub(crate) fn new(root: &str) -> Self {
        Self { secrets: vec![("root key".into(), root.into())], answers: Vec::new(), errors: 0 }
    }

    /// Creates, uses and ends keys, and presents their API keys in every way.
    pub(crate) async fn workload(&mut self, caller: &Caller) {
        let request = proto::CreateProjectRequest {
            project_id: "acme".into(),
            project: Some(proto::Project { prefix: "acme".into(), ..Default::default() }),
            request_id: "project-1".into(),
            ..Default::default()
        };
        let created = caller.projects().create_project(request).await.unwrap().into_inner();
        self.secret("system key", created.api_key);
        let mut names = Vec::new();
        for number in 0..5 {
            let mut request = new_key(&format!("key {number}"));
            request.request_id = format!("create-{number}");
            let created = caller.keys().create_key(request.clone()).await.unwrap().into_inner();
            self.secret(&format!("key {number}"), created.api_key);
            names.push(created.key.unwrap().name);
            let again = caller.keys().create_key(request).await.unwrap().into_inner();
            assert!(again.api_key_already_issued && again.api_key.is_empty());
            self.answers.push(format!("{again:?}").into_bytes());
        }
        for (number, name) in names.iter().enumerate() {
            let grace = (number % 2 == 0).then_some(prost_types::Duration { seconds: 3600, nanos: 0 });
            let request = proto::RotateKeyRequest {
                name: name.clone(),
                grace_period: grace,
                request_id: format!("rotate-{number}"),
                ..Default::default()
            };
            let rotated = caller.keys().rotate_key(request).await.unwrap().into_inner();
            self.secret(&format!("key {number}, rotated"), rotated.api_key);
        }
        caller.revoke(&names[4]).await;
        for (what, api_key) in self.secrets.clone() {
            self.use_everywhere(caller, &what, &api_key).await;
        }
    }

    /// Sends the API key in the fields that take one, and in those where people paste one by mistake.
    async fn use_everywhere(&mut self, caller: &Caller, what: &str, api_key: &str) {
        let damaged = format!("{}!", &api_key[..api_key.len() - 1]);
        for presented in [api_key, &damaged, &api_key[1..], &format!(" {api_key}")] {
            let request = proto::VerifyRequest { api_key: presented.into(), ..Default::default() };
            let answer = caller.verifier().verify(request.clone()).await;
            self.record(answer);
            self.record(
                caller
                    .verifier()
                    .verify(proto::VerifyRequest {
                        client_ip: "not an address".into(),
                        environment: "Not An Environment".into(),
                        ..request.clone()
                    })
                    .await,
            );
            for request in [
                None,
                Some(proto::VerifyRequest { environment: "staging".into(), ..Default::default() }),
                Some(request),
            ] {
                self.record(
                    caller
                        .keys()
                        .explain_verify(proto::ExplainVerifyRequest {
                            parent: "projects/acme".into(),
                            subject: Some(Subject::ApiKey(presented.into())),
                            request,
                        })
                        .await,
                );
            }
            for parent in ["projects/acme", "projects/-", "projects/none"] {
                for query in [
                    Query::ApiKey(presented.into()),
                    Query::MaskedApiKey(presented.into()),
                    Query::KeyId(presented.into()),
                ] {
                    self.record(
                        caller
                            .keys()
                            .lookup_key(proto::LookupKeyRequest { parent: parent.into(), query: Some(query) })
                            .await,
                    );
                }
            }
            self.misplaced(caller, presented).await;
        }
        assert!(self.errors > 0, "{what}");
    }

    /// Fields that are refused when an API key is pasted into them.
    async fn misplaced(&mut self, caller: &Caller, text: &str) {
        let name = format!("projects/acme/keys/{text}");
        self.record(caller.keys().get_key(proto::GetKeyRequest { name: name.clone() }).await);
        self.record(caller.keys().revoke_key(proto::RevokeKeyRequest { name, ..Default::default() }).await);
        let account = format!("projects/acme/serviceAccounts/{text}");
        self.record(
            caller.accounts().get_service_account(proto::GetServiceAccountRequest { name: account }).await,
        );
        self.record(
            caller
                .projects()
                .get_project(proto::GetProjectRequest { name: format!("projects/{text}") })
                .await,
        );
        let list = |filter: String, order_by: String, page_token: String| proto::ListKeysRequest {
            parent: "projects/acme".into(),
            filter,
            order_by,
            page_token,
            ..Default::default()
        };
        for list in [
            list(format!("api_key = \"{text}\""), String::new(), String::new()),
            list(format!("{text} = 1"), String::new(), String::new()),
            list(format!("state = \"{text}\""), String::new(), String::new()),
            list(format!("create_time > {text}"), String::new(), String::new()),
            list(text.to_owned(), String::new(), String::new()),
            list(String::new(), text.to_owned(), String::new()),
            list(String::new(), String::new(), text.to_owned()),
        ] {
            self.record(caller.keys().list_keys(list).await);
        }
        let mut request = new_key("misplaced");
        request.key_id = text.into();
        self.record(caller.keys().create_key(request.clone()).await);
        request.key_id = String::new();
        request.key.as_mut().unwrap().environment = text.into();
        self.record(caller.keys().create_key(request.clone()).await);
        request.key.as_mut().unwrap().service_account = text.into();
        self.record(caller.keys().create_key(request).await);
    }

    pub(crate) async fn wrong_credentials(&mut self, caller: &Caller) {
        for (_, api_key) in self.secrets.clone().into_iter().skip(1) {
            let damaged = format!("{}x", &api_key[1..]);
            for credential in [api_key.clone(), damaged] {
                for header in ["Bearer ", "bearer  ", "Basic ", ""] {
                    let mut request = Request::new(proto::GetProjectRequest { name: "projects/acme".into() });
                    let value = format!("{header}{credential}").parse().unwrap();
                    request.metadata_mut().insert("authorization", value);
                    let mut bare = ProjectServiceClient::new(caller.admin.clone());
                    let refused = bare.get_project(request).await;
                    assert_eq!(refused.as_ref().unwrap_err().code(), tonic::Code::Unauthenticated);
                    self.record(refused);
                }
            }
        }
    }

    fn secret(&mut self, what: &str, api_key: String) {
        assert_ne!(api_key, "", "{what}");
        self.secrets.push((what.into(), api_key));
    }

    fn record<T: std::fmt::Debug>(&mut self, answer: Result<Response<T>, Status>) {
        match answer {
            Ok(answer) => self.answers.push(format!("{answer:?}").into_bytes()),
            Err(status) => {
                self.errors += 1;
                self.answers.push(status.message().into());
                self.answers.push(status.details().into());
                self.answers.push(format!("{status:?}").into());
            }
        }
    }

    pub(crate) fn needles(&self, peppers: &[String]) -> Needles {
        let mut needles = Needles::none();
        for (what, api_key) in &self.secrets {
            needles.api_key(what, api_key);
        }
        for pepper in peppers {
            needles.pepper(pepper);
        }
        needles
    }
}
