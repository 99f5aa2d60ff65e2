//! Projects, accounts, keys and changes to fill a store with.

use std::collections::BTreeMap;

use domain::{
    audit::{Actor, Change},
    digest::Digest,
    filter::Filter,
    id::{KeyId, ProjectId, ServiceAccountId},
    key::{Key, Sealed, StoredSecret},
    labels::Metadata,
    page::{Order, Page},
    project::{Environments, KeyPolicy, Project, Retention},
    query::{KeyOrder, key_filter, key_order},
    role::Role,
    service_account::ServiceAccount,
    time::Timestamp,
};
use keystile::ports::{
    Commits, ReadKeys,
    commits::{Commit, CommitError, CommitStep},
    keys::KeyQuery,
    write::Write,
};

pub(crate) const NOW: Timestamp = at(1_000_000);

/// This many seconds after the epoch.
pub(crate) const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

pub(crate) fn acme() -> ProjectId {
    "acme".parse().unwrap()
}

/// The `n`th key id; later ones are greater.
pub(crate) fn key_id(n: u64) -> KeyId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    KeyId::new(at(1), random)
}

pub(crate) fn project(id: &str) -> Project {
    Project {
        id: id.parse().unwrap(),
        display_name: "Acme".parse().unwrap(),
        prefix: "acme".parse().unwrap(),
        environments: Environments::default(),
        retention: Retention::default(),
        key_policy: KeyPolicy::default(),
        system_key: key_id(u64::MAX),
        create_time: at(1),
        update_time: at(2),
        revision: 0,
    }
}

pub(crate) fn account(id: &str) -> ServiceAccount {
    ServiceAccount {
        project: acme(),
        id: id.parse().unwrap(),
        generation: 7,
        display_name: format!("The {id} account").parse().unwrap(),
        external_id: "".parse().unwrap(),
        metadata: Metadata::default(),
        created_by: None,
        create_time: at(1),
        update_time: at(2),
        disable_time: None,
        last_used_time: None,
        protected: false,
        implicit: false,
        revision: 0,
    }
}

pub(crate) fn role(id: &str) -> Role {
    Role {
        project: acme(),
        id: id.parse().unwrap(),
        display_name: format!("The {id} role").parse().unwrap(),
        description: "".parse().unwrap(),
        permissions: vec!["documents.*".parse().unwrap()],
        endpoints: vec!["GET /v1/**".parse().unwrap()],
        built_in: false,
        created_by: None,
        create_time: at(1),
        update_time: at(2),
        revision: 0,
    }
}

pub(crate) fn sealed(seed: u8, pepper: u16) -> Sealed {
    Sealed { digest: Digest::from_bytes([seed; 32]), pepper }
}

/// The `n`th key of the account `ci`.
pub(crate) fn key(n: u64) -> Key {
    Key {
        id: key_id(n),
        project: acme(),
        service_account: "ci".parse().unwrap(),
        account_generation: 7,
        environment: "production".parse().unwrap(),
        token_prefix: "acme_live".into(),
        display_name: format!("Key {n}").parse().unwrap(),
        roles: vec![],
        permissions: vec![],
        customers: vec![],
        allowed_cidrs: vec![],
        metadata: Metadata::default(),
        tags: vec![],
        created_by: None,
        create_time: at(10),
        update_time: at(10),
        expire_time: None,
        last_used_time: None,
        disable_time: None,
        revocation: None,
        deletion: None,
        protected: false,
        secrets: vec![StoredSecret::new(1, sealed(1, 1), at(10))],
        revision: 0,
    }
}

pub(crate) fn metadata(entries: &[(&str, &str)]) -> Metadata {
    let entries: BTreeMap<_, _> =
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    entries.try_into().unwrap()
}

pub(crate) fn change(target: &str) -> Change {
    Change {
        time: at(100),
        project: acme(),
        actor: Actor::Keystile,
        action: "keys.create",
        target: target.into(),
        request_id: String::new(),
        peer: String::new(),
        before: None,
        after: Some(serde_json::json!({ "target": target })),
    }
}

pub(crate) fn commit(writes: Vec<Write>) -> Commit {
    commit_of(change("projects/acme"), writes)
}

/// A commit of one step.
pub(crate) fn commit_of(change: Change, writes: Vec<Write>) -> Commit {
    Commit {
        condition: None,
        expect: vec![],
        steps: vec![CommitStep { change, writes }],
        remember: None,
        validate_only: false,
    }
}

/// Makes a change that must succeed.
pub(crate) async fn write(store: &impl Commits, writes: Vec<Write>) -> i64 {
    store.commit(commit(writes)).await.expect("the change succeeds")[0].revision
}

/// Makes a change that must fail.
pub(crate) async fn refused(store: &impl Commits, writes: Vec<Write>) -> CommitError {
    store.commit(commit(writes)).await.expect_err("the change is refused")
}

/// The project `acme` with the account `ci`.
pub(crate) async fn populate(store: &impl Commits) {
    let writes = vec![Write::insert(project("acme")), Write::insert(account("ci"))];
    write(store, writes).await;
}

pub(crate) async fn insert_keys(store: &impl Commits, keys: impl IntoIterator<Item = Key>) {
    write(store, keys.into_iter().map(Write::insert).collect()).await;
}

pub(crate) async fn stored(store: &impl ReadKeys, id: KeyId) -> Key {
    let key = store.key(&acme(), id).await.unwrap();
    key.expect("the key is there")
}

/// All keys that match `filter`, in `order`, read in pages of `size`.
pub(crate) async fn listed(store: &impl ReadKeys, filter: &str, order: &str, size: u64) -> Vec<Key> {
    let mut all = Vec::new();
    let filter = key_filter(filter).unwrap();
    let mut page = Page { size, order: key_order(order).unwrap(), after: None };
    loop {
        let keys = store.keys(query(&filter), page.clone()).await.unwrap();
        assert!(keys.len() as u64 <= size);
        let Some(last) = keys.last() else {
            return all;
        };
        page.after = Some(crate::listing::cursor_at(last, page.order.by));
        all.extend(keys);
    }
}

pub(crate) fn query(filter: &Filter<domain::query::KeyTest>) -> KeyQuery<'_> {
    static PROJECT: std::sync::LazyLock<ProjectId> = std::sync::LazyLock::new(acme);
    static POLICY: std::sync::LazyLock<KeyPolicy> = std::sync::LazyLock::new(KeyPolicy::default);
    KeyQuery { project: &PROJECT, policy: &POLICY, filter, show_deleted: false, now: NOW }
}

pub(crate) fn first_page<K>(by: K, size: u64) -> Page<K> {
    Page { size, order: Order { by, descending: false }, after: None }
}

pub(crate) fn by_creation(size: u64) -> Page<KeyOrder> {
    first_page(KeyOrder::CreateTime, size)
}

pub(crate) fn account_id(id: &str) -> ServiceAccountId {
    id.parse().unwrap()
}
