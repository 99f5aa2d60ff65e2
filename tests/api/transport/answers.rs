//! Responses that would be larger than clients accept.

use std::collections::BTreeSet;

use prost::Message;
use proto::{
    BatchVerifyRequest, Key, ListAuditEventsRequest, ListAuditEventsResponse, ListKeysRequest, VerifyRequest,
    verify_result::Result::{Decision, Error},
};
use testkit::server::Server;

/// The limit on the size of a response.
const MOST: usize = 3 * 1024 * 1024;
/// This many keys of 20 KB are more than the limit.
const KEYS: usize = 180;

/// A key of the maximum size.
pub(super) fn large() -> Key {
    let metadata = (0..8).map(|number| (format!("m{number}"), "x".repeat(1000)));
    let customers = (0..100).map(|number| format!("{number:0>120}"));
    Key { metadata: metadata.collect(), customers: customers.collect(), ..Default::default() }
}

#[tokio::test]
async fn a_large_page_ends_early_and_the_next_continues() {
    let server = Server::start().await;
    server.project("acme").await;
    let mut made = BTreeSet::new();
    for _ in 0..KEYS {
        made.insert(server.key("acme", large()).await.0.name);
    }
    let (mut pages, mut listed, mut page_token) = (0, BTreeSet::new(), String::new());
    loop {
        let request = ListKeysRequest {
            parent: "projects/acme".into(),
            page_size: 1000,
            page_token,
            ..Default::default()
        };
        let page = server.keys().list_keys(request).await.unwrap().into_inner();
        assert!(page.encoded_len() <= MOST + 1000, "{}", page.encoded_len());
        pages += 1;
        let names = page.keys.into_iter().filter(|key| !key.protected).map(|key| key.name);
        for name in names {
            assert!(listed.insert(name), "each key once");
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, made);
    assert!(pages > 1);

    let request = |page_token| ListAuditEventsRequest {
        parent: "projects/acme".into(),
        page_size: 1000,
        page_token,
        ..Default::default()
    };
    let first = server.audit().list_audit_events(request(String::new())).await.unwrap().into_inner();
    let second: ListAuditEventsResponse =
        server.audit().list_audit_events(request(first.next_page_token.clone())).await.unwrap().into_inner();
    assert!(first.encoded_len() <= MOST + 1000, "{}", first.encoded_len());
    let last = first.audit_events.last().unwrap().revision;
    assert_eq!(second.audit_events[0].revision, last - 1, "newest first, and no event is skipped");
}

#[tokio::test]
async fn results_beyond_the_size_of_a_response_are_errors() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = server.key("acme", large()).await;
    let question = VerifyRequest { api_key, ..Default::default() };
    let request = BatchVerifyRequest { requests: vec![question; 1000] };
    let answer = server.verifier().batch_verify(request).await.unwrap().into_inner();
    assert!(answer.encoded_len() < 4 * 1024 * 1024, "{}", answer.encoded_len());
    let results: Vec<_> = answer.results.into_iter().map(|result| result.result.unwrap()).collect();
    assert_eq!(results.len(), 1000);
    let decided = results.iter().take_while(|result| matches!(result, Decision(_))).count();
    assert!(decided > 100, "{decided}");
    for result in &results[decided..] {
        let Error(error) = result else { panic!("a decision after an error") };
        assert_eq!((error.status_code, error.reason.as_str()), (8, "TOO_LARGE"), "{error:?}");
    }
}
