//! ListRoles.

use std::time::Duration;

use domain::time::Timestamp;
use proto::{CreateRoleRequest, ListRolesRequest, ListRolesResponse, Role};
use testkit::{
    server::{START, Server},
    status::{metadata, reason},
};
use tonic::Code;

use crate::calls::{Answer, assert_invalid, assert_not_found, inner};

use super::{create, update, with_project};

fn acme() -> ListRolesRequest {
    ListRolesRequest { parent: "projects/acme".into(), ..Default::default() }
}

async fn list(server: &Server, request: ListRolesRequest) -> Answer<ListRolesResponse> {
    inner(server.roles().list_roles(request).await)
}

fn ids(roles: &[Role]) -> Vec<&str> {
    roles.iter().map(|role| role.name.rsplit('/').next().unwrap()).collect()
}

/// A server with `acme` and its roles a, b and c, made a second apart, named in reverse.
async fn with_roles() -> Server {
    let server = with_project().await;
    server.project("other").await;
    for (id, name) in [("a", "charlie"), ("b", "Bravo"), ("c", "alpha")] {
        server.clock.advance(Duration::from_secs(1));
        let role = Role { display_name: name.into(), ..Default::default() };
        let request = CreateRoleRequest {
            parent: "projects/acme".into(),
            role_id: id.into(),
            role: Some(role),
            ..Default::default()
        };
        create(&server, request).await.unwrap();
    }
    server
}

#[tokio::test]
async fn roles_come_in_the_order_asked_for() {
    let server = with_roles().await;
    for (order_by, expected) in [
        ("", ["privileged", "viewer", "a", "b", "c"]),
        ("create_time", ["privileged", "viewer", "a", "b", "c"]),
        ("create_time desc", ["c", "b", "a", "viewer", "privileged"]),
        // By code point, as all databases agree on.
        ("display_name", ["b", "privileged", "viewer", "c", "a"]),
        ("  display_name   desc ", ["a", "c", "viewer", "privileged", "b"]),
    ] {
        let request = ListRolesRequest { order_by: order_by.into(), ..acme() };
        let listed = list(&server, request).await.unwrap();
        assert_eq!(ids(&listed.roles), expected, "{order_by}");
        assert_eq!(listed.next_page_token, "");
    }
}

#[tokio::test]
async fn filters_choose() {
    let server = with_roles().await;
    server.clock.advance(Duration::from_secs(10));
    let renamed =
        Role { name: "projects/acme/roles/a".into(), display_name: "delta".into(), ..Default::default() };
    update(&server, renamed, &["display_name"]).await.unwrap();
    let second = Timestamp::from_micros(START.as_micros() + 2_000_000);
    let from_b = format!("create_time >= \"{second}\"");
    let changed = format!("update_time > \"{second}\" AND create_time < \"{second}\"");
    for (filter, expected) in [
        ("", &["privileged", "viewer", "a", "b", "c"][..]),
        ("built_in = true", &["privileged", "viewer"]),
        ("built_in = false", &["a", "b", "c"]),
        ("built_in != true AND NOT display_name = Bravo", &["a", "c"]),
        ("display_name = delta OR display_name = \"Viewer\"", &["viewer", "a"]),
        ("display_name = viewer", &[]),
        ("display_name = \"a\0b\"", &[]),
        (&from_b, &["b", "c"]),
        (&changed, &["a"]),
    ] {
        let request = ListRolesRequest { filter: filter.into(), ..acme() };
        assert_eq!(ids(&list(&server, request).await.unwrap().roles), expected, "{filter}");
    }
}

#[tokio::test]
async fn a_filter_that_does_not_parse_says_where() {
    let server = with_roles().await;
    for (filter, position) in [
        ("color = red", "1"),
        ("built_in = yes", "12"),
        ("built_in > true", "12"),
        ("built_in = true color", "17"),
        ("permissions:a", "1"),
        ("update_time > yesterday", "15"),
    ] {
        let request = ListRolesRequest { filter: filter.into(), ..acme() };
        let refused = list(&server, request).await.unwrap_err();
        assert_invalid(&refused, &["filter"]);
        assert_eq!(metadata(&refused, "position").as_deref(), Some(position), "{filter}");
    }
}

