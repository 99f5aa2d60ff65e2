//! DeleteKey: the key is kept for the project's retention, or purged at once.

use proto::{Code, Key, key::State};
use sea_orm::{ConnectionTrait, Statement};
use testkit::server::Server;

use crate::calls::{
    DAY, HOUR, TICK, assert_not_found, at, deletion, purge, revocation, rotation, span, undeletion,
};

async fn listed(server: &Server, show_deleted: bool) -> Vec<String> {
    let request =
        proto::ListKeysRequest { parent: "projects/acme".into(), show_deleted, ..Default::default() };
    let keys = server.list(request).await.unwrap().keys;
    keys.into_iter().map(|key| key.name).collect()
}

#[tokio::test]
async fn a_deleted_key_is_hidden_and_does_not_verify_but_is_kept() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    server.clock.advance(HOUR);
    let deleted = server.delete(deletion(&key.name)).await.unwrap();
    let expected = Key {
        state: State::Deleted.into(),
        delete_time: Some(at(HOUR)),
        purge_time: Some(at(HOUR + 30 * DAY)),
        update_time: Some(at(HOUR)),
        etag: deleted.etag.clone(),
        revision: server.revision().await,
        ..key.clone()
    };
    assert_eq!(deleted, expected);
    assert_eq!(server.get(&key.name).await.unwrap(), expected);
    assert_eq!(server.code(&api_key).await, Code::NotFound);
    assert!(!listed(&server, false).await.contains(&key.name));
    assert!(listed(&server, true).await.contains(&key.name));
}

#[tokio::test]
async fn the_projects_retention_sets_the_purge_time() {
    let server = Server::start().await;
    server.project("acme").await;
    let retention = proto::UpdateProjectRequest {
        project: Some(proto::Project {
            name: "projects/acme".into(),
            deleted_key_retention: Some(span(7 * DAY)),
            ..Default::default()
        }),
        ..Default::default()
    };
    server.projects().update_project(retention).await.unwrap();
    let (key, _) = server.key("acme", Key::default()).await;
    let deleted = server.delete(deletion(&key.name)).await.unwrap();
    assert_eq!(deleted.purge_time, Some(at(7 * DAY)));
}

#[tokio::test]
async fn a_key_in_any_state_can_be_purged() {
    let server = Server::start().await;
    server.project("acme").await;
    for state in [State::Active, State::Revoked, State::Deleted] {
        let (key, api_key) = server.key("acme", Key::default()).await;
        let before = match state {
            State::Revoked => server.revoke(revocation(&key.name)).await.unwrap(),
            State::Deleted => server.delete(deletion(&key.name)).await.unwrap(),
            _ => key,
        };
        let name = &before.name;
        let purged = server.delete(purge(name)).await.unwrap();
        assert_eq!(purged, before, "the response has the key as it last was");
        assert_not_found(&server.get(name).await.unwrap_err(), name);
        assert_eq!(server.code(&api_key).await, Code::NotFound);
        assert!(!listed(&server, true).await.contains(name));
        for gone in [
            server.refused(server.undelete(undeletion(name))).await,
            server.refused(server.delete(deletion(name))).await,
            server.refused(server.delete(purge(name))).await,
        ] {
            assert_not_found(&gone, name);
        }
        let counted = server.count("").await.unwrap();
        assert_eq!((counted.active, counted.revoked, counted.deleted), (1, 0, 0));

        // Its implicit account is deleted with it.
        assert!(!has_account(&server, &before.service_account).await);
    }
}

async fn has_account(server: &Server, name: &str) -> bool {
    let account = proto::GetServiceAccountRequest { name: name.into() };
    match server.accounts().get_service_account(account).await {
        Ok(_) => true,
        Err(status) => {
            assert_not_found(&status, name);
            false
        }
    }
}

#[tokio::test]
async fn an_implicit_account_is_deleted_with_its_last_key() {
    let server = Server::start().await;
    server.project("acme").await;
    let (first, _) = server.key("acme", Key::default()).await;
    let owner = first.service_account.clone();
    let (second, _) = server.key("acme", Key { service_account: owner.clone(), ..Default::default() }).await;
    server.delete(deletion(&second.name)).await.unwrap();
    server.delete(purge(&first.name)).await.unwrap();
    assert!(has_account(&server, &owner).await, "the account owns a deleted key, which may be undeleted");
    let before = server.revision().await;
    let trial = proto::DeleteKeyRequest { validate_only: true, ..purge(&second.name) };
    server.delete(trial).await.unwrap();
    assert!(has_account(&server, &owner).await);
    server.delete(purge(&second.name)).await.unwrap();
    assert!(!has_account(&server, &owner).await);
    assert_eq!(server.revision().await, before + 2, "each has an event of its own");
}

