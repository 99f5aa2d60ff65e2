//! No sequence of calls by a caller ends with a credential that may do more than the caller.

use domain::{
    access::{Access, Grant, Holding, Projects},
    labels::Customer,
};
use proptest::{prelude::*, test_runner::TestCaseResult};
use proto::{
    CreateKeyRequest, CreateRoleRequest, DeleteRoleRequest, EnableServiceAccountRequest, Key,
    ListRolesRequest, Role, UpdateKeyRequest, UpdateRoleRequest, WhoAmIRequest, WhoAmIResponse,
};
use testkit::server::Server;
use tokio::runtime::Runtime;

use crate::calls::{deletion, disabling, enabling, inner, rotation, texts, undeletion};

const ROLES: [&str; 7] = ["root", "project-admin", "auditor", "verifier", "viewer", OWN[0], OWN[1]];
/// Roles that the caller may make; until then they do not exist.
const OWN: [&str; 2] = ["own-1", "own-2"];
const PERMISSIONS: [&str; 7] =
    ["keys.*", "keys.verify", "*.read", "service_accounts.*", "*.enable", "roles.*", "*"];
const PROJECTS: [&str; 4] = ["system", "acme", "shop", "*"];

/// What a key is given.
#[derive(Debug, Clone)]
struct Given {
    roles: Vec<&'static str>,
    permissions: Vec<&'static str>,
    projects: Vec<&'static str>,
}

/// One call, by one of the credentials that the caller has so far, about one of the keys that there are.
#[derive(Debug, Clone)]
struct Step {
    by: prop::sample::Index,
    key: prop::sample::Index,
    call: Call,
}

#[derive(Debug, Clone)]
enum Call {
    Create(Given),
    CreateUnderAccountOf(Given),
    Update(Given),
    Rotate,
    Disable,
    Enable,
    Delete,
    Undelete,
    EnableAccount,
    CreateRole(&'static str, Vec<&'static str>),
    UpdateRole(&'static str, Vec<&'static str>),
    DeleteRole(&'static str),
}

fn given() -> impl Strategy<Value = Given> {
    let some = |of: &'static [&'static str], range| prop::sample::subsequence(of, range);
    (some(&ROLES, 0..=2), some(&PERMISSIONS, 0..=3), some(&PROJECTS, 1..=3))
        .prop_map(|(roles, permissions, projects)| Given { roles, permissions, projects })
}

fn role() -> impl Strategy<Value = (&'static str, Vec<&'static str>)> {
    (prop::sample::select(&OWN[..]), prop::sample::subsequence(&PERMISSIONS[..], 0..=3))
}

fn step() -> impl Strategy<Value = Step> {
    let call = prop_oneof![
        3 => given().prop_map(Call::Create),
        1 => given().prop_map(Call::CreateUnderAccountOf),
        3 => given().prop_map(Call::Update),
        2 => Just(Call::Rotate),
        1 => Just(Call::Disable),
        1 => Just(Call::Enable),
        1 => Just(Call::Delete),
        1 => Just(Call::Undelete),
        1 => Just(Call::EnableAccount),
        2 => role().prop_map(|(id, permissions)| Call::CreateRole(id, permissions)),
        2 => role().prop_map(|(id, permissions)| Call::UpdateRole(id, permissions)),
        1 => role().prop_map(|(id, _)| Call::DeleteRole(id)),
    ];
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), call).prop_map(|(by, key, call)| Step {
        by,
        key,
        call,
    })
}

impl Given {
    fn key(&self) -> Key {
        Key {
            roles: texts(&self.roles),
            permissions: texts(&self.permissions),
            customers: texts(&self.projects),
            environment: "production".into(),
            ..Default::default()
        }
    }
}

/// What a key with these permissions, from wherever it has them, and these customers may do.
fn held(permissions: &[String], customers: &[String]) -> (Access, Projects) {
    let grants: Vec<Grant> = permissions.iter().map(|it| it.parse().unwrap()).collect();
    let customers: Vec<Customer> = customers.iter().map(|it| it.parse().unwrap()).collect();
    (Access::of([], &grants), Projects::stored(&customers))
}

/// What the key, as an answer shows it, may do now.
async fn held_by(server: &Server, key: &Key) -> (Access, Projects) {
    let request = ListRolesRequest { parent: "projects/system".into(), ..Default::default() };
    let roles = server.roles().list_roles(request).await.unwrap().into_inner().roles;
    let of_key = roles.into_iter().filter(|role| key.roles.contains(&role.name));
    let permissions: Vec<_> =
        of_key.flat_map(|role| role.permissions).chain(key.permissions.clone()).collect();
    held(&permissions, &key.customers)
}

struct World {
    server: Server,
    own: (Access, Projects),
    credentials: Vec<String>,
    keys: Vec<Key>,
}

impl World {
    /// With keys that have more than the caller, some of them out of service.
    async fn new(caller: &Given) -> Self {
        let server = Server::start().await;
        let (caller, api_key) = server.key("system", caller.key()).await;
        let own = held_by(&server, &caller).await;
        let mut keys = vec![caller];
        for number in 0..4 {
            let strong = Given { roles: vec!["root"], permissions: vec![], projects: vec!["*"] };
            let (key, _) = server.key("system", strong.key()).await;
            match number {
                0 => drop(server.disable(disabling(&key.name)).await.unwrap()),
                1 => drop(server.delete(deletion(&key.name)).await.unwrap()),
                2 => server.disable_account(&key.service_account).await,
                _ => {}
            }
            keys.push(key);
        }
        Self { server, own, credentials: vec![api_key], keys }
    }

