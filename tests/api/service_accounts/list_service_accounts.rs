//! ListServiceAccounts.

use std::time::Duration;

use domain::time::Timestamp;
use proto::{
    CreateServiceAccountRequest, ListServiceAccountsRequest, ListServiceAccountsResponse, ServiceAccount,
};
use testkit::{
    server::{START, Server},
    status::{assert_invalid, assert_not_found, metadata, reason},
};
use tonic::{Code, Status};

use super::{SYSTEM, disable};

fn acme() -> ListServiceAccountsRequest {
    ListServiceAccountsRequest { parent: "projects/acme".into(), ..Default::default() }
}

async fn list(
    server: &Server,
    request: ListServiceAccountsRequest,
) -> Result<ListServiceAccountsResponse, Status> {
    let listed = server.accounts().list_service_accounts(request).await;
    listed.map(|listed| listed.into_inner())
}

fn ids(accounts: &[ServiceAccount]) -> Vec<&str> {
    let id = |account: &ServiceAccount| account.name.rfind('/').unwrap() + 1;
    accounts.iter().map(|it| &it.name[id(it)..]).collect()
}

/// A server with `acme` and its accounts a, b, c and d, created a second apart, with names in reverse order.
async fn with_accounts() -> Server {
    let server = Server::start().await;
    server.project("acme").await;
    server.project("other").await;
    server.service_account("other", "x").await;
    for (id, name) in [("a", "delta"), ("b", "charlie"), ("c", "Bravo"), ("d", "alpha")] {
        server.clock.advance(Duration::from_secs(1));
        let request = CreateServiceAccountRequest {
            parent: "projects/acme".into(),
            service_account_id: id.into(),
            service_account: Some(ServiceAccount {
                display_name: name.into(),
                external_id: format!("ext-{id}"),
                ..Default::default()
            }),
            ..Default::default()
        };
        server.accounts().create_service_account(request).await.unwrap();
    }
    server
}

#[tokio::test]
async fn accounts_are_listed_in_each_order() {
    let server = with_accounts().await;
    for (order_by, expected) in [
        ("", ["system", "a", "b", "c", "d"]),
        ("create_time", ["system", "a", "b", "c", "d"]),
        ("create_time desc", ["d", "c", "b", "a", "system"]),
        // By code point, the same on all databases.
        ("display_name", ["c", "system", "d", "b", "a"]),
        ("display_name desc", ["a", "b", "d", "system", "c"]),
        ("  display_name   desc ", ["a", "b", "d", "system", "c"]),
    ] {
        let request = ListServiceAccountsRequest { order_by: order_by.into(), ..acme() };
        let listed = list(&server, request).await.unwrap();
        assert_eq!(ids(&listed.service_accounts), expected, "{order_by}");
        assert_eq!(listed.next_page_token, "");
    }
}

#[tokio::test]
async fn each_filter_selects_its_rows() {
    let server = with_accounts().await;
    disable(&server, "projects/acme/serviceAccounts/b", "").await.unwrap();
    let second = Timestamp::from_micros(START.as_micros() + 2_000_000);
    let from_b = format!("create_time >= \"{second}\"");
    let before_b = format!("create_time < \"{second}\" AND NOT display_name = \"System key\"");
    for (filter, expected) in [
        ("", &["system", "a", "b", "c", "d"][..]),
        ("state = DISABLED", &["b"]),
        ("state != ACTIVE", &["b"]),
        ("state = ACTIVE AND external_id = ext-c", &["c"]),
        ("NOT state = ACTIVE OR external_id = \"ext-a\"", &["a", "b"]),
        ("display_name = delta", &["a"]),
        ("display_name = \"Delta\"", &[]),
        ("external_id != \"\"", &["a", "b", "c", "d"]),
        (&from_b, &["b", "c", "d"]),
        (&before_b, &["a"]),
        ("display_name = \"x' OR '1'='1\"", &[]),
        ("display_name = \"a\0b\"", &[]),
    ] {
        let request = ListServiceAccountsRequest { filter: filter.into(), ..acme() };
        let listed = list(&server, request).await.unwrap();
        assert_eq!(ids(&listed.service_accounts), expected, "{filter}");
    }
}

