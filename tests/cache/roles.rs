//! Roles: a change of one is one read of it, however many keys hold it, on its own node and on others.

use std::sync::Arc;

use domain::{
    access::{Expression, Projects},
    decision::{Code, Question},
    name::RoleName,
};
use keystile::verbs::{Decision, Error, NewKey, NewRole, RolePatch, VerifyRequest};
use testkit::database::Kind;

use crate::node::{LIMITS, Node, TestKey, call, fresh, new_key, question};

impl Node {
    /// The role `editor` of `acme`, which grants `documents.write`.
    pub(crate) async fn create_role(&self) {
        self.create_role_of("editor", "documents.write").await;
    }

    /// A role of `acme` that grants the permission.
    pub(crate) async fn create_role_of(&self, id: &str, permission: &str) {
        let new = NewRole {
            project: "acme".parse().unwrap(),
            id: id.parse().unwrap(),
            display_name: "".parse().unwrap(),
            description: "".parse().unwrap(),
            permissions: vec![permission.parse().unwrap()],
            endpoints: vec![],
        };
        self.service.create_role(&call(), new).await.unwrap();
    }

    /// The role `editor` grants the permission, and no other.
    pub(crate) async fn grant(&self, permission: &str) -> i64 {
        self.grant_to("editor", permission).await
    }

    pub(crate) async fn grant_to(&self, role: &str, permission: &str) -> i64 {
        let name = RoleName { project: "acme".parse().unwrap(), role: role.parse().unwrap() };
        let permissions = Some(vec![permission.parse().unwrap()]);
        let patch = RolePatch { permissions, ..Default::default() };
        self.service.update_role(&call(), &name, "", &patch).await.unwrap().role.revision
    }

    /// Keys that hold `editor`; every other one has a permission of its own as well.
    pub(crate) async fn holders(&self, number: usize) -> Vec<TestKey> {
        let mut keys = Vec::new();
        for n in 0..number {
            let own = if n % 2 == 0 { vec![] } else { vec!["chat.run".parse().unwrap()] };
            let roles = vec!["editor".parse().unwrap()];
            keys.push(self.try_key(NewKey { roles, permissions: own, ..new_key("acme") }).await);
        }
        keys
    }

    pub(crate) async fn permits(&self, key: &TestKey, permission: &str) -> Code {
        self.ask(key, permission).await.unwrap().code
    }

    /// Whether the key has the permission.
    pub(crate) async fn ask(&self, key: &TestKey, permission: &str) -> Result<Decision, Error> {
        let permission = Some(Arc::new(Expression::parse(permission).unwrap()));
        let asked = Question { permission, ..Question::default() };
        let request = VerifyRequest { question: asked, ..question(&key.api_key, 0) };
        self.verifier.verify(&Projects::All, request).await
    }

    /// Whether all of `keys` have these permissions, as one code each.
    pub(crate) async fn assert_permits(&self, keys: &[TestKey], expected: [(&str, Code); 2]) {
        for (number, key) in keys.iter().enumerate() {
            for (permission, code) in expected {
                assert_eq!(self.permits(key, permission).await, code, "{permission} of key {number}");
            }
        }
    }

    /// Reads the log, and forgets what was counted.
    pub(crate) async fn catch_up(&self) {
        self.cache.catch_up().await.unwrap();
        self.store.loads();
        self.store.role_loads();
    }
}

pub(crate) const WRITES: [(&str, Code); 2] =
    [("documents.write", Code::Valid), ("documents.share", Code::MissingPermission)];
const SHARES: [(&str, Code); 2] =
    [("documents.write", Code::MissingPermission), ("documents.share", Code::Valid)];
const NOTHING: [(&str, Code); 2] =
    [("documents.write", Code::MissingPermission), ("documents.share", Code::MissingPermission)];

fn editor() -> RoleName {
    "projects/acme/roles/editor".parse().unwrap()
}

#[tokio::test]
async fn a_change_of_a_role_is_one_read_on_every_node() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MySql] {
        let database = fresh(kind).await;
        let here = Node::on(&database, LIMITS).await;
        let there = Node::on(&database, LIMITS).await;
        here.create_project("acme").await;
        here.create_role().await;
        let keys = here.holders(12).await;
        there.catch_up().await;
        here.store.role_loads();
        for node in [&here, &there] {
            node.assert_permits(&keys, WRITES).await;
            assert_eq!(node.store.role_loads(), 1, "{kind:?}: the first time");
        }
        for (permission, expected) in [("documents.share", SHARES), ("documents.write", WRITES)] {
            let revision = here.grant(permission).await;
            for node in [&here, &there] {
                node.catch_up().await;
                node.assert_permits(&keys, expected).await;
                assert_eq!(node.store.role_loads(), 1, "{kind:?}: {permission}");
                assert_eq!(node.store.loads(), 0, "{kind:?}: no key is read again");
                let decision = node.verify(&keys[0].api_key).await.unwrap();
                assert!(decision.revision >= revision, "{} of {revision}", decision.revision);
            }
        }
        here.service.delete_role(&call(), &editor(), "", true).await.unwrap();
        for node in [&here, &there] {
            node.catch_up().await;
            node.assert_permits(&keys, NOTHING).await;
        }
    }
}

/// The keys depend neither on other roles of the project nor on roles of the same id in other projects.
#[tokio::test]
async fn a_change_of_another_role_is_no_read() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let keys = node.holders(2).await;
    node.assert_permits(&keys, WRITES).await;
    node.create_project("other").await;
    for (project, id) in [("acme", "reader"), ("other", "editor")] {
        let new = NewRole {
            project: project.parse().unwrap(),
            id: id.parse().unwrap(),
            display_name: "".parse().unwrap(),
            description: "".parse().unwrap(),
            permissions: vec!["documents.share".parse().unwrap()],
            endpoints: vec![],
        };
        node.service.create_role(&call(), new).await.unwrap();
    }
    node.catch_up().await;
    node.assert_permits(&keys, WRITES).await;
    assert_eq!((node.store.role_loads(), node.store.loads()), (0, 0));
}

/// Each of the roles is current, but one was read before the other changed.
#[tokio::test]
async fn roles_that_were_read_at_different_times_are_put_together() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let viewer = NewKey { roles: vec!["viewer".parse().unwrap()], ..new_key("acme") };
    let viewer = node.try_key(viewer).await;
    let roles = ["editor", "viewer"].map(|id| id.parse().unwrap()).to_vec();
    let both = node.try_key(NewKey { roles, ..new_key("acme") }).await;
    let editor = node.holders(1).await.remove(0);
    assert_eq!(node.permits(&viewer, "chat.run").await, Code::Valid);
    for (permission, expected) in [("documents.share", SHARES), ("documents.write", WRITES)] {
        node.grant(permission).await;
        for keys in [[editor.clone()], [both.clone()]] {
            node.assert_permits(&keys, expected).await;
        }
        assert_eq!(node.permits(&both, "chat.run AND documents.read").await, Code::Valid);
        assert_eq!(node.permits(&viewer, "chat.run").await, Code::Valid);
        assert!(node.store.role_loads() <= 3, "one for each set of roles at the most");
    }
}
