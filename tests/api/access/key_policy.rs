//! The policy of a project for its keys.

use std::time::Duration;

use proto::{
    CreateKeyRequest, Key, KeyPolicy, ListKeysRequest, Project, RotateKeyRequest, UpdateKeyRequest,
    UpdateProjectRequest, key::Expiration,
};
use testkit::{server::Server, status::reason};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::calls::{HOUR, creation, deletion, disabling, lives, rotation, span, texts};

const MINUTE: Duration = Duration::from_secs(60);

async fn with_policy(server: &Server, key_policy: KeyPolicy) -> Project {
    let project =
        Project { name: "projects/acme".into(), key_policy: Some(key_policy), ..Default::default() };
    let mask = prost_types::FieldMask { paths: texts(&["key_policy"]) };
    let request =
        UpdateProjectRequest { project: Some(project), update_mask: Some(mask), ..Default::default() };
    server.projects().update_project(request).await.unwrap().into_inner().project.unwrap()
}

async fn server() -> Server {
    let server = Server::start().await;
    server.project("acme").await;
    server
}

#[track_caller]
fn assert_forbidden(status: &Status, fields: &[&str]) {
    assert_eq!(reason(status, Code::FailedPrecondition), "KEY_POLICY", "{status:?}");
    let violations = status.get_details_precondition_failure().unwrap().violations;
    let subjects: Vec<_> = violations.iter().map(|it| it.subject.clone()).collect();
    let expected: Vec<_> = fields.iter().map(|it| format!("projects/acme/keyPolicy/{it}")).collect();
    assert_eq!(subjects, expected);
    assert_eq!(status.get_details_error_info().unwrap().metadata["fields"], fields.join(","));
}

fn undeletion(name: &str) -> proto::UndeleteKeyRequest {
    proto::UndeleteKeyRequest { name: name.into(), ..Default::default() }
}

fn enabling(name: &str) -> proto::EnableKeyRequest {
    proto::EnableKeyRequest { name: name.into(), ..Default::default() }
}

fn update(key: Key, path: &str) -> UpdateKeyRequest {
    let update_mask = Some(prost_types::FieldMask { paths: texts(&[path]) });
    UpdateKeyRequest { key: Some(key), update_mask, ..Default::default() }
}

#[tokio::test]
async fn the_policy_is_shown_and_its_bounds_are_checked() {
    let server = server().await;
    let policy = KeyPolicy {
        max_ttl: Some(span(HOUR)),
        require_expiration: true,
        max_active_keys: 7,
        max_rotation_grace: Some(span(MINUTE)),
        allowed_roles: texts(&["viewer", "projects/acme/roles/privileged"]),
    };
    let shown = with_policy(&server, policy.clone()).await.key_policy.unwrap();
    let allowed_roles = texts(&["projects/acme/roles/privileged", "projects/acme/roles/viewer"]);
    assert_eq!(shown, KeyPolicy { allowed_roles, ..policy });
    assert_eq!(with_policy(&server, KeyPolicy::default()).await.key_policy, None);
    let nobody = || KeyPolicy { allowed_roles: texts(&["nobody"]), ..Default::default() };
    let shop = proto::CreateProjectRequest {
        project_id: "shop".into(),
        project: Some(Project { prefix: "shop".into(), key_policy: Some(nobody()), ..Default::default() }),
        ..Default::default()
    };
    let status = server.projects().create_project(shop).await.unwrap_err();
    assert_eq!(testkit::status::fields(&status), ["project.key_policy.allowed_roles"]);
    for (wrong, field) in [
        (nobody(), "project.key_policy.allowed_roles"),
        (KeyPolicy { max_active_keys: -1, ..Default::default() }, "project.key_policy.max_active_keys"),
        (KeyPolicy { max_ttl: Some(span(Duration::ZERO)), ..Default::default() }, "project.key_policy"),
        (
            KeyPolicy { max_ttl: Some(span(Duration::from_millis(60_500))), ..Default::default() },
            "project.key_policy.max_ttl",
        ),
        (
            KeyPolicy { max_rotation_grace: Some(span(Duration::from_nanos(1))), ..Default::default() },
            "project.key_policy.max_rotation_grace",
        ),
        (
            KeyPolicy { allowed_roles: texts(&["projects/other/roles/viewer"]), ..Default::default() },
            "project.key_policy.allowed_roles",
        ),
    ] {
        let project = Project { name: "projects/acme".into(), key_policy: Some(wrong), ..Default::default() };
        let request = UpdateProjectRequest { project: Some(project), ..Default::default() };
        let status = server.projects().update_project(request).await.unwrap_err();
        assert_eq!(testkit::status::fields(&status), [field]);
    }
}

