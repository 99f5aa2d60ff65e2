//! UpdateServiceAccount.

use std::time::Duration;

use proto::{ServiceAccount, UpdateServiceAccountRequest, service_account::State};
use testkit::{
    server::Server,
    status::{assert_invalid, assert_not_found, assert_stale},
};
use tokio::task::JoinSet;
use tonic::Status;

use super::{CI, MALFORMED, SYSTEM, disable, get, with_account};

fn ci() -> ServiceAccount {
    ServiceAccount { name: CI.into(), ..Default::default() }
}

/// Differs from a new account in every mutable field.
fn changed() -> ServiceAccount {
    ServiceAccount {
        display_name: "Deploys".into(),
        external_id: "okta|42".into(),
        metadata: [("team".to_owned(), "core".to_owned())].into(),
        ..ci()
    }
}

async fn update(server: &Server, account: ServiceAccount, mask: &[&str]) -> Result<ServiceAccount, Status> {
    let paths = mask.iter().map(|path| (*path).to_owned()).collect();
    let request = UpdateServiceAccountRequest {
        service_account: Some(account),
        update_mask: Some(prost_types::FieldMask { paths }),
        ..Default::default()
    };
    let updated = server.accounts().update_service_account(request).await;
    updated.map(|updated| updated.into_inner().service_account.unwrap())
}

#[tokio::test]
async fn a_mask_changes_only_the_fields_that_it_names() {
    let (server, before) = with_account().await;
    server.clock.advance(Duration::from_secs(1));
    let named = update(&server, changed(), &["external_id"]).await.unwrap();
    assert_eq!(named.external_id, "okta|42");
    assert_eq!(named.display_name, "");
    assert!(named.metadata.is_empty());
    assert_eq!(named.create_time, before.create_time);
    assert_eq!(named.update_time.unwrap().seconds, before.update_time.unwrap().seconds + 1);
    assert_eq!(named.revision, before.revision + 1);
    assert_ne!(named.etag, before.etag);

    let both = update(&server, changed(), &["metadata", "display_name"]).await;
    assert_eq!(both.unwrap().metadata, changed().metadata);
    let cleared = update(&server, ci(), &["metadata"]).await.unwrap();
    assert!(cleared.metadata.is_empty());
    assert_eq!(cleared.display_name, "Deploys");
    assert_eq!(get(&server, CI).await.unwrap(), cleared);
}

#[tokio::test]
async fn without_a_mask_the_fields_that_are_set_change() {
    let (server, _) = with_account().await;
    update(&server, changed(), &[]).await.unwrap();
    let renamed = ServiceAccount { display_name: "Builds".into(), ..ci() };
    let request = UpdateServiceAccountRequest { service_account: Some(renamed), ..Default::default() };
    let updated = server.accounts().update_service_account(request).await;
    let updated = updated.unwrap().into_inner().service_account.unwrap();
    assert_eq!(updated.display_name, "Builds");
    assert_eq!(updated.external_id, "okta|42");
    assert_eq!(updated.metadata, changed().metadata);
}

#[tokio::test]
async fn a_star_changes_everything() {
    let (server, _) = with_account().await;
    update(&server, changed(), &["*"]).await.unwrap();
    let bare = update(&server, ci(), &["*"]).await.unwrap();
    assert_eq!((bare.display_name, bare.external_id), Default::default());
    assert!(bare.metadata.is_empty());
}

#[tokio::test]
async fn state_and_output_only_fields_do_not_change() {
    let (server, _) = with_account().await;
    let other = ServiceAccount {
        state: State::Disabled.into(),
        protected: true,
        display_name: "Deploys".into(),
        ..ci()
    };
    let updated = update(&server, other, &[]).await.unwrap();
    assert_eq!(updated.state(), State::Active);
    assert!(!updated.protected);
    for path in ["", "state", "name", "protected", "created_by", "metadata.team", "color"] {
        let refused = update(&server, changed(), &[path]).await.unwrap_err();
        assert_invalid(&refused, &["update_mask"]);
    }
    let refused = update(&server, changed(), &["*", "metadata"]).await;
    assert_invalid(&refused.unwrap_err(), &["update_mask"]);
}

