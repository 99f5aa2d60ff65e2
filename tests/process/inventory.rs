//! Everything that a server has of the project `acme`, and whether it is consistent.

use std::collections::{BTreeMap, BTreeSet};

use proto::{
    AuditEvent, Key, ListAuditEventsRequest, ListKeysRequest, ListServiceAccountsRequest, key::State,
};

use crate::home::Caller;

#[derive(Debug)]
pub(crate) struct Inventory {
    /// Without the system key.
    pub(crate) keys: Vec<Key>,
    /// The names of the accounts, without that of the system key.
    accounts: BTreeSet<String>,
    /// Of all projects, in order.
    events: Vec<AuditEvent>,
}

impl Inventory {
    pub(crate) async fn take(caller: &Caller) -> Self {
        Self { keys: keys(caller).await, accounts: accounts(caller).await, events: events(caller).await }
    }

    /// Checks that each key has its account, its secret and its events, and that there is nothing else.
    pub(crate) async fn is_whole(&self, caller: &Caller) {
        let revisions: Vec<_> = self.events.iter().map(|event| event.revision).collect();
        let gapless: Vec<_> = (1..=caller.whole_log().await).collect();
        assert_eq!(revisions, gapless);

        let owners: BTreeSet<_> = self.keys.iter().map(|key| key.service_account.clone()).collect();
        assert_eq!(owners.len(), self.keys.len(), "each key has an implicit account");
        assert_eq!(owners, self.accounts);

        let mut done: BTreeMap<(&str, &str), i32> = BTreeMap::new();
        for event in &self.events {
            *done.entry((&event.target, &event.action)).or_default() += 1;
        }
        let mut explained = 0;
        for key in &self.keys {
            assert_eq!(key.secrets.len(), 1, "{key:?}");
            let revoked = i32::from(key.state() == State::Revoked);
            for (action, times) in
                [("keys.create", 1), ("keys.rotate", key.secrets[0].version - 1), ("keys.revoke", revoked)]
            {
                let logged = done.get(&(&key.name, action)).copied().unwrap_or_default();
                assert_eq!(logged, times, "{action} of {key:?}");
                explained += times;
            }
            let owner = (key.service_account.as_str(), "serviceAccounts.create");
            assert_eq!(done.get(&owner), Some(&1), "the creation of the owner of {key:?}");
            explained += 1;
        }
        // The other two events created the system project and this one.
        assert_eq!(self.events.len() as i32, explained + 2);
    }
}

/// The keys of the project, without its system key.
pub(crate) async fn keys(caller: &Caller) -> Vec<Key> {
    let mut all = Vec::new();
    let mut request = ListKeysRequest {
        parent: "projects/acme".into(),
        page_size: 1000,
        show_deleted: true,
        ..Default::default()
    };
    loop {
        let page = caller.keys().list_keys(request.clone()).await.unwrap().into_inner();
        all.extend(page.keys.into_iter().filter(|key| !key.protected));
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

async fn accounts(caller: &Caller) -> BTreeSet<String> {
    let system_key = caller.key(&caller.system_key().await).await;
    let mut all = BTreeSet::new();
    let mut request =
        ListServiceAccountsRequest { parent: "projects/acme".into(), page_size: 1000, ..Default::default() };
    loop {
        let page = caller.accounts().list_service_accounts(request.clone()).await.unwrap();
        let page = page.into_inner();
        all.extend(page.service_accounts.into_iter().map(|account| account.name));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert!(all.remove(&system_key.service_account));
    all
}

/// All events, in order.
pub(crate) async fn events(caller: &Caller) -> Vec<AuditEvent> {
    let mut all = Vec::new();
    let mut request =
        ListAuditEventsRequest { parent: "projects/-".into(), page_size: 1000, ..Default::default() };
    loop {
        let page = caller.audit().list_audit_events(request.clone()).await.unwrap().into_inner();
        all.extend(page.audit_events);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    all.sort_by_key(|event| event.revision);
    all
}