#[tokio::test]
async fn a_key_that_would_violate_it_is_refused_by_every_verb_that_hands_out_validity() {
    let server = server().await;
    let (key, _) = server.key("acme", Key { roles: texts(&["viewer"]), ..Default::default() }).await;
    let (deleted, _) = server.key("acme", Key::default()).await;
    let (disabled, _) = server.key("acme", Key::default()).await;
    server.delete(deletion(&deleted.name)).await.unwrap();
    server.disable(disabling(&disabled.name)).await.unwrap();
    with_policy(
        &server,
        KeyPolicy {
            max_ttl: Some(span(HOUR)),
            require_expiration: true,
            allowed_roles: texts(&["privileged"]),
            ..Default::default()
        },
    )
    .await;

    let all = ["max_ttl", "require_expiration", "allowed_roles"];
    let refused = server.create(creation(Key { roles: texts(&["viewer"]), ..Default::default() })).await;
    assert_forbidden(&refused.unwrap_err(), &all);
    let renamed = Key { display_name: "New".into(), ..key.clone() };
    assert_forbidden(&server.update(update(renamed, "display_name")).await.unwrap_err(), &all);
    assert_forbidden(&server.rotate(rotation(&key.name)).await.unwrap_err(), &all);
    let ends = ["max_ttl", "require_expiration"];
    assert_forbidden(&server.undelete(undeletion(&deleted.name)).await.unwrap_err(), &ends);
    assert_forbidden(&server.enable(enabling(&disabled.name)).await.unwrap_err(), &ends);

    // What ends in time, and holds nothing else, is allowed; and what takes validity away always is.
    let good = Key { roles: texts(&["privileged"]), expiration: lives(HOUR), ..Default::default() };
    server.create(creation(good)).await.unwrap();
    server.disable(disabling(&key.name)).await.unwrap();
}

#[tokio::test]
async fn existing_keys_stay_valid_and_the_filter_finds_them() {
    let server = server().await;
    let (old, api_key) = server.key("acme", Key { roles: texts(&["viewer"]), ..Default::default() }).await;
    let good = Key { expiration: lives(HOUR), ..Default::default() };
    let (good, _) = server.key("acme", good).await;
    let listed = async |filter: &str| {
        let request =
            ListKeysRequest { parent: "projects/acme".into(), filter: filter.into(), ..Default::default() };
        let keys = server.keys().list_keys(request).await.unwrap().into_inner().keys;
        keys.into_iter().filter(|key| !key.protected).map(|key| key.name).collect::<Vec<_>>()
    };
    assert_eq!(listed("violates_policy = true").await, [""; 0]);
    for policy in [
        KeyPolicy { max_ttl: Some(span(HOUR)), ..Default::default() },
        KeyPolicy { require_expiration: true, ..Default::default() },
        KeyPolicy { allowed_roles: texts(&["privileged"]), ..Default::default() },
    ] {
        with_policy(&server, policy.clone()).await;
        assert_eq!(listed("violates_policy = true").await, [old.name.as_str()], "{policy:?}");
        assert_eq!(listed("violates_policy = false").await, [good.name.as_str()], "{policy:?}");
    }
    assert_eq!(server.ask(crate::calls::verify(&api_key)).await.unwrap().code(), proto::Code::Valid);
}

