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
    role::built_in,
};
use keystile::{
    app::World,
    ports::{AdminStore, ReadKeys, ReadLog, ReadRoles, keys::KeyQuery, write::Write},
    store::SqlStore,
    verbs::{Call, Caller, RootKey, Service, Upgraded},
};
use testkit::database::{Database, Kind};

use crate::sample::{acme, at, first_page, insert_keys, key, key_id, populate, write};

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
const OLD: &str = "roles = NULL, permissions = NULL, customers = '[]'";

fn roles(key: &Key) -> Vec<String> {
    key.roles.iter().map(ToString::to_string).collect()
}

fn customers(key: &Key) -> Vec<String> {
    key.customers.iter().map(ToString::to_string).collect()
}

pub(crate) async fn keys_from_before_roles_become_root(database: &Database, store: &SqlStore) {
    populate(store).await;
    write(store, built_in(&acme(), at(1)).into_iter().map(Write::insert).collect()).await;
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
    let (upgraded, also) = tokio::join!(one.upgrade_access(), other.upgrade_access());
    let (upgraded, also) = (upgraded.unwrap(), also.unwrap());
    assert_eq!(upgraded.keys + also.keys, 3, "{upgraded:?} {also:?}");
    let keys = system_keys(store).await;
    assert_eq!(keys.len(), 3);
    for key in &keys {
        assert_eq!((roles(key), customers(key)), (vec!["root".to_owned()], vec!["*".to_owned()]));
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
        assert!(event.before.contains(r#""roles":[]"#), "{event:?}");
        assert!(event.after.contains(r#""roles":["root"]"#), "{event:?}");
    }
    let tenant = store.key(&acme(), key_id(1)).await.unwrap().unwrap();
    assert!(tenant.roles.is_empty(), "a key of a tenant stays as it is");

    for service in [&one, &other] {
        assert_eq!(service.upgrade_access().await.unwrap(), Upgraded::default());
    }
    assert_eq!(store.head().await.unwrap().revision, head + 3, "and that is all");
    other_store.close().await;
}

/// It was no caller before.
pub(crate) async fn an_old_key_keeps_the_projects_that_it_lists(database: &Database, store: &SqlStore) {
    let (service, own_store) = service(database).await;
    service.bootstrap().await.unwrap();
    set(database, OLD).await;
    set(database, "customers = '[\"shop\",\"acme\"]'").await;
    assert_eq!(service.upgrade_access().await.unwrap().keys, 1);
    let keys = system_keys(store).await;
    assert_eq!(roles(&keys[0]), ["root"]);
    assert_eq!(customers(&keys[0]), ["shop", "acme"]);
    own_store.close().await;
}

/// It was written past the upgrade, by an old replica or from a backup.
pub(crate) async fn after_the_upgrade_a_key_without_roles_holds_nothing(
    database: &Database,
    store: &SqlStore,
) {
    let (service, own_store) = service(database).await;
    service.bootstrap().await.unwrap();
    assert_eq!(service.upgrade_access().await.unwrap(), Upgraded::default());
    set(database, OLD).await;
    let head = store.head().await.unwrap();
    assert_eq!(service.upgrade_access().await.unwrap(), Upgraded::default());
    assert_eq!(store.head().await.unwrap(), head);
    assert!(system_keys(store).await[0].roles.is_empty());
    own_store.close().await;
}

/// A replica without roles created it after another one had changed the schema.
pub(crate) async fn a_project_of_an_old_replica_gets_the_built_in_roles(
    database: &Database,
    store: &SqlStore,
) {
    populate(store).await;
    let (one, _store) = service(database).await;
    let (other, other_store) = service(database).await;
    one.bootstrap().await.unwrap();
    let head = store.head().await.unwrap().revision;
    let (upgraded, also) = tokio::join!(one.upgrade_access(), other.upgrade_access());
    assert_eq!((upgraded.unwrap(), also.unwrap()), (Upgraded::default(), Upgraded::default()));
    let expected = built_in(&acme(), World::system().clock.now());
    let ids: Vec<_> = expected.iter().map(|role| role.id.clone()).collect();
    let mut found = store.roles_named(&acme(), &ids).await.unwrap();
    found.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(found.iter().map(|role| role.id.clone()).collect::<Vec<_>>(), ids);
    for (found, expected) in found.iter().zip(&expected) {
        assert!(found.built_in);
        assert_eq!(found.permissions, expected.permissions);
        assert_eq!(found.endpoints, expected.endpoints);
    }
    let events = store.events_from(head + 1, 100).await.unwrap();
    assert_eq!(events.iter().map(|it| it.action.as_str()).collect::<Vec<_>>(), ["roles.create"; 2]);

    database.execute("DELETE FROM roles WHERE project_id = 'acme'").await;
    one.upgrade_access().await.unwrap();
    assert!(store.roles_named(&acme(), &ids).await.unwrap().is_empty(), "it is done once");
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
    let upgraded = service.upgrade_access().await.unwrap();
    assert_eq!(upgraded, Upgraded { keys: 1, unreadable: 2 });
    assert!(store.key(&ProjectId::system(), broken).await.is_err());
    let page = first_page((), 10);
    assert_eq!(store.keys_from_before_roles(&ProjectId::system(), page).await.unwrap().len(), 2);
    own_store.close().await;
}
