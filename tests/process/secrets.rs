//! No secret is anywhere but in the one answer that gives it: not on disk, in logs, in the change log or in errors.

use std::fs;

use keystile::grpc::proto::{
    self, Code, explain_verify_request::Subject, lookup_key_request::Query,
};
use tonic::{Request, Status};

use crate::{
    home::{Caller, Home, new_key, pepper},
    inventory,
    needles::{Needles, Parts, contains},
};

#[tokio::test]
async fn nothing_that_is_kept_or_told_holds_a_secret() {
    let peppers = [pepper(2), pepper(1)];
    let home = Home::embedded()
        .with("KEYSTILE_PEPPERS", &peppers.join(","))
        .with("KEYSTILE_LOG", "trace");
    let serving = home.serve().await;
    let root = serving.root().await;
    let mut told = Told::default();
    told.secrets.push(("root key".into(), root.clone()));
    let caller = serving.caller(&root);
    told.workload(&caller).await;
    told.wrong_credentials(&caller).await;
    let events = inventory::events(&caller).await;
    assert!(events.len() > 10, "there is something to search");
    told.answers
        .extend(events.iter().map(|event| format!("{event:?}").into_bytes()));
    // While it runs, what is new is in the -wal file.
    let mut files = told.files(&home);
    let first = serving.process.kill().await;

    // And once more through another start and a clean end, which move everything into the database file.
    let serving = home.serve().await;
    let caller = serving.caller(&root);
    for (what, api_key) in &told.secrets {
        let code = caller.code(api_key).await;
        assert_ne!(code, Code::Malformed, "{what} is no API key");
    }
    let second = serving.stop().await;
    files.extend(told.files(&home));

    let needles = told.needles(&peppers);
    for (name, content) in &files {
        assert_eq!(needles.found_in(content), [""; 0], "in {name}");
    }
    assert!(
        first.stderr.contains(r#""level":"TRACE""#),
        "there is something to search"
    );
    for (name, log) in [("first", first.stderr), ("second", second.stderr)] {
        assert_eq!(
            needles.found_in(log.as_bytes()),
            [""; 0],
            "in the log of the {name} start"
        );
    }
    assert!(told.errors > 10, "there is something to search");
    for answer in &told.answers {
        let text = String::from_utf8_lossy(answer);
        assert_eq!(needles.found_in(answer), [""; 0], "in {text}");
    }

    // The one exception.
    assert_eq!(first.stdout.lines().filter(|line| *line == root).count(), 1);
    let welcome = first.stdout.replace(&root, "");
    assert_eq!(
        needles.found_in(welcome.as_bytes()),
        [""; 0],
        "of others in {welcome}"
    );
    assert_eq!(second.stdout, "");

    // What must be there is found in the same places by the same search: so it would find the rest.
    let database: Vec<_> = files
        .iter()
        .filter(|(name, _)| name.contains("keystile.db"))
        .collect();
    let (what, api_key) = &told.secrets[1];
    let digest = Parts::of(api_key).digest(&peppers[0]);
    assert!(
        database
            .iter()
            .any(|(_, content)| contains(content, &digest)),
        "the digest of {what} is not in the database"
    );
    assert!(
        needles
            .found_in(first.stdout.as_bytes())
            .contains(&"root key: whole")
    );
}

#[tokio::test]
async fn the_generated_pepper_is_in_its_file_alone() {
    let home = Home::embedded().with("KEYSTILE_LOG", "trace");
    let serving = home.serve().await;
    let root = serving.root().await;
    serving.caller(&root).create_project().await;
    let ended = serving.stop().await;
    let mut needles = Needles::default();
    needles.pepper(&fs::read_to_string(home.data().join("peppers")).unwrap());
    let mut found = Vec::new();
    for (name, content) in all_files(&home) {
        if !needles.found_in(&content).is_empty() {
            found.push(name);
        }
    }
    assert_eq!(found, ["peppers"]);
    for output in [ended.stdout, ended.stderr] {
        assert_eq!(needles.found_in(output.as_bytes()), [""; 0]);
    }
}

#[test]
fn the_search_finds_every_form_wherever_it_stands() {
    let api_key = format!("acme_live_{}", "0123456789".repeat(7) + "ab");
    let mut needles = Needles::default();
    needles.api_key("key", &api_key);
    needles.pepper(&pepper(7));
    assert!(needles.each().count() >= 20);
    for (needle, what) in needles.each() {
        for (before, behind) in [("", ""), ("before ", " behind"), ("\0", ""), ("", "\n")] {
            let hay = [before.as_bytes(), needle, behind.as_bytes()].concat();
            assert!(needles.found_in(&hay).contains(&what), "{what}");
        }
        assert!(!needles.found_in(&needle[1..]).contains(&what), "{what}");
    }
    assert_eq!(needles.found_in(b"acme_live_0123456789 is public"), [""; 0]);
}

/// The secrets that were given out, and everything else that was told.
#[derive(Default)]
struct Told {
    secrets: Vec<(String, String)>,
    answers: Vec<Vec<u8>>,
    errors: usize,
}

impl Told {
    async fn workload(&mut self, caller: &Caller) {
        let request = proto::CreateProjectRequest {
            project_id: "acme".into(),
            project: Some(proto::Project {
                prefix: "acme".into(),
                ..Default::default()
            }),
            request_id: "project-1".into(),
            ..Default::default()
        };
        let created = caller
            .projects()
            .create_project(request)
            .await
            .unwrap()
            .into_inner();
        self.secret("system key", created.api_key);
        let mut names = Vec::new();
        for number in 0..5 {
            let mut request = new_key(&format!("key {number}"));
            request.request_id = format!("create-{number}");
            let created = caller
                .keys()
                .create_key(request.clone())
                .await
                .unwrap()
                .into_inner();
            self.secret(&format!("key {number}"), created.api_key);
            names.push(created.key.unwrap().name);
            let again = caller
                .keys()
                .create_key(request)
                .await
                .unwrap()
                .into_inner();
            assert!(again.api_key_already_issued && again.api_key.is_empty());
            self.answers.push(format!("{again:?}").into_bytes());
        }
        for (number, name) in names.iter().enumerate() {
            let grace = (number % 2 == 0).then(|| prost_types::Duration {
                seconds: 3600,
                nanos: 0,
            });
            let request = proto::RotateKeyRequest {
                name: name.clone(),
                grace_period: grace,
                request_id: format!("rotate-{number}"),
                ..Default::default()
            };
            let rotated = caller
                .keys()
                .rotate_key(request)
                .await
                .unwrap()
                .into_inner();
            self.secret(&format!("key {number}, rotated"), rotated.api_key);
        }
        caller.revoke(&names[4]).await;
        for (what, api_key) in self.secrets.clone() {
            self.use_everywhere(caller, &what, &api_key).await;
        }
    }

    /// Where an API key belongs, and where one is put by mistake.
    async fn use_everywhere(&mut self, caller: &Caller, what: &str, api_key: &str) {
        let damaged = format!("{}!", &api_key[..api_key.len() - 1]);
        for presented in [api_key, &damaged, &api_key[1..], &format!(" {api_key}")] {
            let request = proto::VerifyRequest {
                api_key: presented.into(),
                ..Default::default()
            };
            let answer = caller.verifier().verify(request.clone()).await;
            self.told(answer);
            self.told(
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
                Some(proto::VerifyRequest {
                    environment: "staging".into(),
                    ..Default::default()
                }),
                Some(request),
            ] {
                self.told(
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
                    self.told(
                        caller
                            .keys()
                            .lookup_key(proto::LookupKeyRequest {
                                parent: parent.into(),
                                query: Some(query),
                            })
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
        self.told(
            caller
                .keys()
                .get_key(proto::GetKeyRequest { name: name.clone() })
                .await,
        );
        self.told(
            caller
                .keys()
                .revoke_key(proto::RevokeKeyRequest {
                    name,
                    ..Default::default()
                })
                .await,
        );
        let account = format!("projects/acme/serviceAccounts/{text}");
        self.told(
            caller
                .accounts()
                .get_service_account(proto::GetServiceAccountRequest { name: account })
                .await,
        );
        self.told(
            caller
                .projects()
                .get_project(proto::GetProjectRequest {
                    name: format!("projects/{text}"),
                })
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
            list(
                format!("api_key = \"{text}\""),
                String::new(),
                String::new(),
            ),
            list(format!("{text} = 1"), String::new(), String::new()),
            list(format!("state = \"{text}\""), String::new(), String::new()),
            list(
                format!("create_time > {text}"),
                String::new(),
                String::new(),
            ),
            list(text.to_owned(), String::new(), String::new()),
            list(String::new(), text.to_owned(), String::new()),
            list(String::new(), String::new(), text.to_owned()),
        ] {
            self.told(caller.keys().list_keys(list).await);
        }
        let mut request = new_key("misplaced");
        request.key_id = text.into();
        self.told(caller.keys().create_key(request.clone()).await);
        request.key_id = String::new();
        request.key.as_mut().unwrap().environment = text.into();
        self.told(caller.keys().create_key(request.clone()).await);
        request.key.as_mut().unwrap().service_account = text.into();
        self.told(caller.keys().create_key(request).await);
    }

    async fn wrong_credentials(&mut self, caller: &Caller) {
        for (_, api_key) in self.secrets.clone().into_iter().skip(1) {
            let damaged = format!("{}x", &api_key[1..]);
            for credential in [api_key.clone(), damaged] {
                for header in ["Bearer ", "bearer  ", "Basic ", ""] {
                    let mut request = Request::new(proto::GetProjectRequest {
                        name: "projects/acme".into(),
                    });
                    let value = format!("{header}{credential}").parse().unwrap();
                    request.metadata_mut().insert("authorization", value);
                    let mut bare = proto::project_service_client::ProjectServiceClient::new(
                        caller.admin.clone(),
                    );
                    let refused = bare.get_project(request).await;
                    assert_eq!(
                        refused.as_ref().unwrap_err().code(),
                        tonic::Code::Unauthenticated
                    );
                    self.told(refused);
                }
            }
        }
    }

    fn secret(&mut self, what: &str, api_key: String) {
        assert_ne!(api_key, "", "{what}");
        self.secrets.push((what.into(), api_key));
    }

    fn told<T: std::fmt::Debug>(&mut self, answer: Result<tonic::Response<T>, Status>) {
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

    fn needles(&self, peppers: &[String]) -> Needles {
        let mut needles = Needles::default();
        for (what, api_key) in &self.secrets {
            needles.api_key(what, api_key);
        }
        for pepper in peppers {
            needles.pepper(pepper);
        }
        needles
    }

    fn files(&self, home: &Home) -> Vec<(String, Vec<u8>)> {
        let files = all_files(home);
        assert!(
            files
                .iter()
                .any(|(name, content)| name == "keystile.db" && !content.is_empty())
        );
        files
    }
}

fn all_files(home: &Home) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(home.data()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        files.push((name, fs::read(path).unwrap()));
    }
    files
}
