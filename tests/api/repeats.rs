//! Every method that changes something takes a request_id, and makes the change once.

use prost::Message;
use prost_types::FileDescriptorSet;
use proto::{
    DeleteKeyRequest, DeleteProjectRequest, DeleteRoleRequest, DeleteServiceAccountRequest,
    DisableKeyRequest, DisableServiceAccountRequest, EnableKeyRequest, EnableServiceAccountRequest, Key,
    Project, RevokeKeyRequest, Role, RotateKeyRequest, ServiceAccount, UndeleteKeyRequest, UpdateKeyRequest,
    UpdateProjectRequest, UpdateRoleRequest, UpdateServiceAccountRequest,
};
use testkit::{
    server::Server,
    status::{assert_not_found, metadata, reason},
};
use tonic::{Code, Status};

use crate::calls::{
    Answer, HOUR, assert_invalid, creation, deletion, disabling, inner, purge, rotation, span,
};

#[derive(Debug, Clone, PartialEq)]
enum Resource {
    Key(Box<Key>),
    Account(Box<ServiceAccount>),
    Role(Box<Role>),
    Project(Box<Project>),
    Gone,
}

#[track_caller]
fn assert_reused(status: &Status, request_id: &str) {
    assert_eq!(reason(status, Code::FailedPrecondition), "REQUEST_ID_REUSED");
    assert_eq!(metadata(status, "request_id").as_deref(), Some(request_id));
}

fn key(answer: Answer<Key>) -> Answer<Resource> {
    answer.map(|key| Resource::Key(Box::new(key)))
}

fn account(account: Option<ServiceAccount>) -> Resource {
    Resource::Account(Box::new(account.unwrap()))
}

/// The methods that name what they change; `of_one_key` in an order in which each has something to do.
const OF_ONE_KEY: [&str; 8] =
    ["UpdateKey", "DisableKey", "EnableKey", "RotateKey", "DeleteKey", "UndeleteKey", "RevokeKey", "Purge"];
const OF_ONE_ACCOUNT: [&str; 4] =
    ["UpdateServiceAccount", "DisableServiceAccount", "EnableServiceAccount", "DeleteServiceAccount"];
const OF_ONE_ROLE: [&str; 2] = ["UpdateRole", "DeleteRole"];
const OF_ONE_PROJECT: [&str; 2] = ["UpdateProject", "DeleteProject"];

/// Calls `method` for `name`; a different `etag` makes it a different request.
async fn run(server: &Server, method: &str, name: &str, etag: &str, request_id: &str) -> Answer<Resource> {
    let (mut keys, mut accounts, mut projects) = (server.keys(), server.accounts(), server.projects());
    macro_rules! request {
        ($request:ident $(, $field:ident: $value:expr)*) => {
            {
                let mut request = $request::default();
                (request.name, request.etag) = (name.to_string(), etag.to_string());
                request.request_id = request_id.into();
                $(request.$field = $value;)*
                request
            }
        };
    }
    let (name, etag) = (name.to_owned(), etag.to_owned());
    match method {
        "UpdateKey" => {
            let changed = Key { name, etag, display_name: "Updated".into(), ..Default::default() };
            let request =
                UpdateKeyRequest { key: Some(changed), request_id: request_id.into(), ..Default::default() };
            key(server.update(request).await)
        }
        "DisableKey" => key(server.disable(request!(DisableKeyRequest)).await),
        "EnableKey" => key(server.enable(request!(EnableKeyRequest)).await),
        "RotateKey" => {
            let rotated = inner(keys.rotate_key(request!(RotateKeyRequest)).await);
            key(rotated.map(|it| it.key.unwrap()))
        }
        "DeleteKey" => key(server.delete(request!(DeleteKeyRequest)).await),
        "UndeleteKey" => key(server.undelete(request!(UndeleteKeyRequest)).await),
        "RevokeKey" => key(server.revoke(request!(RevokeKeyRequest)).await),
        // The response of the first call has the key as it last was.
        "Purge" => {
            inner(keys.delete_key(request!(DeleteKeyRequest, purge: true)).await).map(|_| Resource::Gone)
        }
        "UpdateServiceAccount" => {
            let changed = ServiceAccount { name, etag, display_name: "Updated".into(), ..Default::default() };
            let request = UpdateServiceAccountRequest {
                service_account: Some(changed),
                request_id: request_id.into(),
                ..Default::default()
            };
            inner(accounts.update_service_account(request).await).map(|it| account(it.service_account))
        }
        "DisableServiceAccount" => {
            let request = request!(DisableServiceAccountRequest);
            inner(accounts.disable_service_account(request).await).map(|it| account(it.service_account))
        }
        "EnableServiceAccount" => {
            let request = request!(EnableServiceAccountRequest);
            inner(accounts.enable_service_account(request).await).map(|it| account(it.service_account))
        }
        "DeleteServiceAccount" => {
            let request = request!(DeleteServiceAccountRequest);
            inner(accounts.delete_service_account(request).await).map(|_| Resource::Gone)
        }
        "UpdateRole" => {
            let changed = Role { name, etag, display_name: "Updated".into(), ..Default::default() };
            let request = UpdateRoleRequest {
                role: Some(changed),
                request_id: request_id.into(),
                ..Default::default()
            };
            let updated = inner(server.roles().update_role(request).await);
            updated.map(|it| Resource::Role(Box::new(it.role.unwrap())))
        }
        "DeleteRole" => {
            let request = request!(DeleteRoleRequest, force: true);
            inner(server.roles().delete_role(request).await).map(|_| Resource::Gone)
        }
        "UpdateProject" => {
            let changed = Project { name, etag, display_name: "Updated".into(), ..Default::default() };
            let request = UpdateProjectRequest {
                project: Some(changed),
                request_id: request_id.into(),
                ..Default::default()
            };
            let updated = inner(projects.update_project(request).await);
            updated.map(|it| Resource::Project(Box::new(it.project.unwrap())))
        }
        "DeleteProject" => {
            let request = request!(DeleteProjectRequest, force: true);
            inner(projects.delete_project(request).await).map(|_| Resource::Gone)
        }
        unknown => panic!("no call here for {unknown}"),
    }
}

