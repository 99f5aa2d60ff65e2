//! Updates that change nothing, and immutable fields.

use proto::{
    Key, Project, Role, ServiceAccount, UpdateKeyRequest, UpdateProjectRequest, UpdateRoleRequest,
    UpdateServiceAccountRequest,
};
use testkit::{
    server::Server,
    status::{metadata, reason},
};
use tonic::Code;

use crate::calls::{DAY, FREE_ID, HOUR, assert_invalid, creation, ends, inner, lives, texts};

const MASKS: [&[&str]; 3] = [&[], &["display_name"], &["*"]];

fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: texts(paths) })
}

fn of_key(key: &Key, paths: &[&str]) -> UpdateKeyRequest {
    UpdateKeyRequest { key: Some(key.clone()), update_mask: mask(paths), ..Default::default() }
}

fn of_project(project: &Project, paths: &[&str]) -> UpdateProjectRequest {
    UpdateProjectRequest { project: Some(project.clone()), update_mask: mask(paths), ..Default::default() }
}

fn of_account(account: &ServiceAccount, paths: &[&str]) -> UpdateServiceAccountRequest {
    let service_account = Some(account.clone());
    UpdateServiceAccountRequest { service_account, update_mask: mask(paths), ..Default::default() }
}

fn of_role(role: &Role, paths: &[&str]) -> UpdateRoleRequest {
    UpdateRoleRequest { role: Some(role.clone()), update_mask: mask(paths), ..Default::default() }
}

#[tokio::test]
async fn an_update_that_changes_nothing_writes_no_event() {
    let server = Server::start().await;
    let project = server.project("acme").await;
    let account = server.service_account("acme", "ci").await;
    let role = server.role("editor", &["b.write", "a.write"]).await;
    let full = Key {
        display_name: "Web".into(),
        roles: texts(&["viewer", "editor"]),
        permissions: texts(&["b.read", "a.read"]),
        customers: texts(&["b", "a"]),
        allowed_cidrs: texts(&["192.0.2.7/32"]),
        metadata: [("x".into(), "1".into()), ("a".into(), "2".into())].into(),
        tags: texts(&["z", "a"]),
        expiration: ends(DAY),
        ..Default::default()
    };
    let (key, _) = server.key("acme", full).await;
    let head = server.head().await;
    server.clock.advance(HOUR);
    for paths in MASKS {
        for validate_only in [false, true] {
            let request = UpdateKeyRequest { validate_only, ..of_key(&key, paths) };
            assert_eq!(server.update(request).await.unwrap(), key);
            let request = UpdateProjectRequest { validate_only, ..of_project(&project, paths) };
            let same = inner(server.projects().update_project(request).await).unwrap();
            assert_eq!(same.project.unwrap(), project);
            let request = UpdateServiceAccountRequest { validate_only, ..of_account(&account, paths) };
            let same = inner(server.accounts().update_service_account(request).await).unwrap();
            assert_eq!(same.service_account.unwrap(), account);
            let request = UpdateRoleRequest { validate_only, ..of_role(&role, paths) };
            let same = inner(server.roles().update_role(request).await).unwrap();
            assert_eq!(same.role.unwrap(), role);
        }
    }
    assert_eq!(server.head().await, head);
    // Different spellings of the same values.
    let same = Key { name: key.name.clone(), allowed_cidrs: texts(&["192.0.2.7"]), ..Default::default() };
    assert_eq!(server.update(of_key(&same, &["allowed_cidrs"])).await.unwrap(), key);
    // The first environment is the default: their order is a value.
    let mut environments = project.environments.clone();
    environments.reverse();
    let turned = Project { environments, ..project };
    let turned = inner(server.projects().update_project(of_project(&turned, &["environments"])).await);
    assert_eq!(turned.unwrap().project.unwrap().revision, head + 1);
}

