//! What a caller hands on is checked against what it holds in the database, whatever its node knows.

use std::{sync::Arc, time::Duration};

use domain::name::RoleName;
use keystile::verbs::{Call, Caller, Error, NewKey, NewRole, Session};
use testkit::database::Kind;

use crate::node::{LIMITS, Node, TestKey, call, fresh, new_key};

fn by(session: Session) -> Call {
    Call { caller: Caller::of(&Arc::new(session), String::new()), repeatable: None, validate_only: false }
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
            assert!(matches!(refused, Error::GrantExceedsCaller { .. }), "{kind:?}, {how}: {refused:?}");
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
