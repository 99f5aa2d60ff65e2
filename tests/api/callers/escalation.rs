//! No sequence of calls by a caller ends with a credential that may do more than the caller.

use domain::{
    access::{Access, Grant, Holding, Projects},
    id::ProjectId,
    labels::Customer,
    role::built_in,
    time::Timestamp,
};
use proptest::{prelude::*, test_runner::TestCaseResult};
use proto::{
    CreateKeyRequest, EnableServiceAccountRequest, Key, UpdateKeyRequest, WhoAmIRequest, WhoAmIResponse,
};
use testkit::server::Server;
use tokio::runtime::Runtime;

use crate::calls::{deletion, disabling, enabling, inner, rotation, undeletion};

const ROLES: [&str; 5] = ["root", "project-admin", "auditor", "verifier", "viewer"];
const PERMISSIONS: [&str; 7] =
    ["keys.*", "keys.verify", "*.read", "service_accounts.*", "*.enable", "audit.read", "*"];
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
}

fn given() -> impl Strategy<Value = Given> {
    let some = |of: &'static [&'static str], range| prop::sample::subsequence(of, range);
    (some(&ROLES, 0..=2), some(&PERMISSIONS, 0..=3), some(&PROJECTS, 1..=3))
        .prop_map(|(roles, permissions, projects)| Given { roles, permissions, projects })
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
    ];
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), call).prop_map(|(by, key, call)| Step {
        by,
        key,
        call,
    })
}

impl Given {
    fn key(&self) -> Key {
        let texts = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        Key {
            roles: texts(&self.roles),
            permissions: texts(&self.permissions),
            customers: texts(&self.projects),
            environment: "production".into(),
            ..Default::default()
        }
    }
}

/// What a key, as an answer shows it, may do.
fn held(roles: &[String], permissions: &[String], customers: &[String]) -> (Access, Projects) {
    let all = built_in(&ProjectId::system(), Timestamp::from_micros(0));
    let id = |name: &String| name.rsplit('/').next().map(str::to_owned);
    let roles: Vec<_> = roles.iter().filter_map(id).collect();
    let roles = all.iter().filter(|role| roles.iter().any(|id| id == role.id.as_str()));
    let direct: Vec<Grant> = permissions.iter().map(|it| it.parse().unwrap()).collect();
    let customers: Vec<Customer> = customers.iter().map(|it| it.parse().unwrap()).collect();
    (Access::of(roles, &direct), Projects::stored(&customers))
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
        let caller = caller.key();
        let own = held(&caller.roles, &caller.permissions, &caller.customers);
        let (caller, api_key) = server.key("system", caller).await;
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
        let (access, projects) = held(&now.roles, &now.permissions, &now.customers);
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
            let (access, projects) = held(&[], &permissions, &customers);
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
        // Else most callers could do nothing at all.
        caller.permissions.push("keys.*");
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
