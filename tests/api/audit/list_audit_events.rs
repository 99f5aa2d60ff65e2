//! ListAuditEvents: scope, order and pages.

use proto::{ListAuditEventsRequest, ListAuditEventsResponse};
use testkit::{
    server::Server,
    status::{assert_invalid, metadata, reason},
};
use tonic::Code;

use super::{everything, list, six_changes};

fn revisions(page: &ListAuditEventsResponse) -> Vec<i64> {
    page.audit_events.iter().map(|event| event.revision).collect()
}

#[tokio::test]
async fn events_are_newest_first_by_default() {
    let server = Server::start().await;
    six_changes(&server).await;
    for (order_by, expected) in
        [("", [6, 5, 4, 3, 2, 1]), ("revision desc", [6, 5, 4, 3, 2, 1]), ("revision", [1, 2, 3, 4, 5, 6])]
    {
        let request = ListAuditEventsRequest { order_by: order_by.into(), ..everything() };
        let page = list(&server, request).await.unwrap();
        assert_eq!(revisions(&page), expected, "{order_by}");
    }
}

#[tokio::test]
async fn a_project_lists_only_its_own_events() {
    let server = Server::start().await;
    six_changes(&server).await;
    for (parent, expected) in [
        ("projects/-", &[1, 2, 3, 4, 5, 6][..]),
        ("projects/system", &[1]),
        ("projects/acme", &[2, 3, 4, 5]),
        ("projects/other", &[6]),
        ("projects/acm", &[]),
    ] {
        let request = ListAuditEventsRequest { parent: parent.into(), ..everything() };
        let page = list(&server, request).await.unwrap();
        assert_eq!(revisions(&page), expected, "{parent}");
        assert_eq!(page.next_page_token, "");
    }
}

#[tokio::test]
async fn pages_join_up() {
    let server = Server::start().await;
    six_changes(&server).await;
    for order_by in ["revision", "revision desc"] {
        let mut seen = Vec::new();
        let mut page_token = String::new();
        for (page_size, more) in [(1, true), (3, true), (2, false)] {
            let request =
                ListAuditEventsRequest { page_size, page_token, order_by: order_by.into(), ..everything() };
            let page = list(&server, request).await.unwrap();
            seen.extend(revisions(&page));
            page_token = page.next_page_token;
            assert_eq!(!page_token.is_empty(), more);
        }
        if order_by == "revision desc" {
            seen.reverse();
        }
        assert_eq!(seen, [1, 2, 3, 4, 5, 6]);
    }
}

#[tokio::test]
async fn a_page_token_serves_only_its_own_listing() {
    let server = Server::start().await;
    six_changes(&server).await;
    let first = ListAuditEventsRequest { page_size: 2, filter: "revision > 1".into(), ..everything() };
    let page_token = list(&server, first.clone()).await.unwrap().next_page_token;
    let next = ListAuditEventsRequest { page_token, ..first };
    let with_token =
        |page_token: &str| ListAuditEventsRequest { page_token: page_token.into(), ..next.clone() };
    let changed = [
        ListAuditEventsRequest { parent: "projects/acme".into(), ..next.clone() },
        ListAuditEventsRequest { filter: "revision > 2".into(), ..next.clone() },
        ListAuditEventsRequest { order_by: "revision desc".into(), ..next.clone() },
        with_token("4"),
        with_token("%%%"),
        with_token(&next.page_token[2..]),
        with_token(&"A".repeat(4000)),
    ];
    for request in changed {
        let refused = list(&server, request).await.unwrap_err();
        assert_eq!(reason(&refused, Code::InvalidArgument), "INVALID_PAGE_TOKEN");
        assert_eq!(metadata(&refused, "field").as_deref(), Some("page_token"));
    }
    assert_eq!(revisions(&list(&server, next).await.unwrap()), [4, 5]);
}

#[tokio::test]
async fn every_wrong_field_is_reported_at_once() {
    let server = Server::start().await;
    let request = ListAuditEventsRequest {
        parent: "acme".into(),
        page_size: -5,
        filter: "color = red".into(),
        order_by: "event_time".into(),
        ..Default::default()
    };
    let refused = list(&server, request).await.unwrap_err();
    assert_invalid(&refused, &["parent", "filter", "order_by", "page_size"]);
    for parent in ["", "projects/", "projects/*", "projects/acme/keys/-", "-"] {
        let request = ListAuditEventsRequest { parent: parent.into(), ..Default::default() };
        assert_invalid(&list(&server, request).await.unwrap_err(), &["parent"]);
    }
}