#[tokio::test]
async fn an_account_that_was_created_or_updated_explicitly_stays() {
    let server = Server::start().await;
    server.project("acme").await;
    let made = server.account("acme", "ci", "CI").await;
    let (key, _) = server.key("acme", Key { service_account: made.clone(), ..Default::default() }).await;
    server.delete(purge(&key.name)).await.unwrap();
    assert!(has_account(&server, &made).await);

    let (key, _) = server.key("acme", Key::default()).await;
    let renamed = proto::ServiceAccount {
        name: key.service_account.clone(),
        external_id: "crm-42".into(),
        ..Default::default()
    };
    let request = proto::UpdateServiceAccountRequest { service_account: Some(renamed), ..Default::default() };
    server.accounts().update_service_account(request).await.unwrap();
    server.delete(purge(&key.name)).await.unwrap();
    assert!(has_account(&server, &key.service_account).await);
}

/// Housekeeping has not run: only the clock decides.
#[tokio::test]
async fn a_key_is_gone_everywhere_from_its_purge_time() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    server.delete(deletion(&key.name)).await.unwrap();
    let head = server.revision().await;
    server.clock.advance(30 * DAY - TICK);
    assert!(server.get(&key.name).await.is_ok());
    assert!(listed(&server, true).await.contains(&key.name));
    assert_eq!(server.count("").await.unwrap().deleted, 1);

    server.clock.advance(TICK);
    assert_not_found(&server.get(&key.name).await.unwrap_err(), &key.name);
    assert!(!listed(&server, true).await.contains(&key.name));
    assert_eq!(server.count("").await.unwrap().deleted, 0);
    for gone in [
        server.refused(server.undelete(undeletion(&key.name))).await,
        server.refused(server.delete(deletion(&key.name))).await,
        server.refused(server.delete(purge(&key.name))).await,
    ] {
        assert_not_found(&gone, &key.name);
    }
    for parent in ["projects/acme", "projects/-"] {
        let lookup = proto::LookupKeyRequest {
            parent: parent.into(),
            query: Some(proto::lookup_key_request::Query::ApiKey(api_key.clone())),
        };
        let gone = server.keys().lookup_key(lookup).await.unwrap_err();
        assert_eq!(gone.code(), tonic::Code::NotFound, "{parent}");
    }
    let explain = proto::ExplainVerifyRequest {
        parent: "projects/acme".into(),
        subject: Some(proto::explain_verify_request::Subject::Name(key.name.clone())),
        ..Default::default()
    };
    assert_not_found(&server.keys().explain_verify(explain).await.unwrap_err(), &key.name);
    assert_eq!(server.revision().await, head, "its row is still in the database");
    // It no longer prevents the deletion of its project either.
    let delete = proto::DeleteServiceAccountRequest { name: key.service_account, ..Default::default() };
    server.accounts().delete_service_account(delete).await.unwrap();
    let delete = proto::DeleteProjectRequest { name: "projects/acme".into(), ..Default::default() };
    server.projects().delete_project(delete).await.unwrap();
}

#[tokio::test]
async fn validate_only_deletes_and_purges_nothing() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let before = server.revision().await;
    for request in [deletion(&key.name), purge(&key.name)] {
        let purging = request.purge;
        let trial = proto::DeleteKeyRequest { validate_only: true, ..request };
        let would_be = server.delete(trial).await.unwrap();
        let expected = if purging { State::Active } else { State::Deleted };
        assert_eq!(would_be.state(), expected);
        assert_eq!(server.revision().await, before);
        assert_eq!(server.get(&key.name).await.unwrap(), key);
    }
    assert_eq!(server.code(&api_key).await, Code::Valid);
}

#[tokio::test]
async fn a_purge_leaves_no_digest_and_no_search_term() {
    let server = Server::start().await;
    server.project("acme").await;
    let asked =
        Key { display_name: "Nightly export".into(), tags: vec!["core".into()], ..Default::default() };
    let (key, _) = server.key("acme", asked).await;
    let grace = proto::RotateKeyRequest { grace_period: Some(span(HOUR)), ..rotation(&key.name) };
    server.rotate(grace).await.unwrap();
    server.delete(purge(&key.name)).await.unwrap();
    let (database, _directory) = server.stop().await;
    let raw = database.raw().await;
    // The remaining rows belong to the root key and the project's system key: the words of their names, and a role each.
    for (table, rows) in [("keys", 2), ("secrets", 2), ("key_terms", 5)] {
        let sql = format!("SELECT COUNT(*) AS number FROM {table}");
        let counted = Statement::from_string(raw.get_database_backend(), sql);
        let counted = raw.query_one_raw(counted).await.unwrap().unwrap();
        assert_eq!(counted.try_get::<i64>("", "number").unwrap(), rows, "{table}");
    }
    raw.close().await.unwrap();
}