#[tokio::test]
async fn the_number_of_active_keys_is_bounded() {
    let server = server().await;
    with_policy(&server, KeyPolicy { max_active_keys: 2, ..Default::default() }).await;
    let (first, _) = server.key("acme", Key::default()).await;
    let (second, _) = server.key("acme", Key::default()).await;
    let create = || server.create(creation(Key::default()));
    assert_forbidden(&create().await.unwrap_err(), &["max_active_keys"]);
    let trial = CreateKeyRequest { validate_only: true, ..creation(Key::default()) };
    assert_forbidden(&server.create(trial).await.unwrap_err(), &["max_active_keys"]);
    // A key that is not active counts no longer, and comes back only when there is room.
    server.disable(disabling(&first.name)).await.unwrap();
    create().await.unwrap();
    assert_forbidden(&server.enable(enabling(&first.name)).await.unwrap_err(), &["max_active_keys"]);
    // Nor does a change that leaves it inactive need room.
    let renamed = Key { name: first.name.clone(), display_name: "Off".into(), ..Default::default() };
    server.update(update(renamed, "display_name")).await.unwrap();
    server.delete(deletion(&second.name)).await.unwrap();
    server.enable(enabling(&first.name)).await.unwrap();
    assert_forbidden(&server.undelete(undeletion(&second.name)).await.unwrap_err(), &["max_active_keys"]);
    // Changes of keys that are active already need no room.
    server.rotate(rotation(&first.name)).await.unwrap();
}

#[tokio::test]
async fn of_many_keys_created_at_once_no_more_than_allowed_are() {
    let server = server().await;
    with_policy(&server, KeyPolicy { max_active_keys: 3, ..Default::default() }).await;
    let created = futures_util::future::join_all((0..12).map(|_| server.create(creation(Key::default()))));
    assert_eq!(created.await.into_iter().filter(Result::is_ok).count(), 3);
}

#[tokio::test]
async fn a_rotation_has_at_most_the_grace_of_the_policy_and_the_system_key_is_exempt_from_the_rest() {
    let server = server().await;
    let (key, _) = server.key("acme", Key { expiration: lives(HOUR), ..Default::default() }).await;
    let policy =
        KeyPolicy { max_ttl: Some(span(HOUR)), max_rotation_grace: Some(span(MINUTE)), ..Default::default() };
    let project = with_policy(&server, policy).await;
    for name in [&key.name, &project.system_key] {
        let with_grace = |grace| RotateKeyRequest { grace_period: Some(span(grace)), ..rotation(name) };
        let refused = server.rotate(with_grace(MINUTE + Duration::from_secs(1))).await.unwrap_err();
        assert_forbidden(&refused, &["max_rotation_grace"]);
        server.rotate(with_grace(MINUTE)).await.unwrap();
    }
    let moved =
        Key { name: key.name, expiration: Some(Expiration::Ttl(span(2 * HOUR))), ..Default::default() };
    assert_forbidden(&server.update(update(moved, "ttl")).await.unwrap_err(), &["max_ttl"]);
}

/// A policy may name a role that was deleted: it can still be changed, and what was answered is answered again.
#[tokio::test]
async fn a_policy_may_keep_a_role_that_is_deleted() {
    let server = server().await;
    let role = proto::CreateRoleRequest {
        parent: "projects/acme".into(),
        role_id: "editor".into(),
        role: Some(proto::Role::default()),
        ..Default::default()
    };
    server.roles().create_role(role).await.unwrap();
    let update = |allowed: &[&str], request_id: &str| {
        let key_policy = Some(KeyPolicy { allowed_roles: texts(allowed), ..Default::default() });
        let project = Project { name: "projects/acme".into(), key_policy, ..Default::default() };
        let request = UpdateProjectRequest {
            project: Some(project),
            request_id: request_id.into(),
            ..Default::default()
        };
        let mut projects = server.projects();
        async move { projects.update_project(request).await }
    };
    let first = update(&["editor"], "once").await.unwrap().into_inner();
    let deletion =
        proto::DeleteRoleRequest { name: "projects/acme/roles/editor".into(), ..Default::default() };
    server.roles().delete_role(deletion).await.unwrap();
    assert_eq!(update(&["editor"], "once").await.unwrap().into_inner(), first);
    update(&["editor", "viewer"], "").await.unwrap();
    update(&["viewer"], "").await.unwrap();
    let refused = update(&["viewer", "editor"], "").await.unwrap_err();
    assert_eq!(testkit::status::fields(&refused), ["project.key_policy.allowed_roles"]);
}
