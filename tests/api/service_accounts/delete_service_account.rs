//! DeleteServiceAccount.

use proto::{
    Code, DeleteKeyRequest, DeleteServiceAccountRequest, GetKeyRequest, Key, UndeleteKeyRequest, key,
};
use testkit::{
    server::Server,
    status::{assert_invalid, assert_not_found, assert_refused, assert_stale, metadata},
};
use tonic::Status;

use super::{CI, MALFORMED, SYSTEM, disable, get, key_of, with_account};

fn ci() -> DeleteServiceAccountRequest {
    DeleteServiceAccountRequest { name: CI.into(), ..Default::default() }
}

fn forced() -> DeleteServiceAccountRequest {
    DeleteServiceAccountRequest { force: true, ..ci() }
}

async fn delete(server: &Server, request: DeleteServiceAccountRequest) -> Result<(), Status> {
    let deleted = server.accounts().delete_service_account(request).await;
    deleted.map(drop)
}

async fn delete_key(server: &Server, key: &Key) {
    let request = DeleteKeyRequest { name: key.name.clone(), ..Default::default() };
    server.keys().delete_key(request).await.unwrap();
}

async fn undelete(server: &Server, key: &Key) -> Result<(), Status> {
    let request = UndeleteKeyRequest { name: key.name.clone(), ..Default::default() };
    server.keys().undelete_key(request).await.map(drop)
}

async fn get_key(server: &Server, key: &Key) -> Key {
    let name = key.name.clone();
    let got = server.keys().get_key(GetKeyRequest { name }).await;
    got.unwrap().into_inner().key.unwrap()
}

#[tokio::test]
async fn an_account_without_keys_is_deleted_and_its_id_is_free() {
    let (server, _) = with_account().await;
    delete(&server, ci()).await.unwrap();
    assert_not_found(&get(&server, CI).await.unwrap_err(), CI);
    assert_not_found(&delete(&server, ci()).await.unwrap_err(), CI);
    server.service_account("acme", "ci").await;
}

#[tokio::test]
async fn a_disabled_account_can_be_deleted() {
    let (server, _) = with_account().await;
    disable(&server, CI, "").await.unwrap();
    delete(&server, ci()).await.unwrap();
}

#[tokio::test]
async fn an_account_with_keys_is_in_use() {
    let (server, account) = with_account().await;
    let (_, api_key) = key_of(&server, CI).await;
    let before = server.head().await;
    for validate_only in [false, true] {
        let request = DeleteServiceAccountRequest { validate_only, ..ci() };
        let refused = delete(&server, request).await.unwrap_err();
        assert_refused(&refused, "IN_USE", CI);
        assert_eq!(metadata(&refused, "used_by").as_deref(), Some("keys"));
    }
    assert_eq!(server.head().await, before);
    assert_eq!(get(&server, CI).await.unwrap(), account);
    assert_eq!(server.code(&api_key).await, Code::Valid);
}

#[tokio::test]
async fn deleted_keys_do_not_prevent_a_deletion_and_cannot_be_restored() {
    let (server, _) = with_account().await;
    let (key, _) = key_of(&server, CI).await;
    delete_key(&server, &key).await;
    delete(&server, ci()).await.unwrap();
    assert_eq!(get_key(&server, &key).await.state(), key::State::Deleted);
    let refused = undelete(&server, &key).await.unwrap_err();
    assert_refused(&refused, "OWNER_GONE", CI);
}

#[tokio::test]
async fn force_deletes_the_keys_of_the_account() {
    let (server, _) = with_account().await;
    let (one, api_key) = key_of(&server, CI).await;
    let (two, _) = key_of(&server, CI).await;
    let (other, other_api_key) = key_of(&server, SYSTEM).await;
    delete_key(&server, &two).await;
    let deleted_before = get_key(&server, &two).await;

    delete(&server, forced()).await.unwrap();
    assert_eq!(server.code(&api_key).await, Code::NotFound);
    assert_eq!(server.code(&other_api_key).await, Code::Valid);
    assert_eq!(get_key(&server, &other).await.state(), key::State::Active);
    let gone = get_key(&server, &one).await;
    assert_eq!(gone.state(), key::State::Deleted);
    assert_eq!(gone.service_account, CI);
    assert_eq!(gone.revision, server.head().await);
    let kept = gone.purge_time.unwrap().seconds - gone.delete_time.unwrap().seconds;
    assert_eq!(kept, 30 * 86_400, "as DeleteKey would");
    assert_eq!(get_key(&server, &two).await, deleted_before);
    for key in [&one, &two] {
        let refused = undelete(&server, key).await.unwrap_err();
        assert_refused(&refused, "OWNER_GONE", CI);
    }
}

