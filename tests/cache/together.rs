//! Keys and roles that are read at different times: no decision rests on a state that never was.

use domain::{decision::Code, id::RoleId};
use keystile::verbs::{KeyPatch, NewKey};
use testkit::database::{Database, Kind};

use crate::{
    faulty::Mode,
    node::{Following, LIMITS, Node, TestKey, call, fresh, new_key},
};

impl Node {
    async fn holder(&self, roles: &[&str]) -> TestKey {
        let roles = roles.iter().map(|id| id.parse().unwrap()).collect();
        self.try_key(NewKey { roles, ..new_key("acme") }).await
    }

    async fn give(&self, key: &TestKey, roles: &[&str]) {
        let roles: Vec<RoleId> = roles.iter().map(|id| id.parse().unwrap()).collect();
        let patch = KeyPatch { roles: Some(roles), ..KeyPatch::default() };
        self.service.update_key(&call(), &key.name, "", &patch).await.unwrap();
    }
}

const KINDS: [Kind; 3] = [Kind::Sqlite, Kind::Postgres, Kind::MySql];

/// A node that makes the changes, and one that verifies and has yet to follow them.
async fn nodes(kind: Kind) -> (Database, Node, Node) {
    let database = fresh(kind).await;
    let (here, there) = (Node::on(&database, LIMITS).await, Node::on(&database, LIMITS).await);
    here.create_project("acme").await;
    here.create_role().await;
    (database, here, there)
}

/// The key loses the role before the role gains a permission.
#[tokio::test]
async fn a_cached_key_does_not_meet_what_its_role_grants_later() {
    for kind in KINDS {
        let (_database, here, there) = nodes(kind).await;
        let key = here.holder(&["editor"]).await;
        assert_eq!(there.permits(&key, "documents.write").await, Code::Valid);
        here.grant("documents.read").await;
        // The role must be read again, and the key need not be.
        there.catch_up().await;
        here.give(&key, &["viewer"]).await;
        here.grant("admin.delete").await;
        assert_eq!(there.permits(&key, "admin.delete").await, Code::MissingPermission, "{kind:?}");
        assert_eq!(there.permits(&key, "chat.run").await, Code::Valid, "{kind:?}");
    }
}

/// The role loses a permission before the key gains the role.
#[tokio::test]
async fn a_cached_role_is_not_given_to_a_key_that_holds_it_later() {
    for kind in KINDS {
        let (_database, here, there) = nodes(kind).await;
        let (holder, key) = (here.holder(&["editor"]).await, here.holder(&[]).await);
        assert_eq!(there.permits(&holder, "documents.write").await, Code::Valid);
        there.catch_up().await;
        here.grant("documents.read").await;
        here.give(&key, &["editor"]).await;
        assert_eq!(there.permits(&key, "documents.write").await, Code::MissingPermission, "{kind:?}");
        assert_eq!(there.permits(&key, "documents.read").await, Code::Valid, "{kind:?}");
    }
}

/// One role loses a permission before the other gains one: no key ever had both.
#[tokio::test]
async fn roles_are_put_together_only_as_they_were_at_one_time() {
    for kind in KINDS {
        let (_database, here, there) = nodes(kind).await;
        here.create_role_of("sharer", "documents.list").await;
        let [editor, sharer, both] = [&["editor"][..], &["sharer"], &["editor", "sharer"]];
        let editor = here.holder(editor).await;
        let (sharer, both) = (here.holder(sharer).await, here.holder(both).await);
        there.catch_up().await;
        assert_eq!(there.permits(&editor, "documents.write").await, Code::Valid);
        here.grant("documents.read").await;
        here.grant_to("sharer", "documents.share").await;
        assert_eq!(there.permits(&sharer, "documents.share").await, Code::Valid);
        let asked = "documents.write AND documents.share";
        assert_eq!(there.permits(&both, asked).await, Code::MissingPermission, "{kind:?}");
    }
}

