//! What is written reads back as it was.

use domain::{
    access::Projects,
    digest::Secret,
    key::{Deletion, Key, Revocation, StoredSecret},
    page::{Cursor, Id, SortValue},
    project::{Environment, Project},
    query::AccountOrder,
    service_account::ServiceAccount,
    time::Timestamp,
    token::issue,
};
use keystile::{
    ports::{LoadKeys, ReadKeys, ReadProjects, ReadServiceAccounts, write::Write},
    store::SqlStore,
};
use testkit::database::{Database, Kind};

use crate::sample::{
    account, account_id, acme, at, first_page, insert_keys, key, key_id, metadata, populate, project, sealed,
    stored, write,
};

pub(crate) async fn a_key_reads_back_whole(_: &Database, store: &SqlStore) {
    populate(store).await;
    let full = full_key();
    insert_keys(store, [full.clone(), key(2)]).await;
    assert_same(&stored(store, full.id).await, &Key { revision: 2, ..full });
    let bare = stored(store, key_id(2)).await;
    assert_same(&bare, &Key { revision: 2, ..key(2) });
    let anywhere = store.key_in_any_project(key_id(2)).await.unwrap();
    assert_same(&anywhere.unwrap(), &bare);
}

pub(crate) async fn a_project_reads_back_whole(_: &Database, store: &SqlStore) {
    let environment =
        |id: &str, tag: &str| Environment { id: id.parse().unwrap(), tag: tag.parse().unwrap() };
    let full = Project {
        display_name: "Acme \u{1f680} \"Ltd\" ".parse().unwrap(),
        environments: vec![environment("qa-2", "qa"), environment("production", "live")].try_into().unwrap(),
        retention: std::time::Duration::from_secs(12345).try_into().unwrap(),
        ..project("acme")
    };
    write(store, vec![Write::insert(full.clone())]).await;
    write(store, vec![Write::insert(project("beta"))]).await;
    let found = store.project(&full.id).await.unwrap();
    assert_eq!(found, Some(Project { revision: 1, ..full.clone() }));

    let renamed = Project { display_name: "New".parse().unwrap(), revision: 1, ..full.clone() };
    write(store, vec![Write::update(renamed.clone())]).await;
    let found = store.project(&full.id).await.unwrap();
    assert_eq!(found, Some(Project { revision: 3, ..renamed }));

    // Both were created at one instant: their ids decide the order.
    let page = store.projects(&Projects::All, first_page((), 1)).await.unwrap();
    assert_eq!(page[0].id, full.id);
    let mut next = first_page((), 5);
    next.after = Some(Cursor {
        value: SortValue::Number(page[0].create_time.as_micros()),
        id: Id::Text(page[0].id.to_string()),
    });
    let page = store.projects(&Projects::All, next).await.unwrap();
    assert_eq!(page.len(), 1);
    assert_eq!(page[0].id.as_str(), "beta");
}

pub(crate) async fn an_account_reads_back_whole(_: &Database, store: &SqlStore) {
    populate(store).await;
    let full = ServiceAccount {
        display_name: "Grüße, 世界 \u{1f511}".parse().unwrap(),
        external_id: "crm/42 ".parse().unwrap(),
        metadata: metadata(&[("team", "a \"b\" \\ 'c'"), ("empty", "")]),
        created_by: Some(account_id("root")),
        disable_time: Some(at(30)),
        last_used_time: Some(at(40)),
        protected: true,
        implicit: true,
        generation: i64::MAX,
        ..account("full")
    };
    write(store, vec![Write::insert(full.clone())]).await;
    let found = store.service_account(&acme(), &full.id).await.unwrap();
    assert_eq!(found, Some(ServiceAccount { revision: 2, ..full.clone() }));

    let enabled = ServiceAccount { disable_time: None, last_used_time: None, revision: 2, ..full.clone() };
    write(store, vec![Write::update(enabled.clone())]).await;
    let found = store.service_account(&acme(), &full.id).await.unwrap();
    // An update does not overwrite the last use.
    let expected = ServiceAccount { last_used_time: Some(at(40)), revision: 3, ..enabled };
    assert_eq!(found, Some(expected));

    let ids = [account_id("full"), account_id("gone"), account_id("ci")];
    let names = store.account_labels(&acme(), &ids).await.unwrap();
    assert_eq!(names.len(), 2);
    assert_eq!(names[&ids[0]].display_name, full.display_name);
    assert_eq!(names[&ids[0]].since, full.create_time);
    assert!(store.account_labels(&acme(), &[]).await.unwrap().is_empty());
}