#[tokio::test]
async fn a_changed_immutable_field_is_refused_whatever_the_mask() {
    let server = Server::start().await;
    let project = server.project("acme").await;
    server.project("other").await;
    server.service_account("acme", "ci").await;
    let (key, _) = server.key("acme", Key::default()).await;
    let head = server.head().await;
    let with = |change: fn(&mut Key)| {
        let mut changed = Key { display_name: "New".into(), ..key.clone() };
        change(&mut changed);
        changed
    };
    let cases = [
        (with(|key| key.service_account = "projects/acme/serviceAccounts/ci".into()), "key.service_account"),
        (
            with(|key| key.service_account = key.service_account.replace("/acme/", "/other/")),
            "key.service_account",
        ),
        (with(|key| key.service_account = "ci".into()), "key.service_account"),
        (with(|key| key.environment = "staging".into()), "key.environment"),
        (with(|key| key.environment = "NO SUCH".into()), "key.environment"),
    ];
    for paths in MASKS {
        for (changed, field) in &cases {
            let status = server.refused(server.update(of_key(changed, paths))).await;
            assert_invalid(&status, &[field]);
        }
        for prefix in ["beta", "NO"] {
            let changed = Project { prefix: prefix.into(), display_name: "New".into(), ..project.clone() };
            let status = server.projects().update_project(of_project(&changed, paths)).await.unwrap_err();
            assert_invalid(&status, &["project.prefix"]);
        }
    }
    assert_eq!(server.head().await, head);
    assert_eq!(server.get(&key.name).await.unwrap(), key);

    // Output-only fields are ignored.
    let renamed = with(|key| {
        (key.state, key.protected, key.revision) = (3, true, 999);
        (key.masked_api_key, key.secrets) = ("x".into(), Vec::new());
    });
    let renamed = server.update(of_key(&renamed, &[])).await.unwrap();
    assert_eq!((renamed.display_name.as_str(), renamed.state), ("New", key.state));
    assert_eq!(renamed.secrets, key.secrets);
}

/// The expiry is sent back as it was read: it is in the past, and unchanged, so it is accepted.
#[tokio::test]
async fn an_expired_key_can_be_read_renamed_and_written_back() {
    let server = Server::start().await;
    server.project("acme").await;
    for paths in [&[][..], &["*"], &["display_name", "expire_time"]] {
        let (key, api_key) = server.key("acme", Key { expiration: lives(HOUR), ..Default::default() }).await;
        server.clock.advance(2 * HOUR);
        let read = server.get(&key.name).await.unwrap();
        let renamed = Key { display_name: "Late".into(), ..read.clone() };
        let updated = server.update(of_key(&renamed, paths)).await.unwrap();
        assert_eq!((updated.display_name.as_str(), updated.expiration), ("Late", read.expiration));
        assert_eq!(server.code(&api_key).await, proto::Code::Expired);
        let mut past = updated.clone();
        past.expiration = ends(HOUR / 2);
        let status = server.refused(server.update(of_key(&past, paths))).await;
        assert_invalid(&status, &["key.expire_time"]);
    }
}

#[tokio::test]
async fn the_error_for_a_taken_key_id_names_no_other_project() {
    let server = Server::start().await;
    server.project("acme").await;
    server.project("secretive").await;
    let request = proto::CreateKeyRequest { key_id: FREE_ID.into(), ..creation(Key::default()) };
    let elsewhere = proto::CreateKeyRequest { parent: "projects/secretive".into(), ..request.clone() };
    let foreign = server.create(elsewhere).await.unwrap().key.unwrap().name;
    let id = foreign.rsplit('/').next().unwrap();
    for validate_only in [false, true] {
        let request = proto::CreateKeyRequest { validate_only, ..request.clone() };
        let status = server.refused(server.create(request)).await;
        assert_eq!(reason(&status, Code::AlreadyExists), "ALREADY_EXISTS");
        // The error does not name a key of the caller's project either, because there is none.
        assert_eq!(metadata(&status, "resource"), Some(format!("projects/-/keys/{id}")));
        assert!(!format!("{status:?}").contains("secretive"));
    }
}

/// Shells remove quotes.
#[tokio::test]
async fn an_etag_is_accepted_without_its_quotes() {
    let server = Server::start().await;
    let project = server.project("acme").await;
    let bare = project.etag.trim_matches('"').to_owned();
    assert_eq!(project.etag, format!("\"{bare}\""));
    let mut changed = Project { display_name: "Acme".into(), etag: bare.clone(), ..project };
    let updated = inner(server.projects().update_project(of_project(&changed, &[])).await).unwrap();
    let updated = updated.project.unwrap();
    let new = updated.etag.trim_matches('"').to_owned();
    changed.display_name = "Other".into();
    for stale in [bare, format!("{new}0"), format!("\"{new}"), format!("'{new}'"), format!("W/\"{new}\"")] {
        changed.etag = stale;
        let status = server.projects().update_project(of_project(&changed, &[])).await.unwrap_err();
        assert_eq!(reason(&status, Code::Aborted), "ETAG_MISMATCH", "{}", changed.etag);
        assert_eq!(metadata(&status, "etag"), Some(updated.etag.clone()));
    }
}