/// While the key is read, this node changes both the key and the role.
#[tokio::test]
async fn a_key_that_was_read_before_a_change_does_not_meet_a_role_that_is_read_after_it() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let key = node.holder(&["editor"]).await;
    node.catch_up().await;
    node.store.set(Mode::Holds);
    let (code, ()) = tokio::join!(node.permits(&key, "admin.delete"), async {
        node.store.held(1).await;
        node.give(&key, &["viewer"]).await;
        node.grant("admin.delete").await;
        node.store.set(Mode::Answers);
    });
    assert_eq!(code, Code::MissingPermission);
}

/// While nothing changes, a key and a role that were read at different times cost no read and no poll.
#[tokio::test]
async fn a_role_that_was_read_earlier_is_used_when_the_log_was_followed() {
    let (_database, here, there) = nodes(Kind::Sqlite).await;
    let keys = [here.holder(&["editor"]).await, here.holder(&["editor"]).await];
    there.catch_up().await;
    assert_eq!(there.permits(&keys[0], "documents.write").await, Code::Valid);
    here.create_project("other").await;
    there.catch_up().await;
    let polls = there.store.follows();
    for (key, loads) in [(&keys[1], 1), (&keys[1], 0), (&keys[0], 0)] {
        assert_eq!(there.permits(key, "documents.write").await, Code::Valid);
        assert_eq!((there.store.loads(), there.store.role_loads()), (loads, 0));
    }
    assert_eq!(there.store.follows(), polls);
}

/// A crowd that meets a change which the node has not followed shares one poll, and reads no key again.
#[tokio::test]
async fn all_that_wait_for_the_log_share_a_poll() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let mut keys = Vec::new();
    for _ in 0..20 {
        keys.push(node.holder(&["editor"]).await);
    }
    for key in &keys {
        assert_eq!(node.permits(key, "documents.write").await, Code::Valid);
    }
    node.catch_up().await;
    let polls = node.store.follows();
    node.grant("documents.share").await;
    let codes = keys.iter().map(|key| node.permits(key, "documents.share"));
    let codes = futures_util::future::join_all(codes).await;
    assert_eq!(codes, vec![Code::Valid; 20]);
    assert_eq!((node.store.loads(), node.store.role_loads()), (0, 1));
    assert_eq!(node.store.follows(), polls + 1);
}

/// The read of another key brought what the role grants by now. Before that, this key lost the role.
#[tokio::test]
async fn a_cached_key_does_not_meet_what_was_read_for_another() {
    let (_database, here, there) = nodes(Kind::Sqlite).await;
    let (key, other) = (here.holder(&["editor"]).await, here.holder(&["editor"]).await);
    for key in [&key, &other] {
        assert_eq!(there.permits(key, "documents.write").await, Code::Valid);
    }
    let following = Following::start(&there).await;
    here.grant("documents.read").await;
    there.catch_up().await;
    here.give(&key, &["viewer"]).await;
    here.grant("admin.delete").await;
    // Keys and roles can be read, but not the log.
    there.store.answers_changes(0);
    for key in [&other, &key] {
        assert!(there.ask(key, "admin.delete").await.is_err());
    }
    following.poll_times(2).await;
    let polls = there.store.follows();
    assert!(there.ask(&key, "admin.delete").await.is_err());
    assert_eq!(there.store.follows(), polls, "it waits for a log that cannot be followed");
    there.store.answers_changes(usize::MAX);
    following.poll_once().await;
    assert_eq!(there.permits(&other, "admin.delete").await, Code::Valid);
    assert_eq!(there.permits(&key, "admin.delete").await, Code::MissingPermission);
}

/// Without the log, nothing says whether they were true together, unless they were read at the same point.
#[tokio::test]
async fn what_may_never_have_been_true_is_not_answered_while_the_database_is_gone() {
    let (_database, here, there) = nodes(Kind::Sqlite).await;
    let (holder, key) = (here.holder(&["editor"]).await, here.holder(&["editor"]).await);
    there.store.answers_changes(0);
    assert_eq!(there.permits(&holder, "documents.write").await, Code::Valid);
    there.store.answers_changes(usize::MAX);
    there.catch_up().await;
    here.create_project("other").await;
    there.store.answers_changes(0);
    // Read beyond what was followed, while what the role grants is from before.
    assert!(there.verify(&key.api_key).await.is_err());
    there.store.answers_changes(usize::MAX);
    assert_eq!(there.permits(&key, "documents.write").await, Code::Valid);
}