/// As if written before a rule became stricter.
pub(crate) async fn stored_texts_that_break_a_newer_rule_are_read(database: &Database, store: &SqlStore) {
    populate(store).await;
    let revoked =
        Key { revocation: Some(Revocation { time: at(73), reason: "leaked".parse().unwrap() }), ..key(1) };
    insert_keys(store, [revoked]).await;
    let keys = if database.kind == Kind::MySql { "`keys`" } else { "keys" };
    let (name, api_key) = ("a\u{202e}\u{7}e\u{301}", issue("acme_live", key_id(9), &Secret::new([1; 32])));
    let named = format!("SET display_name = '{name}'");
    let labelled = format!("metadata = '{{\"name\":\"{}\"}}'", api_key.expose());
    for edit in [
        format!("UPDATE projects {named}"),
        format!("UPDATE service_accounts {named}, external_id = '{name}', {labelled}"),
        format!(
            "UPDATE {keys} {named}, revoke_reason = '{name}', customers = '[\"u\u{308} \u{200b}\"]', {labelled}"
        ),
    ] {
        database.execute(&edit).await;
    }

    let found = store.project(&acme()).await.unwrap().unwrap();
    assert_eq!(found.display_name.as_str(), name);
    let found = store.service_account(&acme(), &account_id("ci")).await.unwrap().unwrap();
    assert_eq!((found.display_name.as_str(), found.external_id.as_str()), (name, name));
    assert_eq!(found.metadata.entries()["name"], api_key.expose());
    let names = store.account_labels(&acme(), &[account_id("ci")]).await.unwrap();
    assert_eq!(names[&account_id("ci")].display_name.as_str(), name);
    let loaded = store.load(&[key_id(1)]).await.unwrap();
    let loaded = loaded.key(key_id(1)).unwrap().unwrap().key.clone();
    for found in [stored(store, key_id(1)).await, loaded] {
        assert_eq!(found.display_name.as_str(), name);
        assert_eq!(found.revocation.unwrap().reason.as_str(), name);
        assert_eq!(found.metadata.entries()["name"], api_key.expose());
        // Verifications compare customers in normal form.
        assert_eq!(found.customers[0].as_str(), "\u{fc} \u{200b}");
    }
}

pub(crate) async fn nothing_is_found_in_another_project(_: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, [key(1)]).await;
    let other = "other".parse().unwrap();
    assert!(store.project(&other).await.unwrap().is_none());
    assert!(store.key(&other, key_id(1)).await.unwrap().is_none());
    assert!(store.key(&acme(), key_id(2)).await.unwrap().is_none());
    assert!(store.key_in_any_project(key_id(2)).await.unwrap().is_none());
    let account = store.service_account(&other, &account_id("ci")).await;
    assert!(account.unwrap().is_none());
    let names = store.account_labels(&other, &[account_id("ci")]).await;
    assert!(names.unwrap().is_empty());
    let everything = domain::filter::Filter::everything();
    let page = first_page(AccountOrder::CreateTime, 10);
    let accounts = store.service_accounts(&other, &everything, page).await;
    assert!(accounts.unwrap().is_empty());
}

/// A key with something in every field.
pub(crate) fn full_key() -> Key {
    let mut old = StoredSecret::new(1, sealed(7, 1), at(11));
    old.expire_time = Some(at(5000));
    old.last_used_time = Some(at(70));
    Key {
        display_name: "Grüße 'an' \"die\" Welt \\ %_ \u{1f511} ".parse().unwrap(),
        roles: vec![],
        permissions: vec![],
        customers: vec!["cust_1".parse().unwrap(), "ü,\"2\"".parse().unwrap()],
        allowed_cidrs: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        metadata: metadata(&[("team", "core \u{1f680}"), ("quote", "\"'\\")]),
        tags: vec!["team:core".parse().unwrap(), "Web".parse().unwrap()],
        created_by: Some(account_id("root")),
        create_time: Timestamp::from_micros(1_234_567_890_123_456),
        update_time: Timestamp::from_micros(1_234_567_890_123_457),
        expire_time: Some(Timestamp::MAX),
        last_used_time: Some(at(71)),
        disable_time: Some(at(72)),
        revocation: Some(Revocation { time: at(73), reason: "leaked, 'sadly' \u{1f622}".parse().unwrap() }),
        deletion: Some(Deletion { time: at(74), purge_time: at(75) }),
        protected: true,
        secrets: vec![StoredSecret::new(2, sealed(8, 65535), at(12)), old],
        ..key(1)
    }
}

/// Digests have no `==` and no `Debug` of their bytes, so they are compared separately.
pub(crate) fn assert_same(one: &Key, other: &Key) {
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
    for (one, other) in one.secrets.iter().zip(&other.secrets) {
        assert!(one.digest.matches(&other.digest), "version {}", one.version);
    }
}