#[tokio::test]
async fn a_filter_that_does_not_parse_is_refused_with_the_position() {
    let server = with_accounts().await;
    let long = format!("display_name = \"{}\"", "x".repeat(2000));
    for (filter, position) in [
        ("color = red", "1"),
        ("state = ACTIVE color", "16"),
        ("state = SLEEPY", "9"),
        ("state > ACTIVE", "9"),
        ("display_name = \"ü", "16"),
        ("(state = ACTIVE", "16"),
        ("create_time > yesterday", "15"),
        ("metadata = x", "1"),
        ("AND", "4"),
        (&long, "2001"),
    ] {
        let request = ListServiceAccountsRequest { filter: filter.into(), ..acme() };
        let refused = list(&server, request).await.unwrap_err();
        assert_invalid(&refused, &["filter"]);
        assert_eq!(metadata(&refused, "position").as_deref(), Some(position), "{filter}");
    }
}

#[tokio::test]
async fn pages_skip_and_repeat_nothing_in_any_order() {
    let server = with_accounts().await;
    for order_by in ["create_time", "create_time desc", "display_name", "display_name desc"] {
        let request = ListServiceAccountsRequest { order_by: order_by.into(), ..acme() };
        let whole = list(&server, request.clone()).await.unwrap();
        let mut seen = Vec::new();
        let mut page_token = String::new();
        for page_size in [1, 2, 2] {
            let request = ListServiceAccountsRequest { page_size, page_token, ..request.clone() };
            let page = list(&server, request).await.unwrap();
            seen.extend(page.service_accounts);
            page_token = page.next_page_token;
        }
        assert_eq!(seen, whole.service_accounts, "{order_by}");
        assert_eq!(page_token, "");
    }
}

#[tokio::test]
async fn a_page_token_serves_only_its_own_listing() {
    let server = with_accounts().await;
    let first = ListServiceAccountsRequest { page_size: 1, filter: "state = ACTIVE".into(), ..acme() };
    let page_token = list(&server, first.clone()).await.unwrap().next_page_token;
    let next = ListServiceAccountsRequest { page_token: page_token.clone(), ..first };
    let changed = [
        ListServiceAccountsRequest { parent: "projects/other".into(), ..next.clone() },
        ListServiceAccountsRequest { filter: String::new(), ..next.clone() },
        ListServiceAccountsRequest { order_by: "create_time desc".into(), ..next.clone() },
        ListServiceAccountsRequest { page_token: page_token.to_lowercase(), ..next.clone() },
        ListServiceAccountsRequest { page_token: page_token[..page_token.len() - 4].into(), ..next.clone() },
    ];
    for request in changed {
        let refused = list(&server, request).await.unwrap_err();
        assert_eq!(reason(&refused, Code::InvalidArgument), "INVALID_PAGE_TOKEN");
        assert_eq!(metadata(&refused, "field").as_deref(), Some("page_token"));
    }
    let page = list(&server, ListServiceAccountsRequest { page_size: 2, ..next }).await;
    assert_eq!(ids(&page.unwrap().service_accounts), ["a", "b"]);
}

#[tokio::test]
async fn every_wrong_field_is_reported_at_once() {
    let server = with_accounts().await;
    let request = ListServiceAccountsRequest {
        parent: "acme".into(),
        page_size: -1,
        filter: "color = red".into(),
        order_by: "color".into(),
        ..Default::default()
    };
    let refused = list(&server, request).await.unwrap_err();
    assert_invalid(&refused, &["parent", "filter", "order_by", "page_size"]);
    for order_by in ["create_time down", "create_time desc desc", "create_time,display_name"] {
        let request = ListServiceAccountsRequest { order_by: order_by.into(), ..acme() };
        assert_invalid(&list(&server, request).await.unwrap_err(), &["order_by"]);
    }
    let request = ListServiceAccountsRequest { parent: "projects/-".into(), ..Default::default() };
    assert_invalid(&list(&server, request).await.unwrap_err(), &["parent"]);
}

#[tokio::test]
async fn an_unknown_project_is_not_found() {
    let server = Server::start().await;
    assert_not_found(&list(&server, acme()).await.unwrap_err(), "projects/acme");
}

#[tokio::test]
async fn a_new_project_has_the_owner_of_its_system_key() {
    let server = Server::start().await;
    server.project("acme").await;
    let listed = list(&server, acme()).await.unwrap().service_accounts;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].name, SYSTEM);
}
