//! ListAuditEvents: filters.

use std::time::Duration;

use domain::time::Timestamp;
use proto::{CreateServiceAccountRequest, Key, ListAuditEventsRequest};
use testkit::{
    server::{START, Server},
    status::{assert_invalid, metadata},
};

use super::{ROOT, everything, list};

/// Seven events, a second apart but the two of the key and its account: two of `acme`, three of `system` after the
/// first, one of `other`; the last but one is by another caller.
async fn with_events() -> (Server, String) {
    let server = Server::start().await;
    let second = Duration::from_secs(1);
    server.clock.advance(second);
    server.project("acme").await;
    server.clock.advance(second);
    server.service_account("acme", "ci").await;
    server.clock.advance(second);
    let (key, api_key) = server.key("system", Key::default()).await;
    server.clock.advance(second);
    let request = CreateServiceAccountRequest {
        parent: "projects/system".into(),
        service_account_id: "made".into(),
        ..Default::default()
    };
    let mut accounts = server.accounts_as(&api_key);
    accounts.create_service_account(request).await.unwrap();
    server.clock.advance(second);
    server.project("other").await;
    (server, key.service_account)
}

async fn revisions(server: &Server, filter: &str) -> Vec<i64> {
    let request = ListAuditEventsRequest { filter: filter.into(), ..everything() };
    let listed = list(server, request).await.unwrap();
    listed.audit_events.iter().map(|event| event.revision).collect()
}

#[tokio::test]
async fn each_filter_selects_its_rows() {
    let (server, other) = with_events().await;
    let at = |seconds: i64| Timestamp::from_micros(START.as_micros() + seconds * 1_000_000);
    for (filter, expected) in [
        (String::new(), &[1, 2, 3, 4, 5, 6, 7][..]),
        (format!("actor = {ROOT}"), &[2, 3, 4, 5, 7]),
        (format!("actor = \"{other}\""), &[6]),
        (format!("actor != {ROOT}"), &[1, 6]),
        ("actor = projects/system/serviceAccounts/nobody".into(), &[]),
        ("action = projects.create".into(), &[1, 2, 7]),
        ("action != \"projects.create\"".into(), &[3, 4, 5, 6]),
        ("action = projects".into(), &[]),
        ("target = projects/acme".into(), &[2]),
        ("target = \"projects/acme/serviceAccounts/ci\"".into(), &[3]),
        ("target != projects/acme AND action = projects.create".into(), &[1, 7]),
        (format!("event_time = \"{}\"", at(2)), &[3]),
        (format!("event_time < \"{}\"", at(2)), &[1, 2]),
        (format!("event_time >= \"{}\" AND event_time <= \"{}\"", at(2), at(4)), &[3, 4, 5, 6]),
        (format!("event_time > \"{}\"", at(5)), &[]),
        ("revision > 4".into(), &[5, 6, 7]),
        ("revision >= 2 AND revision < 4".into(), &[2, 3]),
        ("revision = 3 OR revision = 5".into(), &[3, 5]),
        ("NOT (revision <= 5)".into(), &[6, 7]),
        ("revision != 1 AND NOT action = projects.create".into(), &[3, 4, 5, 6]),
        (format!("revision > {}", i64::MIN), &[1, 2, 3, 4, 5, 6, 7]),
        ("target = \"' OR 1=1 --\"".into(), &[]),
        ("target = \"a\0b\"".into(), &[]),
    ] {
        assert_eq!(revisions(&server, &filter).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn filters_do_not_widen_the_scope() {
    let (server, _) = with_events().await;
    for (parent, expected) in [
        ("projects/-", &[1, 2, 7][..]),
        ("projects/acme", &[2]),
        ("projects/system", &[1]),
        ("projects/other", &[7]),
        ("projects/none", &[]),
    ] {
        let request = ListAuditEventsRequest {
            parent: parent.into(),
            filter: "action = projects.create OR target = x".into(),
            ..everything()
        };
        let listed = list(&server, request).await.unwrap().audit_events;
        let revisions: Vec<_> = listed.iter().map(|event| event.revision).collect();
        assert_eq!(revisions, expected, "{parent}");
    }
}

#[tokio::test]
async fn pages_of_a_filter_skip_and_repeat_nothing() {
    let (server, _) = with_events().await;
    let request = ListAuditEventsRequest {
        filter: "action = projects.create".into(),
        page_size: 2,
        order_by: String::new(),
        ..everything()
    };
    let first = list(&server, request.clone()).await.unwrap();
    // Newer events belong before the first page.
    server.project("later").await;
    let next = ListAuditEventsRequest { page_token: first.next_page_token, ..request };
    let rest = list(&server, next).await.unwrap();
    assert_eq!(rest.next_page_token, "");
    let both = first.audit_events.iter().chain(&rest.audit_events);
    assert!(both.map(|event| event.revision).eq([7, 2, 1]));
}

#[tokio::test]
async fn a_filter_that_does_not_parse_is_refused_with_the_position() {
    let server = Server::start().await;
    let long = format!("action = {}", "x".repeat(1992));
    let deep = format!("{}revision = 1{}", "(".repeat(30), ")".repeat(30));
    for (filter, position) in [
        ("color = red", "1"),
        ("action", "7"),
        ("action ~ x", "8"),
        ("action = ", "10"),
        ("action = keys.create AND", "25"),
        ("action = keys.create actor = x", "22"),
        ("action = \"ü", "10"),
        ("ü = 1", "1"),
        ("action > keys", "10"),
        ("action:keys", "8"),
        ("revision = many", "12"),
        ("revision = 9223372036854775808", "12"),
        ("revision:1", "10"),
        ("event_time > yesterday", "14"),
        ("actor = projects/acme/serviceAccounts/ci", "9"),
        ("actor = root", "9"),
        (&long, "2001"),
        (&deep, "21"),
    ] {
        let request = ListAuditEventsRequest { filter: filter.into(), ..everything() };
        let refused = list(&server, request).await.unwrap_err();
        assert_invalid(&refused, &["filter"]);
        assert_eq!(metadata(&refused, "position").as_deref(), Some(position), "{filter}");
        assert!(refused.message().contains(&format!("at character {position}")));
    }
}
