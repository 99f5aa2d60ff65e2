//! DeleteRole while its keys still name the role, and while they change.

use proto::{Code, CreateRoleRequest, Key, UpdateKeyRequest, VerifyRequest};
use testkit::status::assert_refused;
use tokio::task::JoinSet;
use tonic_types::StatusExt;

use crate::calls::{assert_invalid, assert_not_found, deletion, rotation, texts, undeletion, verify};

use super::{EDITOR, create, delete, editor, forced, get, holder, new_editor, with_role};

/// While a trigger prevents the change of its keys, the id is taken; without it, housekeeping frees the id.
#[tokio::test]
async fn its_id_is_not_free_before_the_last_key_has_lost_it() {
    let (server, _) = with_role().await;
    let (key, api_key) = holder(&server, &["editor"]).await;
    let stuck = "CREATE TRIGGER stuck BEFORE UPDATE OF roles ON keys BEGIN SELECT RAISE(ABORT, 'stuck'); END";
    server.database.execute(stuck).await;
    delete(&server, forced()).await.unwrap();
    assert_eq!(server.get(&key.name).await.unwrap().roles, [EDITOR]);

    // It grants nothing, although the key still names it.
    let question = VerifyRequest { permission: "documents.write".into(), ..verify(&api_key) };
    assert_eq!(server.ask(question.clone()).await.unwrap().code(), Code::MissingPermission);
    assert!(server.verified(&api_key).await.permissions.is_empty());
    assert_not_found(&get(&server, EDITOR).await.unwrap_err(), EDITOR);
    assert_not_found(&delete(&server, editor()).await.unwrap_err(), EDITOR);
    for validate_only in [false, true] {
        let request = CreateRoleRequest { validate_only, ..new_editor() };
        let refused = server.refused(create(&server, request)).await;
        assert_refused(&refused, "DELETION_UNDER_WAY", EDITOR);
        assert!(refused.get_details_retry_info().is_some());
    }
    let another = Key { roles: texts(&["editor"]), ..Default::default() };
    let refused = server.refused(server.create(crate::calls::creation(another))).await;
    assert_invalid(&refused, &["key.roles"]);

    server.database.execute("DROP TRIGGER stuck").await;
    // Housekeeping does the rest, at the latest at the next start.
    let server = server.restart_with(&[]).await;
    let made = async {
        loop {
            match create(&server, new_editor()).await {
                Ok(_) => return,
                Err(refused) => assert_refused(&refused, "DELETION_UNDER_WAY", EDITOR),
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), made).await.unwrap();
    assert!(server.get(&key.name).await.unwrap().roles.is_empty());
    assert_eq!(server.ask(question).await.unwrap().code(), Code::MissingPermission);
}

/// No key keeps the role, and no concurrent change of a key is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_change_meanwhile_lose_it_all_the_same() {
    const KEYS: usize = 60;

    let (server, _) = with_role().await;
    let mut names = Vec::new();
    for n in 0..KEYS {
        let (key, _) = holder(&server, &["editor", "viewer"]).await;
        if n % 3 == 0 {
            server.delete(deletion(&key.name)).await.unwrap();
        }
        names.push(key.name);
    }
    let mut changes = JoinSet::new();
    let mut roles = server.roles();
    changes.spawn(async move { roles.delete_role(forced()).await.map(drop) });
    for (n, name) in names.iter().enumerate() {
        let (mut keys, name) = (server.keys(), name.clone());
        changes.spawn(async move {
            match n % 3 {
                0 => keys.undelete_key(undeletion(&name)).await.map(drop),
                1 => keys.rotate_key(rotation(&name)).await.map(drop),
                _ => {
                    let key = Key { name, display_name: "Renamed".into(), ..Default::default() };
                    let request = UpdateKeyRequest { key: Some(key), ..Default::default() };
                    keys.update_key(request).await.map(drop)
                }
            }
        });
    }
    for change in changes.join_all().await {
        change.unwrap();
    }
    create(&server, new_editor()).await.unwrap();
    for (n, name) in names.iter().enumerate() {
        let key = server.get(name).await.unwrap();
        assert_eq!(key.roles, ["projects/acme/roles/viewer"]);
        assert_eq!(key.state(), proto::key::State::Active);
        assert_eq!(key.secrets[0].version, if n % 3 == 1 { 2 } else { 1 });
        assert_eq!(key.display_name, if n % 3 == 2 { "Renamed" } else { "" });
    }
}