#[tokio::test]
async fn every_method_makes_a_repeated_change_once() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    let ci = server.service_account("acme", "ci").await.name;
    let editor = server.role("editor", &[]).await.name;
    let walks = [(&key.name, &OF_ONE_KEY[..]), (&ci, &OF_ONE_ACCOUNT), (&editor, &OF_ONE_ROLE)];
    let project = "projects/acme".to_owned();
    for (name, methods) in walks.into_iter().chain([(&project, &OF_ONE_PROJECT[..])]) {
        for method in methods {
            let before = server.revision().await;
            let first = run(&server, method, name, "", method).await.unwrap();
            let after = server.revision().await;
            assert!(after > before, "{method}");
            let repeat = run(&server, method, name, "", method).await.unwrap();
            assert_eq!(repeat, first, "{method}");
            let other = run(&server, method, name, "1", method).await.unwrap_err();
            assert_reused(&other, method);
            let bad = run(&server, method, name, "", "two words").await.unwrap_err();
            assert_invalid(&bad, &["request_id"]);
            assert_eq!(server.revision().await, after, "{method}");
            if *method == "DeleteKey" {
                // The same method with another request.
                let purge = proto::DeleteKeyRequest { request_id: "DeleteKey".into(), ..purge(name) };
                assert_reused(&server.refused(server.delete(purge)).await, "DeleteKey");
            }
        }
    }
}

#[test]
fn every_method_that_changes_something_takes_a_request_id() {
    const READS: [&str; 10] = [
        "Get",
        "List",
        "Count",
        "Lookup",
        "Explain",
        "Verify",
        "BatchVerify",
        "StreamVerify",
        "Watch",
        "WhoAmI",
    ];
    let set = FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
    let ours = || set.file.iter().filter(|file| file.package() == "keystile.v1");
    let methods = ours().flat_map(|file| &file.service).flat_map(|service| &service.method);
    let changes: Vec<_> = methods
        .map(|method| method.name())
        .filter(|name| !READS.iter().any(|it| name.starts_with(it)))
        .collect();
    assert!(changes.len() >= 16, "{changes:?}");
    for method in changes {
        let name = format!("{method}Request");
        let request = ours().flat_map(|file| &file.message_type).find(|it| it.name() == name).unwrap();
        assert!(request.field.iter().any(|field| field.name() == "request_id"), "{name}");
    }
}

/// A repeat returns the current state, and does not undo later changes.
#[tokio::test]
async fn a_repeat_does_not_undo_later_changes() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    run(&server, "DisableKey", &key.name, "", "once").await.unwrap();
    let enabled = run(&server, "EnableKey", &key.name, "", "").await.unwrap();
    let after = server.revision().await;
    assert_eq!(run(&server, "DisableKey", &key.name, "", "once").await.unwrap(), enabled);

    // The first call changed nothing, so its repeat must change nothing either.
    let before = server.get(&key.name).await.unwrap();
    let named = |name: &str, request_id: &str| UpdateKeyRequest {
        key: Some(Key { name: key.name.clone(), display_name: name.into(), ..Default::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["display_name".into()] }),
        request_id: request_id.into(),
        ..Default::default()
    };
    assert_eq!(server.update(named("", "as-it-is")).await.unwrap(), before);
    assert_eq!(server.revision().await, after);
    let renamed = server.update(named("Renamed", "")).await.unwrap();
    assert_eq!(server.update(named("", "as-it-is")).await.unwrap(), renamed);
    assert_eq!(server.get(&key.name).await.unwrap(), renamed);
    assert_reused(&server.refused(server.update(named("Other", "as-it-is"))).await, "as-it-is");
}