#[tokio::test]
async fn pages_lose_and_repeat_nothing_in_any_order() {
    let server = with_roles().await;
    for order_by in ["create_time", "create_time desc", "display_name", "display_name desc"] {
        let request = ListRolesRequest { order_by: order_by.into(), ..acme() };
        let whole = list(&server, request.clone()).await.unwrap();
        let (mut seen, mut page_token) = (Vec::new(), String::new());
        for page_size in [1, 2, 2] {
            let request = ListRolesRequest { page_size, page_token, ..request.clone() };
            let page = list(&server, request).await.unwrap();
            seen.extend(page.roles);
            page_token = page.next_page_token;
        }
        assert_eq!(seen, whole.roles, "{order_by}");
        assert_eq!(page_token, "");
    }
}

/// A client takes 4 MiB.
#[tokio::test]
async fn a_page_ends_before_it_is_too_large_for_a_client() {
    let server = with_project().await;
    let path = |n: usize| format!("GET /{}/{n}", "x".repeat(480));
    for n in 0..16 {
        let role = Role { endpoints: (0..500).map(path).collect(), ..Default::default() };
        let request = CreateRoleRequest {
            parent: "projects/acme".into(),
            role_id: format!("large-{n}"),
            role: Some(role),
            ..Default::default()
        };
        create(&server, request).await.unwrap();
    }
    let filter = "built_in = false".to_owned();
    let first = ListRolesRequest { page_size: 1000, filter, ..acme() };
    let page = list(&server, first.clone()).await.unwrap();
    assert!((10..16).contains(&page.roles.len()), "{}", page.roles.len());
    let rest = list(&server, ListRolesRequest { page_token: page.next_page_token, ..first }).await.unwrap();
    assert_eq!(page.roles.len() + rest.roles.len(), 16);
    assert_eq!(rest.next_page_token, "");
}

#[tokio::test]
async fn a_token_serves_its_own_listing_only() {
    let server = with_roles().await;
    let first = ListRolesRequest { page_size: 1, filter: "built_in = false".into(), ..acme() };
    let page_token = list(&server, first.clone()).await.unwrap().next_page_token;
    let next = ListRolesRequest { page_token: page_token.clone(), ..first };
    let changed = [
        ListRolesRequest { parent: "projects/other".into(), ..next.clone() },
        ListRolesRequest { filter: String::new(), ..next.clone() },
        ListRolesRequest { order_by: "create_time desc".into(), ..next.clone() },
        ListRolesRequest { page_token: page_token.to_lowercase(), ..next.clone() },
    ];
    for request in changed {
        let refused = list(&server, request).await.unwrap_err();
        assert_eq!(reason(&refused, Code::InvalidArgument), "INVALID_PAGE_TOKEN");
    }
    let accounts = proto::ListServiceAccountsRequest {
        parent: "projects/acme".into(),
        page_token,
        ..Default::default()
    };
    let refused = server.accounts().list_service_accounts(accounts).await.unwrap_err();
    assert_eq!(reason(&refused, Code::InvalidArgument), "INVALID_PAGE_TOKEN");
    let page = list(&server, ListRolesRequest { page_size: 2, ..next }).await.unwrap();
    assert_eq!(ids(&page.roles), ["b", "c"]);
}

#[tokio::test]
async fn every_wrong_field_is_told_at_once() {
    let server = with_roles().await;
    let request = ListRolesRequest {
        parent: "acme".into(),
        page_size: -1,
        filter: "color = red".into(),
        order_by: "update_time".into(),
        ..Default::default()
    };
    let refused = list(&server, request).await.unwrap_err();
    assert_invalid(&refused, &["parent", "filter", "order_by", "page_size"]);
    let request = ListRolesRequest { parent: "projects/-".into(), ..Default::default() };
    assert_invalid(&list(&server, request).await.unwrap_err(), &["parent"]);
}

#[tokio::test]
async fn an_unknown_project_is_not_found() {
    let server = Server::start().await;
    assert_not_found(&list(&server, acme()).await.unwrap_err(), "projects/acme");
}