#[tokio::test]
async fn a_protected_or_disabled_account_can_be_described() {
    let (server, _) = with_account().await;
    let system = ServiceAccount { name: SYSTEM.into(), ..changed() };
    let updated = update(&server, system, &[]).await.unwrap();
    assert_eq!(updated.display_name, "Deploys");
    disable(&server, CI, "").await.unwrap();
    let updated = update(&server, changed(), &[]).await.unwrap();
    assert_eq!(updated.state(), State::Disabled);
}

#[tokio::test]
async fn every_wrong_field_is_reported_at_once() {
    let (server, before) = with_account().await;
    let wrong = ServiceAccount {
        name: "ci".into(),
        display_name: "\u{1b}[31m".into(),
        external_id: "x".repeat(129),
        metadata: [("k".to_owned(), "x".repeat(1025))].into(),
        ..Default::default()
    };
    let refused = update(&server, wrong.clone(), &[]).await.unwrap_err();
    assert_invalid(
        &refused,
        &[
            "service_account.name",
            "service_account.display_name",
            "service_account.external_id",
            "service_account.metadata",
        ],
    );
    let refused = update(&server, wrong, &["state", "metadata"]).await;
    assert_invalid(
        &refused.unwrap_err(),
        &["update_mask", "service_account.name", "service_account.metadata"],
    );
    for name in MALFORMED {
        let account = ServiceAccount { name: name.into(), ..changed() };
        let refused = update(&server, account, &[]).await.unwrap_err();
        assert_invalid(&refused, &["service_account.name"]);
    }
    assert_eq!(get(&server, CI).await.unwrap(), before);
}

#[tokio::test]
async fn an_unknown_account_is_not_found() {
    let server = Server::start().await;
    server.project("acme").await;
    assert_not_found(&update(&server, changed(), &[]).await.unwrap_err(), CI);
}

#[tokio::test]
async fn a_stale_etag_is_refused_with_the_current_one() {
    let (server, first) = with_account().await;
    let second = update(&server, changed(), &[]).await.unwrap();
    let with_etag = |etag: &str| ServiceAccount { etag: etag.into(), ..ci() };
    let refused = update(&server, with_etag(&first.etag), &["*"]).await;
    assert_stale(&refused.unwrap_err(), CI, &second.etag);
    assert_eq!(get(&server, CI).await.unwrap(), second);
    update(&server, with_etag(&second.etag), &["*"]).await.unwrap();
}

#[tokio::test]
async fn concurrent_updates_are_all_made() {
    let (server, before) = with_account().await;
    let mut calls = JoinSet::new();
    for path in ["display_name", "external_id", "metadata"] {
        let request = UpdateServiceAccountRequest {
            service_account: Some(changed()),
            update_mask: Some(prost_types::FieldMask { paths: vec![path.into()] }),
            ..Default::default()
        };
        let mut accounts = server.accounts();
        calls.spawn(async move { accounts.update_service_account(request).await });
    }
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    let after = get(&server, CI).await.unwrap();
    assert_eq!(after.display_name, changed().display_name);
    assert_eq!(after.external_id, changed().external_id);
    assert_eq!(after.metadata, changed().metadata);
    assert_eq!(after.revision, before.revision + 3);
}

#[tokio::test]
async fn validate_only_returns_the_result_and_changes_nothing() {
    let (server, before) = with_account().await;
    let request = UpdateServiceAccountRequest {
        service_account: Some(changed()),
        validate_only: true,
        ..Default::default()
    };
    let tried = server.accounts().update_service_account(request).await;
    let tried = tried.unwrap().into_inner().service_account.unwrap();
    assert_eq!(tried.metadata, changed().metadata);
    assert_eq!(get(&server, CI).await.unwrap(), before);
    assert_eq!(server.head().await, before.revision);
}
