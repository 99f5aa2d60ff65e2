//! DeleteKey: put away for the project's retention, or purged at once.

use keystile::grpc::proto::{self, Code, Key, key::State};
use sea_orm::{ConnectionTrait, Statement};

use crate::{
    calls::{
        DAY, HOUR, assert_not_found, at, deletion, inner, purge, revocation, rotation, span, undeletion,
    },
    support::server::Server,
};

async fn listed(server: &Server, show_deleted: bool) -> Vec<String> {
    let request =
        proto::ListKeysRequest { parent: "projects/acme".into(), show_deleted, ..Default::default() };
    let keys = server.list(request).await.unwrap().keys;
    keys.into_iter().map(|key| key.name).collect()
}

#[tokio::test]
async fn a_deleted_key_is_hidden_and_not_found_but_kept() {
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
async fn the_project_says_how_long_a_deleted_key_is_kept() {
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
async fn a_purged_key_is_gone_whatever_it_was() {
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
        assert_eq!(purged, before, "it answers with the key as it last was");
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

        // Its owner is not purged with it.
        let account = proto::GetServiceAccountRequest { name: before.service_account };
        inner(server.accounts().get_service_account(account).await).unwrap();
    }
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
    // What is left belongs to the root key and the project's system key.
    for (table, rows) in [("keys", 2), ("secrets", 2), ("key_terms", 3)] {
        let sql = format!("SELECT COUNT(*) AS number FROM {table}");
        let counted = Statement::from_string(raw.get_database_backend(), sql);
        let counted = raw.query_one_raw(counted).await.unwrap().unwrap();
        assert_eq!(counted.try_get::<i64>("", "number").unwrap(), rows, "{table}");
    }
    raw.close().await.unwrap();
}
