//! What a caller hands on is checked against what it holds in the database, whatever its node knows.

use std::{sync::Arc, time::Duration};

use domain::{expiry::Expiry, name::RoleName};
use keystile::verbs::{Call, Caller, Error, KeyPatch, NewKey, NewRole, Session};
use testkit::database::Kind;

use crate::{
    gate::Commits,
    node::{LIMITS, Node, TestKey, call, fresh, new_key},
};

const HOUR: Duration = Duration::from_secs(3600);

fn by(session: Session) -> Call {
    let caller = Caller::of(&Arc::new(session), String::new(), "keys.create");
    Call { caller, repeatable: None, validate_only: false }
}

async fn cut(node: &Node, caller: &TestKey, how: &str) {
    match how {
        "rotated" => node.service.rotate_key(&call(), &caller.name, "", Duration::ZERO).await.map(drop),
        "disabled" => node.service.disable_key(&call(), &caller.name, "").await.map(drop),
        "account disabled" => {
            node.service.disable_service_account(&call(), &caller.account, "").await.map(drop)
        }
        _ => node.service.delete_service_account(&call(), &caller.account, "", true).await,
    }
    .unwrap();
}

/// Its node has not followed the change, so its session still counts as valid there.
#[tokio::test]
async fn a_caller_that_was_cut_off_on_another_node_mints_nothing() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MySql] {
        let database = fresh(kind).await;
        let (here, there) = (Node::on(&database, LIMITS).await, Node::on(&database, LIMITS).await);
        for how in ["rotated", "disabled", "account disabled", "account deleted"] {
            let caller = here.key("system").await;
            there.cache.catch_up().await.unwrap();
            let created = {
                let session = there.session(&caller.api_key).await.unwrap();
                there.service.create_key(&by(session), new_key("system")).await
            };
            created.unwrap();
            let session = there.session(&caller.api_key).await.unwrap();
            cut(&here, &caller, how).await;
            assert!(there.verifier.is_still_valid(&session, there.verifier.moment()));
            let refused = there.service.create_key(&by(session), new_key("system")).await.unwrap_err();
            assert!(matches!(refused, Error::Unauthenticated), "{kind:?}, {how}: {refused:?}");
        }
    }
}

async fn create_role(node: &Node, name: &RoleName, permission: &str) {
    let role = NewRole {
        project: name.project.clone(),
        id: name.role.clone(),
        display_name: "".parse().unwrap(),
        description: "".parse().unwrap(),
        permissions: vec![permission.parse().unwrap()],
        endpoints: Vec::new(),
    };
    node.service.create_role(&call(), role).await.unwrap();
}

/// The role exists when it is looked up first, is gone when its permissions are counted, and is there again, with more of them,
/// when the key is written.
#[tokio::test]
async fn a_role_that_was_replaced_meanwhile_is_not_handed_on() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let role: RoleName = "projects/system/roles/small".parse().unwrap();
    create_role(&node, &role, "keys.read").await;
    let caller = NewKey { roles: vec![], permissions: vec!["keys.*".parse().unwrap()], ..new_key("system") };
    let caller = node.try_key(caller).await;
    let session = node.session(&caller.api_key).await.unwrap();
    let new = NewKey { roles: vec![role.role.clone()], ..new_key("system") };

    let gate = &node.store.gate;
    gate.hold_roles();
    let call_of_caller = by(session);
    let (created, ()) = tokio::join!(node.service.create_key(&call_of_caller, new), async {
        // Whether it exists, the roles of the caller, and then those of the new key.
        gate.release_roles(4).await;
        node.service.delete_role(&call(), &role, "", false).await.unwrap();
        gate.release_roles(1).await;
        create_role(&node, &role, "*").await;
        gate.release_all_roles();
    });
    let refused = created.unwrap_err();
    assert!(matches!(refused, Error::GrantExceedsCaller { .. }), "{refused:?}");
}

/// The change waits for its turn while its caller is cut off on the same node: what is answered afterwards is refused.
#[tokio::test]
async fn a_caller_that_is_cut_off_while_its_change_waits_makes_nothing() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MySql] {
        let database = fresh(kind).await;
        let node = Node::on(&database, LIMITS).await;
        node.create_project("acme").await;
        let lesser =
            KeyPatch { permissions: Some(vec!["keys.read".parse().unwrap()]), ..KeyPatch::default() };
        let elsewhere = KeyPatch { customers: Some(vec!["other".parse().unwrap()]), ..KeyPatch::default() };
        let renamed = KeyPatch { display_name: Some("Renamed".parse().unwrap()), ..KeyPatch::default() };
        for how in ["revoked", "expired", "ending", "lesser", "elsewhere", "renamed", "account disabled"] {
            let caller = NewKey {
                roles: vec![],
                permissions: vec!["keys.*".parse().unwrap()],
                customers: vec!["acme".parse().unwrap()],
                expiry: Expiry::In(HOUR),
                ..new_key("system")
            };
            let caller = node.try_key(caller).await;
            let call_of_caller = by(node.session(&caller.api_key).await.unwrap());
            let update = async |patch: &KeyPatch| {
                node.service.update_key(&call(), &caller.name, "", patch).await.unwrap();
            };
            // So that the database is asked what the caller may do.
            if how == "ending" {
                update(&renamed).await;
            }
            let gate = &node.store.gate;
            gate.set(Commits::NextWaits);
            let made = gate.made();
            let (created, ()) =
                tokio::join!(node.service.create_key(&call_of_caller, new_key("acme")), async {
                    gate.one_waits().await;
                    let update = async |patch: &KeyPatch| {
                        node.service.update_key(&call(), &caller.name, "", patch).await.unwrap();
                    };
                    match how {
                        "revoked" => drop(node.revoke(&caller).await),
                        "expired" | "ending" => node.clock.advance(HOUR),
                        "lesser" => update(&lesser).await,
                        "elsewhere" => update(&elsewhere).await,
                        "renamed" => update(&renamed).await,
                        _ => cut(&node, &caller, how).await,
                    }
                    gate.set(Commits::Answered);
                });
            let others = usize::from(!["expired", "ending"].contains(&how));
            let refused = match (how, created) {
                ("renamed", created) => {
                    created.unwrap();
                    assert_eq!(gate.made(), made + others + 1, "{kind:?}");
                    continue;
                }
                (_, created) => created.unwrap_err(),
            };
            let as_expected = match how {
                "lesser" => matches!(refused, Error::PermissionDenied { permission: "keys.create" }),
                "elsewhere" => matches!(refused, Error::NotFound { .. }),
                _ => matches!(refused, Error::Unauthenticated),
            };
            assert!(as_expected, "{kind:?}, {how}: {refused:?}");
            assert_eq!(gate.made(), made + others, "{kind:?}, {how}");
        }
    }
}