#[tokio::test]
async fn a_later_account_with_the_same_id_has_none_of_the_keys() {
    let (server, _) = with_account().await;
    let (one, api_key) = key_of(&server, CI).await;
    let (two, _) = key_of(&server, CI).await;
    delete_key(&server, &two).await;
    delete(&server, forced()).await.unwrap();
    server.service_account("acme", "ci").await;
    let (of_later, later_api_key) = key_of(&server, CI).await;
    for key in [&one, &two] {
        let refused = undelete(&server, key).await.unwrap_err();
        assert_refused(&refused, "OWNER_GONE", CI);
    }
    assert_eq!(server.code(&api_key).await, Code::NotFound);
    assert_eq!(server.code(&later_api_key).await, Code::Valid);
    delete_key(&server, &of_later).await;
    undelete(&server, &of_later).await.unwrap();
    assert_eq!(server.code(&later_api_key).await, Code::Valid);
}

#[tokio::test]
async fn the_owner_of_a_system_key_cannot_be_deleted() {
    let (server, _) = with_account().await;
    for name in [SYSTEM, "projects/system/serviceAccounts/root"] {
        for force in [false, true] {
            let request = DeleteServiceAccountRequest { name: name.into(), force, ..Default::default() };
            let refused = delete(&server, request).await.unwrap_err();
            assert_refused(&refused, "PROTECTED", name);
        }
        assert!(get(&server, name).await.is_ok());
    }
}

#[tokio::test]
async fn a_deleted_creator_is_shown_as_deleted_user() {
    let (server, _) = with_account().await;
    let root = "projects/system/serviceAccounts/root";
    assert_eq!(creator(&server, CI).await, (root.into(), "Root".into()));

    server.service_account("system", "ops").await;
    let ops = "projects/system/serviceAccounts/ops";
    let key = Key { service_account: ops.into(), ..Default::default() };
    let (_, api_key) = server.key("system", key).await;
    let made = proto::CreateServiceAccountRequest {
        parent: "projects/acme".into(),
        service_account_id: "made".into(),
        ..Default::default()
    };
    let mut as_ops = server.accounts_as(&api_key);
    as_ops.create_service_account(made).await.unwrap();
    let request = DeleteServiceAccountRequest { name: ops.into(), force: true, ..Default::default() };
    delete(&server, request).await.unwrap();
    let made = "projects/acme/serviceAccounts/made";
    assert_eq!(creator(&server, made).await, (ops.into(), "Deleted user".into()));
}

async fn creator(server: &Server, account: &str) -> (String, String) {
    let creator = get(server, account).await.unwrap().created_by.unwrap();
    (creator.service_account, creator.display_name)
}

#[tokio::test]
async fn a_stale_etag_is_refused_with_the_current_one() {
    let (server, account) = with_account().await;
    let disabled = disable(&server, CI, "").await.unwrap();
    let with_etag = |etag: &str| DeleteServiceAccountRequest { etag: etag.into(), ..forced() };
    let refused = delete(&server, with_etag(&account.etag)).await.unwrap_err();
    assert_stale(&refused, CI, &disabled.etag);
    delete(&server, with_etag(&disabled.etag)).await.unwrap();
}

#[tokio::test]
async fn validate_only_changes_nothing() {
    let (server, account) = with_account().await;
    let (_, api_key) = key_of(&server, CI).await;
    let before = server.head().await;
    let request = DeleteServiceAccountRequest { validate_only: true, ..forced() };
    delete(&server, request).await.unwrap();
    assert_eq!(get(&server, CI).await.unwrap(), account);
    assert_eq!(server.code(&api_key).await, Code::Valid);
    assert_eq!(server.head().await, before);
}

#[tokio::test]
async fn a_malformed_name_is_invalid_and_an_unknown_one_not_found() {
    let (server, _) = with_account().await;
    for name in MALFORMED {
        let request = DeleteServiceAccountRequest { name: name.into(), ..Default::default() };
        assert_invalid(&delete(&server, request).await.unwrap_err(), &["name"]);
    }
}