    async fn take(&mut self, step: &Step) -> TestCaseResult {
        let api_key = step.by.get(&self.credentials).clone();
        let target = step.key.get(&self.keys).clone();
        let mut keys = self.server.keys_as(&api_key);
        let create = |given: &Given, service_account: String| CreateKeyRequest {
            parent: "projects/system".into(),
            key: Some(Key { service_account, ..given.key() }),
            ..Default::default()
        };
        let name = target.name.as_str();
        let done = match &step.call {
            Call::Create(given) => match inner(keys.create_key(create(given, String::new())).await) {
                Ok(created) => Ok((created.key.unwrap(), Some(created.api_key))),
                Err(refused) => Err(refused),
            },
            Call::CreateUnderAccountOf(given) => {
                let request = create(given, target.service_account.clone());
                inner(keys.create_key(request).await).map(|it| (it.key.unwrap(), Some(it.api_key)))
            }
            Call::Rotate => {
                inner(keys.rotate_key(rotation(name)).await).map(|it| (it.key.unwrap(), Some(it.api_key)))
            }
            Call::Update(given) => {
                let paths = ["roles", "permissions", "customers"].map(str::to_owned).to_vec();
                let request = UpdateKeyRequest {
                    key: Some(Key { name: name.into(), environment: String::new(), ..given.key() }),
                    update_mask: Some(prost_types::FieldMask { paths }),
                    ..Default::default()
                };
                inner(keys.update_key(request).await).map(|it| (it.key.unwrap(), None))
            }
            Call::Enable => inner(keys.enable_key(enabling(name)).await).map(|it| (it.key.unwrap(), None)),
            Call::Undelete => {
                inner(keys.undelete_key(undeletion(name)).await).map(|it| (it.key.unwrap(), None))
            }
            Call::EnableAccount => {
                let request = EnableServiceAccountRequest {
                    name: target.service_account.clone(),
                    ..Default::default()
                };
                let mut accounts = self.server.accounts_as(&api_key);
                accounts.enable_service_account(request).await.map(|_| (target.clone(), None))
            }
            Call::CreateRole(id, permissions) => {
                let request = CreateRoleRequest {
                    parent: "projects/system".into(),
                    role_id: (*id).into(),
                    role: Some(Role { permissions: texts(permissions), ..Default::default() }),
                    ..Default::default()
                };
                drop(self.server.roles_as(&api_key).create_role(request).await);
                return self.check().await;
            }
            Call::UpdateRole(id, permissions) => {
                let role = Role {
                    name: format!("projects/system/roles/{id}"),
                    permissions: texts(permissions),
                    ..Default::default()
                };
                let paths = vec!["permissions".to_owned()];
                let request = UpdateRoleRequest {
                    role: Some(role),
                    update_mask: Some(prost_types::FieldMask { paths }),
                    ..Default::default()
                };
                drop(self.server.roles_as(&api_key).update_role(request).await);
                return self.check().await;
            }
            Call::DeleteRole(id) => {
                let name = format!("projects/system/roles/{id}");
                let request = DeleteRoleRequest { name, force: true, ..Default::default() };
                drop(self.server.roles_as(&api_key).delete_role(request).await);
                return Ok(());
            }
            // These take away, and need nothing.
            Call::Disable => {
                drop(keys.disable_key(disabling(name)).await);
                return Ok(());
            }
            Call::Delete => {
                drop(keys.delete_key(deletion(name)).await);
                return Ok(());
            }
        };
        let Ok((key, issued)) = done else { return Ok(()) };
        let now = self.server.get(&key.name).await.unwrap();
        let (access, projects) = held_by(&self.server, &now).await;
        let own = Holding { access: &self.own.0, projects: &self.own.1 };
        let excess = own.lacks(Holding { access: &access, projects: &projects });
        prop_assert!(excess.is_none(), "{:?} gave {:?}", step.call, excess);
        self.keys.push(key);
        self.credentials.extend(issued);
        Ok(())
    }

    /// Asks each credential itself what it may do.
    async fn check(&self) -> TestCaseResult {
        for api_key in &self.credentials {
            let answer = self.server.caller_at(self.server.admin, api_key).who_am_i(WhoAmIRequest {}).await;
            let Ok(WhoAmIResponse { permissions, projects, .. }) = inner(answer) else { continue };
            let customer = |name: &String| name.replace("projects/", "").replace('-', "*");
            let customers: Vec<_> = projects.iter().map(customer).collect();
            let (access, projects) = held(&permissions, &customers);
            let own = Holding { access: &self.own.0, projects: &self.own.1 };
            let excess = own.lacks(Holding { access: &access, projects: &projects });
            prop_assert!(excess.is_none(), "a credential has {:?}", excess);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_calls_ends_with_more_than_the_caller(
        mut caller in given(),
        steps in prop::collection::vec(step(), 1..30),
    ) {
        // There is none of these yet.
        caller.roles.retain(|role| !OWN.contains(role));
        // Else most callers could do nothing at all.
        caller.permissions.extend(["keys.*", "roles.*"]);
        caller.projects.push("system");
        for list in [&mut caller.permissions, &mut caller.projects] {
            list.sort();
            list.dedup();
        }
        Runtime::new().unwrap().block_on(async {
            let mut world = World::new(&caller).await;
            for step in &steps {
                world.take(step).await?;
            }
            world.check().await
        })?;
    }
}