#[tokio::test]
async fn a_repeat_for_a_purged_key_returns_no_key() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    run(&server, "DisableKey", &key.name, "", "once").await.unwrap();
    let request = DeleteKeyRequest { request_id: "gone".into(), ..purge(&key.name) };
    let first = inner(server.keys().delete_key(request.clone()).await).unwrap();
    assert_eq!(first.key.unwrap().name, key.name);
    let repeat = inner(server.keys().delete_key(request).await).unwrap();
    assert_eq!(repeat.key, None);
    let disabled = server.refused(run(&server, "DisableKey", &key.name, "", "once")).await;
    assert_not_found(&disabled, &key.name);
}

/// With a used request id, a dry run answers as the repeat would. It is not remembered itself.
#[tokio::test]
async fn validate_only_answers_as_the_request_would() {
    let server = Server::start().await;
    server.project("acme").await;
    let create = proto::CreateKeyRequest { request_id: "make".into(), ..creation(Key::default()) };
    let trial = proto::CreateKeyRequest { validate_only: true, ..create.clone() };
    let tried = server.create(trial.clone()).await.unwrap();
    assert!(!tried.api_key_already_issued && tried.key.is_some());
    let made = server.create(create.clone()).await.unwrap();
    let again = server.create(trial.clone()).await.unwrap();
    assert_eq!(again, server.create(create).await.unwrap());
    assert!(again.api_key_already_issued && again.key == made.key);
    let other = proto::CreateKeyRequest { key: Some(Key::default()), ..trial };
    let status = server.refused(server.create(other)).await;
    assert_invalid(&status, &["key.environment"]);
    let key = made.key.unwrap();

    let rotate = RotateKeyRequest { request_id: "turn".into(), ..rotation(&key.name) };
    let trial = RotateKeyRequest { validate_only: true, ..rotate.clone() };
    assert!(!server.rotate(trial.clone()).await.unwrap().api_key_already_issued);
    let rotated = server.rotate(rotate).await.unwrap();
    let again = server.rotate(trial.clone()).await.unwrap();
    assert!(again.api_key_already_issued && again.key == rotated.key);
    let other = RotateKeyRequest { grace_period: Some(span(HOUR)), ..trial };
    assert_reused(&server.refused(server.rotate(other)).await, "turn");

    let delete = DeleteKeyRequest { request_id: "bin".into(), ..deletion(&key.name) };
    let trial = DeleteKeyRequest { validate_only: true, ..delete.clone() };
    server.delete(trial.clone()).await.unwrap();
    assert_eq!(server.get(&key.name).await.unwrap(), rotated.key.unwrap());
    let deleted = server.delete(delete).await.unwrap();
    assert_eq!(server.delete(trial).await.unwrap(), deleted);
    let status = server.refused(server.disable(disabling(&key.name))).await;
    assert_eq!(reason(&status, Code::FailedPrecondition), "STATE_FORBIDS");
}

/// Otherwise the request itself would count as a repeat, and the change would not be made.
#[tokio::test]
async fn a_dry_run_that_changes_nothing_is_not_remembered() {
    let server = Server::start().await;
    server.project("acme").await;
    let named = |display_name: &str| Key { display_name: display_name.into(), ..Default::default() };
    let (key, _) = server.key("acme", named("ci")).await;
    let update = |display_name: &str, request_id: &str| UpdateKeyRequest {
        key: Some(Key { name: key.name.clone(), ..named(display_name) }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["display_name".into()] }),
        request_id: request_id.into(),
        ..Default::default()
    };
    let trial = UpdateKeyRequest { validate_only: true, ..update("ci", "name") };
    assert_eq!(server.update(trial).await.unwrap(), key);
    server.update(update("other", "")).await.unwrap();
    assert_eq!(server.update(update("ci", "name")).await.unwrap().display_name, "ci");
}

/// A repeat during the first call may look for the request id too early, and then see the state after the change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_that_race_their_first_call_answer_like_it() {
    const ROUNDS: usize = 60;
    const AT_ONCE: usize = 8;

    let server = Server::start().await;
    server.project("acme").await;
    for round in 0..ROUNDS {
        let (key, _) = server.key("acme", Key::default()).await;
        let request =
            RevokeKeyRequest { name: key.name, request_id: format!("race-{round}"), ..Default::default() };
        let mut racing = tokio::task::JoinSet::new();
        for _ in 0..AT_ONCE {
            let (mut keys, request) = (server.keys(), request.clone());
            racing.spawn(async move { keys.revoke_key(request).await });
        }
        for answer in racing.join_all().await {
            assert_eq!(answer.unwrap().into_inner().key.unwrap().state(), proto::key::State::Revoked);
        }
    }
}
