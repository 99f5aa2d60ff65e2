//! What a grant was checked against still holds when it is made: here something changes between the check and the commit.

use std::sync::Arc;

use domain::name::RoleName;
use keystile::verbs::{Call, Caller, Error, KeyPatch, NewKey, NewRole, RolePatch};

use crate::{
    gate::Commits,
    node::{LIMITS, Node, TestKey, call, new_key},
};

/// A key of the system project, for all projects.
pub(crate) fn holding(roles: &[&str], permissions: &[&str]) -> NewKey {
    NewKey {
        roles: roles.iter().map(|it| it.parse().unwrap()).collect(),
        permissions: permissions.iter().map(|it| it.parse().unwrap()).collect(),
        ..new_key("system")
    }
}

/// The role `keeper` of the system project.
pub(crate) fn keeper(permission: &str) -> NewRole {
    NewRole {
        project: "system".parse().unwrap(),
        id: "keeper".parse().unwrap(),
        display_name: "".parse().unwrap(),
        description: "".parse().unwrap(),
        permissions: vec![permission.parse().unwrap()],
        endpoints: vec![],
    }
}

impl Node {
    async fn as_caller(&self, key: &TestKey) -> Call {
        let session = Arc::new(self.session(&key.api_key).await.unwrap());
        Call { caller: Caller::of(&session, String::new(), ""), ..call() }
    }

    async fn leave(&self, key: &TestKey, roles: &[&str], permissions: &[&str]) {
        let NewKey { roles, permissions, .. } = holding(roles, permissions);
        let patch = KeyPatch { roles: Some(roles), permissions: Some(permissions), ..KeyPatch::default() };
        self.service.update_key(&call(), &key.name, "", &patch).await.unwrap();
    }

    pub(crate) async fn make_keeper(&self, permission: &str) {
        let name: RoleName = "projects/system/roles/keeper".parse().unwrap();
        let permissions = Some(keeper(permission).permissions);
        let patch = RolePatch { permissions, ..RolePatch::default() };
        self.service.update_role(&call(), &name, "", &patch).await.unwrap();
    }

    /// Asserts that `grant`, whose first commit comes after `change`, is refused.
    #[track_caller]
    fn assert_overtaken<T>(
        &self,
        what: &str,
        grant: impl Future<Output = Result<T, Error>>,
        change: impl Future<Output = ()>,
    ) -> impl Future<Output = ()> {
        let gate = &self.store.gate;
        async move {
            gate.set(Commits::NextWaits);
            let (granted, ()) = tokio::join!(grant, async {
                gate.one_waits().await;
                change.await;
                gate.set(Commits::Answered);
            });
            match granted {
                Err(Error::GrantExceedsCaller { .. } | Error::Unauthenticated) => {}
                Err(error) => panic!("{what}: {error}"),
                Ok(_) => panic!("{what}: it was made"),
            }
        }
    }
}

/// Whatever the caller holds it by, and whatever it makes.
#[tokio::test]
async fn a_caller_that_loses_what_it_hands_on_is_refused() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.service.create_role(&call(), keeper("audit.read")).await.unwrap();
    let given = node.try_key(holding(&[], &["audit.read"])).await;
    node.service.disable_service_account(&call(), &given.account, "").await.unwrap();
    for (roles, permissions) in [(&["root"][..], &[][..]), (&[], &["audit.read"]), (&["keeper"], &[])] {
        let caller = node.try_key(holding(roles, permissions)).await;
        let by = node.as_caller(&caller).await;
        let what = |made: &str| format!("{made} by a caller with {roles:?} and {permissions:?}");
        let lose = || node.leave(&caller, &[], &[]);
        let restore = || node.leave(&caller, roles, permissions);

        let key = node.service.create_key(&by, holding(&[], &["audit.read"]));
        node.assert_overtaken(&what("a key"), key, lose()).await;
        restore().await;
        let role = NewRole { id: "other".parse().unwrap(), ..keeper("audit.read") };
        node.assert_overtaken(&what("a role"), node.service.create_role(&by, role), lose()).await;
        restore().await;
        let account = node.service.enable_service_account(&by, &given.account, "");
        node.assert_overtaken(&what("an account"), account, lose()).await;
        restore().await;

        let disable = async {
            node.service.disable_key(&call(), &caller.name, "").await.unwrap();
        };
        let key = node.service.create_key(&by, holding(&[], &["audit.read"]));
        node.assert_overtaken(&what("a key, disabled meanwhile,"), key, disable).await;
    }
}

#[tokio::test]
async fn a_role_that_the_caller_holds_and_that_shrinks_is_not_handed_on() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.service.create_role(&call(), keeper("audit.read")).await.unwrap();
    let caller = node.try_key(holding(&["keeper"], &[])).await;
    let by = node.as_caller(&caller).await;
    let key = node.service.create_key(&by, holding(&[], &["audit.read"]));
    node.assert_overtaken("a key", key, node.make_keeper("keys.read")).await;
}

/// It has what is given when that is checked, but not what is given by the time of the commit.
#[tokio::test]
async fn what_is_handed_on_grows_to_more_than_the_caller_has() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.service.create_role(&call(), keeper("audit.read")).await.unwrap();
    let caller = node.try_key(holding(&[], &["audit.read"])).await;
    let by = node.as_caller(&caller).await;

    let key = node.service.create_key(&by, holding(&["keeper"], &[]));
    node.assert_overtaken("a role of a key", key, node.make_keeper("keys.read")).await;

    node.make_keeper("audit.read").await;
    let given = node.try_key(holding(&["keeper"], &[])).await;
    let disable = || async {
        node.service.disable_service_account(&call(), &given.account, "").await.unwrap();
    };
    let enable = || node.service.enable_service_account(&by, &given.account, "");
    disable().await;
    node.assert_overtaken("a role of an account's key", enable(), node.make_keeper("keys.read")).await;
    node.make_keeper("audit.read").await;
    node.assert_overtaken("an account's key", enable(), node.leave(&given, &["root"], &[])).await;
    node.leave(&given, &["keeper"], &[]).await;
    let one_more = async {
        let service_account = Some(given.account.service_account.clone());
        node.try_key(NewKey { service_account, ..holding(&["root"], &[]) }).await;
    };
    node.assert_overtaken("one more key of an account", enable(), one_more).await;
}

/// No role is left behind in a project that is gone.
#[tokio::test]
async fn a_role_is_not_created_in_a_project_that_is_deleted_meanwhile() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let role = NewRole { project: "acme".parse().unwrap(), ..keeper("audit.read") };
    let by = call();
    node.store.gate.set(Commits::NextWaits);
    let (created, ()) = tokio::join!(node.service.create_role(&by, role), async {
        node.store.gate.one_waits().await;
        node.service.delete_project(&call(), &"acme".parse().unwrap(), "", false).await.unwrap();
        node.store.gate.set(Commits::Answered);
    });
    assert!(matches!(created, Err(Error::NotFound { .. })), "{created:?}");
}
