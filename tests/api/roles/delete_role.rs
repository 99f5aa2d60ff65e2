//! DeleteRole without keys, and what it refuses.

use proto::{Code, DeleteRoleRequest};
use testkit::status::{assert_not_found, assert_refused, assert_stale, metadata};

use crate::calls::assert_invalid;

use super::{
    EDITOR, MALFORMED, VIEWER, create, delete, editor, forced, full, get, holder, new_editor, update,
    with_role,
};

#[tokio::test]
async fn a_role_without_keys_goes_and_its_id_is_free() {
    let (server, role) = with_role().await;
    let before = server.head().await;
    delete(&server, editor()).await.unwrap();
    assert_eq!(server.head().await, before + 1);
    assert_not_found(&get(&server, EDITOR).await.unwrap_err(), EDITOR);
    assert_not_found(&delete(&server, editor()).await.unwrap_err(), EDITOR);
    let again = create(&server, new_editor()).await.unwrap();
    assert!(again.revision > role.revision);
}

#[tokio::test]
async fn a_role_that_keys_hold_is_in_use() {
    let (server, role) = with_role().await;
    let (_, api_key) = holder(&server, &["editor"]).await;
    for validate_only in [false, true] {
        let request = DeleteRoleRequest { validate_only, ..editor() };
        let refused = server.refused(delete(&server, request)).await;
        assert_refused(&refused, "IN_USE", EDITOR);
        assert_eq!(metadata(&refused, "used_by").as_deref(), Some("keys"));
    }
    assert_eq!(get(&server, EDITOR).await.unwrap(), role);
    assert_eq!(server.code(&api_key).await, Code::Valid);
}

/// The system key of a project can be given roles, and counts as any key does.
#[tokio::test]
async fn a_system_key_that_holds_it_counts() {
    let (server, _) = with_role().await;
    let name = "projects/acme".into();
    let project = server.projects().get_project(proto::GetProjectRequest { name }).await;
    let system = project.unwrap().into_inner().project.unwrap().system_key;
    let key = proto::Key {
        name: system.clone(),
        roles: vec!["privileged".into(), "editor".into()],
        ..Default::default()
    };
    server.update(proto::UpdateKeyRequest { key: Some(key), ..Default::default() }).await.unwrap();
    assert_refused(&delete(&server, editor()).await.unwrap_err(), "IN_USE", EDITOR);
    delete(&server, forced()).await.unwrap();
    assert_eq!(server.get(&system).await.unwrap().roles, ["projects/acme/roles/privileged"]);
}

#[tokio::test]
async fn a_built_in_role_is_protected() {
    let (server, _) = with_role().await;
    for name in [VIEWER, "projects/acme/roles/privileged", "projects/system/roles/root"] {
        for force in [false, true] {
            let request = DeleteRoleRequest { name: name.into(), force, ..Default::default() };
            let refused = server.refused(delete(&server, request)).await;
            assert_refused(&refused, "PROTECTED", name);
        }
    }
}

#[tokio::test]
async fn a_stale_etag_is_refused_with_the_one_in_force() {
    let (server, first) = with_role().await;
    let role = proto::Role { name: EDITOR.into(), ..full() };
    let second = update(&server, role, &[]).await.unwrap();
    let with_etag = |etag: &str| DeleteRoleRequest { etag: etag.into(), ..forced() };
    let refused = delete(&server, with_etag(&first.etag)).await.unwrap_err();
    assert_stale(&refused, EDITOR, &second.etag);
    delete(&server, with_etag(&second.etag)).await.unwrap();
}

#[tokio::test]
async fn a_trial_changes_nothing() {
    let (server, role) = with_role().await;
    let (key, api_key) = holder(&server, &["editor"]).await;
    let before = server.head().await;
    delete(&server, DeleteRoleRequest { validate_only: true, ..forced() }).await.unwrap();
    assert_eq!(get(&server, EDITOR).await.unwrap(), role);
    assert_eq!(server.get(&key.name).await.unwrap(), key);
    assert_eq!(server.code(&api_key).await, Code::Valid);
    assert_eq!(server.head().await, before);
}

#[tokio::test]
async fn a_malformed_name_is_told() {
    let (server, _) = with_role().await;
    for name in MALFORMED {
        let request = DeleteRoleRequest { name: name.into(), ..Default::default() };
        assert_invalid(&delete(&server, request).await.unwrap_err(), &["name"]);
    }
}
