//! ListKeys: orders, and which keys are hidden.

use proto::Key;
use testkit::server::Server;

use crate::calls::{
    DAY, HOUR, assert_invalid, assert_not_found, deletion, disabling, lives, revocation, texts,
};

pub(super) fn asked(filter: &str, order_by: &str) -> proto::ListKeysRequest {
    proto::ListKeysRequest {
        parent: "projects/acme".into(),
        filter: filter.into(),
        order_by: order_by.into(),
        ..Default::default()
    }
}

/// The display names of what is listed.
pub(super) async fn names(server: &Server, request: proto::ListKeysRequest) -> Vec<String> {
    let listed = server.list(request).await.unwrap();
    assert_eq!(listed.next_page_token, "");
    listed.keys.into_iter().map(|key| key.display_name).collect()
}

/// Five keys in addition to the system key, created an hour apart, and one that is deleted:
/// ACTIVE, DISABLED, REVOKED, EXPIRED and ACTIVE with a future expiry, the last one used at the fifth hour.
pub(super) async fn populated() -> (Server, Vec<Key>) {
    let server = Server::start().await;
    server.project("acme").await;
    server.account("acme", "billing", "Billing").await;
    let key = |name: &str, environment: &str, tags: &[&str]| Key {
        display_name: name.into(),
        environment: environment.into(),
        tags: texts(tags),
        ..Default::default()
    };
    let wanted = [
        Key {
            service_account: "projects/acme/serviceAccounts/billing".into(),
            ..key("Billing service", "production", &["team:web", "core"])
        },
        key("billing-worker (EU)", "staging", &["team:web"]),
        key("Search", "development", &["core"]),
        Key { expiration: lives(HOUR), ..key("Ärger \"quoted\"", "production", &[]) },
        Key { expiration: lives(9 * DAY), ..key("Tester", "production", &["team"]) },
        key("Deleted", "production", &["core"]),
    ];
    let mut made = Vec::new();
    let mut last_api_key = String::new();
    for key in wanted {
        server.clock.advance(HOUR);
        let deleted = key.display_name == "Deleted";
        let (key, api_key) = server.key("acme", key).await;
        if !deleted {
            last_api_key = api_key;
        }
        made.push(key);
    }
    server.disable(disabling(&made[1].name)).await.unwrap();
    server.revoke(revocation(&made[2].name)).await.unwrap();
    server.delete(deletion(&made[5].name)).await.unwrap();
    server.code(&last_api_key).await;
    // A stop writes the pending uses.
    (server.restart_with(&[]).await, made)
}

pub(super) const ALL: [&str; 6] =
    ["System key", "Billing service", "billing-worker (EU)", "Search", "Ärger \"quoted\"", "Tester"];

#[tokio::test]
async fn deleted_keys_are_listed_only_on_request() {
    let (server, made) = populated().await;
    let shown = |filter: &str| proto::ListKeysRequest { show_deleted: true, ..asked(filter, "") };
    assert_eq!(names(&server, shown("")).await.len(), ALL.len() + 1);
    assert_eq!(names(&server, shown("state = DELETED")).await, ["Deleted"]);
    assert_eq!(names(&server, shown("tags:core AND NOT state = REVOKED")).await, [ALL[1], "Deleted"]);
    let listed = server.list(shown("state = DELETED")).await.unwrap().keys;
    assert_eq!(listed, [server.get(&made[5].name).await.unwrap()]);
}

#[tokio::test]
async fn each_order_has_both_directions() {
    let (server, _) = populated().await;
    let [system, billing, worker, search, anger, tester] = ALL;
    let orders: [(&str, [&str; 6]); 2] =
        [("create_time", ALL), ("display_name", [billing, search, system, tester, worker, anger])];
    for (order, mut expected) in orders {
        assert_eq!(names(&server, asked("", order)).await, expected);
        assert_eq!(names(&server, asked("", &format!("{order} asc"))).await, expected);
        expected.reverse();
        assert_eq!(names(&server, asked("", &format!("{order} desc"))).await, expected);
    }
    assert_eq!(names(&server, asked("", "")).await, ALL);

    // Keys that were never used come first, those that never expire come last.
    let used = names(&server, asked("", "last_used_time")).await;
    assert_eq!(used[5], tester);
    let used = names(&server, asked("", "last_used_time desc")).await;
    assert_eq!(used[0], tester);
    let ending = names(&server, asked("", "expire_time")).await;
    assert_eq!(ending[..2], [anger, tester]);
    let ending = names(&server, asked("", "expire_time desc")).await;
    assert_eq!(ending[4..], [tester, anger]);
}

#[tokio::test]
async fn every_wrong_field_is_reported_at_once() {
    let server = Server::start().await;
    server.project("acme").await;
    for order in ["color", "create_time down", "create_time desc asc", "Create_time", "create_time,name"] {
        let status = server.list(asked("", order)).await.unwrap_err();
        assert_invalid(&status, &["order_by"]);
    }
    let request = proto::ListKeysRequest {
        parent: "projects/-".into(),
        page_size: -1,
        ..asked("color = red", "color")
    };
    let status = server.list(request).await.unwrap_err();
    assert_invalid(&status, &["parent", "filter", "order_by", "page_size"]);
    let request = proto::ListKeysRequest { parent: "projects/nowhere".into(), ..Default::default() };
    assert_not_found(&server.list(request).await.unwrap_err(), "projects/nowhere");
}
