//! ListKeys, page by page.

use std::collections::BTreeSet;

use proto::Key;
use testkit::{
    server::Server,
    status::{fields, metadata, reason},
};
use tonic::{Code as Grpc, Status};

use crate::calls::{HOUR, deletion, inner, lives};

fn asked(order_by: &str, page_size: i32) -> proto::ListKeysRequest {
    proto::ListKeysRequest {
        parent: "projects/acme".into(),
        order_by: order_by.into(),
        page_size,
        ..Default::default()
    }
}

/// A project with this many keys. Each five were created at the same instant, and two of those share a name.
async fn with_keys(number: u32) -> Server {
    let server = Server::start().await;
    server.project("acme").await;
    for n in 1..number {
        let key = Key {
            display_name: format!("key {}", n % 4),
            expiration: lives(HOUR * (1 + n % 3)),
            ..Default::default()
        };
        server.key("acme", key).await;
        if n % 5 == 0 {
            server.clock.advance(HOUR / 60);
        }
    }
    server
}

/// The names on each page.
async fn pages(server: &Server, mut request: proto::ListKeysRequest) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let page = server.list(request.clone()).await.unwrap();
        pages.push(page.keys.into_iter().map(|key| key.name).collect());
        if page.next_page_token.is_empty() {
            return pages;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn the_pages_are_the_whole_list_in_every_order() {
    let server = with_keys(26).await;
    for order in ["create_time", "display_name", "last_used_time", "expire_time"] {
        for direction in ["", " desc"] {
            let order = format!("{order}{direction}");
            let whole = pages(&server, asked(&order, 1000)).await.concat();
            assert_eq!(whole.len(), 26);
            let paged = pages(&server, asked(&order, 7)).await;
            let sizes: Vec<_> = paged.iter().map(Vec::len).collect();
            assert_eq!(sizes, [7, 7, 7, 5]);
            assert_eq!(paged.concat(), whole, "{order}");
        }
    }
}

/// Keys that are created or deleted between pages cause no other key to be repeated or skipped.
#[tokio::test]
async fn keys_that_come_and_go_cause_no_gap_and_no_repeat() {
    let server = with_keys(26).await;
    for order in ["create_time", "create_time desc", "display_name", "expire_time desc"] {
        let before: BTreeSet<_> = pages(&server, asked(order, 100)).await.concat().into_iter().collect();
        let (doomed, _) = server.key("acme", Key::default()).await;
        let mut request = asked(order, 7);
        let mut seen = Vec::new();
        loop {
            let page = server.list(request.clone()).await.unwrap();
            seen.extend(page.keys.into_iter().map(|key| key.name));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
            for name in ["aa", "key 2", "zz"] {
                let key = Key { display_name: name.into(), expiration: lives(HOUR), ..Default::default() };
                server.key("acme", key).await;
            }
            // The deleted row may be the one after which the next page begins.
            drop(server.delete(deletion(&doomed.name)).await);
        }
        let unique: BTreeSet<_> = seen.iter().cloned().collect();
        assert_eq!(unique.len(), seen.len(), "{order}: a key is repeated");
        assert!(before.is_subset(&unique), "{order}: a key is skipped");
    }
}

#[tokio::test]
async fn the_last_row_of_a_page_may_be_deleted_before_the_next() {
    let server = with_keys(5).await;
    let whole = pages(&server, asked("", 1000)).await.concat();
    // The system key, which cannot be deleted, may be first or second among the keys of the same instant.
    let all = server.list(asked("", 1000)).await.unwrap().keys;
    let size = if all[1].protected { 3 } else { 2 };
    let first = server.list(asked("", size)).await.unwrap();
    let size = first.keys.len();
    server.delete(deletion(&first.keys[size - 1].name)).await.unwrap();
    let next = proto::ListKeysRequest { page_token: first.next_page_token, ..asked("", 100) };
    let next = server.list(next).await.unwrap().keys;
    let names: Vec<_> = next.into_iter().map(|key| key.name).collect();
    assert_eq!(names, whole[size..]);
}

#[tokio::test]
async fn a_page_has_50_keys_by_default() {
    let server = with_keys(52).await;
    let first = server.list(asked("", 0)).await.unwrap();
    assert_eq!(first.keys.len(), 50);
    let next = proto::ListKeysRequest {
        page_token: first.next_page_token,
        // Only the page size may change between pages.
        page_size: i32::MAX,
        ..asked("", 0)
    };
    let next = server.list(next).await.unwrap();
    assert_eq!((next.keys.len(), next.next_page_token.as_str()), (2, ""));
    let exact = server.list(asked("", 52)).await.unwrap();
    assert_eq!((exact.keys.len(), exact.next_page_token.as_str()), (52, ""));
}

#[track_caller]
fn assert_bad_token(status: &Status) {
    assert_eq!(reason(status, Grpc::InvalidArgument), "INVALID_PAGE_TOKEN");
    assert_eq!(metadata(status, "field").as_deref(), Some("page_token"));
    assert_eq!(fields(status), ["page_token"]);
}

#[tokio::test]
async fn a_page_token_serves_only_its_own_listing() {
    let server = with_keys(5).await;
    server.project("other").await;
    let token = server.list(asked("", 2)).await.unwrap().next_page_token;
    let with_token = proto::ListKeysRequest { page_token: token.clone(), ..asked("", 2) };
    let others = [
        proto::ListKeysRequest { parent: "projects/other".into(), ..with_token.clone() },
        proto::ListKeysRequest { filter: "state = ACTIVE".into(), ..with_token.clone() },
        proto::ListKeysRequest { order_by: "display_name".into(), ..with_token.clone() },
        proto::ListKeysRequest { order_by: "create_time desc".into(), ..with_token.clone() },
        proto::ListKeysRequest { show_deleted: true, ..with_token.clone() },
    ];
    for other in others {
        assert_bad_token(&server.list(other).await.unwrap_err());
    }
    let accounts = proto::ListServiceAccountsRequest {
        parent: "projects/acme".into(),
        page_size: 2,
        ..Default::default()
    };
    let accounts = inner(server.accounts().list_service_accounts(accounts).await).unwrap();
    let foreign = proto::ListKeysRequest { page_token: accounts.next_page_token.clone(), ..asked("", 2) };
    assert!(!accounts.next_page_token.is_empty());
    assert_bad_token(&server.list(foreign).await.unwrap_err());
    server.list(with_token).await.unwrap();
}

#[tokio::test]
async fn an_edited_page_token_is_refused() {
    let server = with_keys(5).await;
    let token = server.list(asked("", 2)).await.unwrap().next_page_token;
    let mut edited = vec![
        "x".to_owned(),
        "!".into(),
        format!("{token}A"),
        token[1..].into(),
        token.to_lowercase(),
        token.repeat(2),
    ];
    for at in 0..token.len() {
        let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
        let mut changed = token.clone();
        changed.replace_range(at..=at, other);
        edited.push(changed);
    }
    for page_token in edited {
        let request = proto::ListKeysRequest { page_token, ..asked("", 2) };
        assert_bad_token(&server.list(request).await.unwrap_err());
    }
}
