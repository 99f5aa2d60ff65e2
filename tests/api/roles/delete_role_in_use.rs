//! DeleteRole of a role that keys hold.

use std::collections::BTreeSet;

use proto::{Code, Key, ListAuditEventsRequest, ListKeysRequest, UpdateKeyRequest, VerifyRequest};
use testkit::server::Server;

use crate::calls::{deletion, inner, texts, undeletion, verify};

use super::{EDITOR, create, delete, editor, forced, get, holder, new_editor, with_role};

async fn may_write(server: &Server, api_key: &str) -> bool {
    let question = VerifyRequest { permission: "documents.write".into(), ..verify(api_key) };
    match server.ask(question).await.unwrap().code() {
        Code::Valid => true,
        Code::MissingPermission => false,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn force_takes_it_from_its_keys() {
    let (server, _) = with_role().await;
    let full = Key {
        roles: texts(&["editor", "viewer"]),
        permissions: texts(&["documents.list"]),
        tags: texts(&["core"]),
        ..Default::default()
    };
    let (_, api_key) = server.key("acme", full.clone()).await;
    let (before, _) = server.key("acme", full).await;
    let (other, _) = holder(&server, &["viewer"]).await;
    assert!(may_write(&server, &api_key).await);
    delete(&server, forced()).await.unwrap();
    assert!(!may_write(&server, &api_key).await);
    assert_eq!(server.verified(&api_key).await.roles, ["viewer"]);
    let after = server.get(&before.name).await.unwrap();
    assert_eq!(after.roles, ["projects/acme/roles/viewer"]);
    let revisions = [before.revision, server.head().await];
    assert!(revisions[0] < after.revision && after.revision <= revisions[1]);
    assert_ne!(after.etag, before.etag);
    let (etag, revision) = (after.etag.clone(), after.revision);
    assert_eq!(after, Key { roles: after.roles.clone(), etag, revision, ..before });
    assert_eq!(server.get(&other.name).await.unwrap(), other);
}

#[tokio::test]
async fn its_keys_are_found_by_it_until_it_is_gone() {
    let (server, _) = with_role().await;
    let (key, _) = holder(&server, &["editor"]).await;
    holder(&server, &["viewer"]).await;
    let holders = async || {
        let request = ListKeysRequest {
            parent: "projects/acme".into(),
            filter: "roles:\"editor\"".into(),
            ..Default::default()
        };
        let listed = server.list(request).await.unwrap().keys;
        listed.into_iter().map(|key| key.name).collect::<Vec<_>>()
    };
    assert_eq!(holders().await, [key.name]);
    delete(&server, forced()).await.unwrap();
    assert!(holders().await.is_empty());
}

/// A later role of the same id must not be granted to them.
#[tokio::test]
async fn deleted_keys_do_not_stand_in_its_way_and_lose_it() {
    let (server, _) = with_role().await;
    let (key, api_key) = holder(&server, &["editor"]).await;
    server.delete(deletion(&key.name)).await.unwrap();
    delete(&server, editor()).await.unwrap();
    create(&server, new_editor()).await.unwrap();
    let back = server.undelete(undeletion(&key.name)).await.unwrap();
    assert!(back.roles.is_empty(), "{:?}", back.roles);
    assert!(!may_write(&server, &api_key).await);
}

#[tokio::test]
async fn revoked_disabled_and_expired_keys_hold_it_too() {
    let (server, _) = with_role().await;
    let (key, _) = holder(&server, &["editor"]).await;
    server.disable(crate::calls::disabling(&key.name)).await.unwrap();
    let refused = server.refused(delete(&server, editor())).await;
    testkit::status::assert_refused(&refused, "IN_USE", EDITOR);
    delete(&server, forced()).await.unwrap();
    let key = server.get(&key.name).await.unwrap();
    assert!(key.roles.is_empty());
    assert_eq!(key.state(), proto::key::State::Disabled);
}

#[tokio::test]
async fn a_role_that_is_gone_can_be_given_to_no_key() {
    let (server, _) = with_role().await;
    let (key, _) = holder(&server, &["editor"]).await;
    delete(&server, forced()).await.unwrap();
    let again = Key { name: key.name, roles: texts(&["editor"]), ..Default::default() };
    let refused = server.update(UpdateKeyRequest { key: Some(again), ..Default::default() }).await;
    let refused = refused.unwrap_err();
    crate::calls::assert_invalid(&refused, &["key.roles"]);
    assert!(refused.message().contains(EDITOR), "{}", refused.message());
}

/// There are more keys than one portion takes. Each has an event of its own, by the caller that deleted the role.
#[tokio::test]
async fn many_keys_lose_it_each_with_an_event() {
    const KEYS: usize = 120;

    let (server, _) = with_role().await;
    let mut keys = BTreeSet::new();
    for _ in 0..KEYS {
        keys.insert(holder(&server, &["editor"]).await.0.name);
    }
    let before = server.head().await;
    delete(&server, forced()).await.unwrap();
    let mut targets = BTreeSet::new();
    let mut page_token = String::new();
    loop {
        let request = ListAuditEventsRequest {
            parent: "projects/acme".into(),
            filter: format!("revision > {before}"),
            page_size: 100,
            page_token,
            ..Default::default()
        };
        let page = inner(server.audit().list_audit_events(request).await).unwrap();
        for event in page.audit_events {
            assert_eq!(event.actor.unwrap().service_account, "projects/system/serviceAccounts/root");
            if event.action == "roles.delete" {
                assert_eq!((event.target.as_str(), event.revision), (EDITOR, before + 1));
                continue;
            }
            assert_eq!(event.action, "keys.remove_role");
            assert!(event.before.contains("\"roles\":[\"editor\"]"), "{}", event.before);
            assert!(event.after.contains("\"roles\":[]"), "{}", event.after);
            assert!(targets.insert(event.target));
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(targets, keys);
    assert_eq!(server.head().await, before + 1 + KEYS as i64);
    create(&server, new_editor()).await.unwrap();
}

#[tokio::test]
async fn a_project_that_has_roles_of_its_own_is_in_use_and_takes_them_along() {
    let (server, _) = with_role().await;
    let request =
        |force| proto::DeleteProjectRequest { name: "projects/acme".into(), force, ..Default::default() };
    let refused = server.projects().delete_project(request(false)).await.unwrap_err();
    testkit::status::assert_refused(&refused, "IN_USE", "projects/acme");
    assert_eq!(testkit::status::metadata(&refused, "used_by").as_deref(), Some("roles"));
    server.projects().delete_project(request(true)).await.unwrap();
    testkit::status::assert_not_found(&get(&server, EDITOR).await.unwrap_err(), EDITOR);
    let request = ListAuditEventsRequest {
        parent: "projects/-".into(),
        filter: "action = roles.delete".into(),
        ..Default::default()
    };
    let events = inner(server.audit().list_audit_events(request).await).unwrap().audit_events;
    let targets: Vec<_> = events.iter().map(|event| event.target.as_str()).collect();
    assert_eq!(targets, [EDITOR], "the built-in ones have no event of their own");
    server.project("acme").await;
    assert!(get(&server, EDITOR).await.is_err());
    assert!(get(&server, super::VIEWER).await.is_ok());
}
