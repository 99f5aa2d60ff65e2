//! Keys of the system project from before there were roles: the first start of this version gives them the role `root`.

use std::sync::Arc;

use domain::{
    digest::Peppers,
    filter::Filter,
    id::ProjectId,
    key::Key,
    page::{Order, Page},
    project::KeyPolicy,
    query::KeyOrder,
};
use keystile::{
    app::World,
    ports::{AdminStore, ReadKeys, ReadLog, keys::KeyQuery},
    store::SqlStore,
    verbs::{Call, Caller, RootKey, Service, Upgraded},
};
use testkit::database::{Database, Kind};

use crate::sample::{acme, first_page, insert_keys, key, key_id, populate};

async fn service(database: &Database) -> (Service, Arc<SqlStore>) {
    let store = Arc::new(database.open().await);
    let World { clock, random } = World::system();
    let peppers = Arc::new(Peppers::new([(1, &[7; 32][..])]).unwrap());
    let admin = store.clone() as Arc<dyn AdminStore>;
    (Service::new(admin, clock, random, peppers, Arc::new(())), store)
}

/// The keys of the system project, deleted ones too.
async fn system_keys(store: &SqlStore) -> Vec<Key> {
    let (project, filter) = (ProjectId::system(), Filter::everything());
    let now = World::system().clock.now();
    let policy = KeyPolicy::default();
    let query = KeyQuery { project: &project, policy: &policy, filter: &filter, show_deleted: true, now };
    let order = Order { by: KeyOrder::CreateTime, descending: false };
    store.keys(query, Page { size: 100, order, after: None }).await.unwrap()
}

fn call() -> Call {
    Call { caller: Caller::keystile(), repeatable: None, validate_only: false }
}

/// Sets columns of keys past the store.
async fn set(database: &Database, what: &str) {
    let quote = if database.kind == Kind::MySql { '`' } else { '"' };
    database.execute(&format!("UPDATE {quote}keys{quote} SET {what}")).await;
}

/// As an older version left them.
const OLD: &str = "roles = NULL, permissions = NULL, customers = '[\"shop\"]'";

pub(crate) async fn keys_from_before_roles_become_root(database: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, [key(1)]).await;
    let (one, _store) = service(database).await;
    let (other, other_store) = service(database).await;
    let RootKey { name: first, .. } = one.bootstrap().await.unwrap().unwrap();
    let RootKey { name: disabled, .. } = one.mint_root_key().await.unwrap();
    let RootKey { name: deleted, .. } = one.mint_root_key().await.unwrap();
    one.disable_key(&call(), &disabled, "").await.unwrap();
    one.delete_key(&call(), &deleted, "").await.unwrap();
    set(database, OLD).await;
    let head = store.head().await.unwrap().revision;

    // Two replicas start at once.
    let (upgraded, also) = tokio::join!(one.give_root_to_old_keys(), other.give_root_to_old_keys());
    let (upgraded, also) = (upgraded.unwrap(), also.unwrap());
    assert_eq!(upgraded.keys + also.keys, 3, "{upgraded:?} {also:?}");
    let keys = system_keys(store).await;
    assert_eq!(keys.len(), 3);
    for key in &keys {
        let roles: Vec<_> = key.roles.iter().map(ToString::to_string).collect();
        let customers: Vec<_> = key.customers.iter().map(ToString::to_string).collect();
        assert_eq!((roles, customers), (vec!["root".to_owned()], vec!["*".to_owned()]));
        assert!(key.permissions.is_empty());
        assert_eq!(key.protected, key.id == first.key);
        assert_eq!(key.disable_time.is_some(), key.id == disabled.key, "nothing else of it changes");
        assert_eq!(key.deletion.is_some(), key.id == deleted.key);
    }
    let events = store.events_from(head + 1, 100).await.unwrap();
    assert_eq!(events.len(), 3, "each has an event of its own");
    for event in events {
        assert_eq!((event.action.as_str(), event.actor_account.as_str()), ("keys.update", ""));
        assert!(event.target.starts_with("projects/system/keys/"), "{}", event.target);
        assert!(event.before.contains("shop") && event.after.contains("root"), "{event:?}");
    }
    let tenant = store.key(&acme(), key_id(1)).await.unwrap().unwrap();
    assert!(tenant.roles.is_empty(), "a key of a tenant stays as it is");

    for service in [&one, &other] {
        assert_eq!(service.give_root_to_old_keys().await.unwrap(), Upgraded::default());
    }
    assert_eq!(store.head().await.unwrap().revision, head + 3, "and that is all");
    other_store.close().await;
}

/// It stays without a role, and keeps no other from being upgraded.
pub(crate) async fn an_old_key_that_cannot_be_read_stops_no_start(database: &Database, store: &SqlStore) {
    let (service, own_store) = service(database).await;
    service.bootstrap().await.unwrap();
    let broken = service.mint_root_key().await.unwrap().name.key;
    service.mint_root_key().await.unwrap();
    set(database, OLD).await;
    set(database, "environment = 'NOT ONE' WHERE protected = FALSE").await;
    let upgraded = service.give_root_to_old_keys().await.unwrap();
    assert_eq!(upgraded, Upgraded { keys: 1, unreadable: 2 });
    assert!(store.key(&ProjectId::system(), broken).await.is_err());
    let page = first_page((), 10);
    assert_eq!(store.keys_from_before_roles(&ProjectId::system(), page).await.unwrap().len(), 2);
    own_store.close().await;
}
