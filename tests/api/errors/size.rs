//! The size of errors: clients accept 8 KiB of trailers.

use proto::{CreateKeyRequest, Key, ListKeysRequest, UpdateKeyRequest};
use testkit::{server::Server, status::reason};
use tonic::{Code, Status, codegen::http::HeaderMap};
use tonic_types::StatusExt;

/// The size of all its trailers on the wire.
fn trailers(status: &Status) -> usize {
    let mut headers = HeaderMap::new();
    status.add_header(&mut headers).unwrap();
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}

#[track_caller]
fn assert_small(status: &Status) {
    // Trailers that are much too large do not arrive at all.
    assert_eq!(reason(status, Code::InvalidArgument), "INVALID_ARGUMENT");
    assert!(trailers(status) < 8 * 1024, "{}: {status:?}", trailers(status));
}

async fn create(server: &Server, key: Key) -> Status {
    let request = CreateKeyRequest { parent: "projects/acme".into(), key: Some(key), ..Default::default() };
    server.keys().create_key(request).await.unwrap_err()
}

#[tokio::test]
async fn of_many_faults_ten_are_listed_and_the_others_counted() {
    let server = Server::start().await;
    server.project("acme").await;
    let bad = |number: usize| format!("10.0.0.0/{number}");
    let refused = create(
        &server,
        Key {
            environment: "production".into(),
            allowed_cidrs: (40..100).map(bad).collect(),
            ..Default::default()
        },
    )
    .await;
    let fields = refused.get_details_bad_request().unwrap().field_violations;
    assert_eq!(fields.len(), 10);
    assert_eq!(fields[9].field, "key.allowed_cidrs[9]");
    assert!(refused.message().ends_with("; and 50 more"), "{}", refused.message());
    assert_small(&refused);
}

#[tokio::test]
async fn no_request_makes_an_error_too_large() {
    let server = Server::start().await;
    server.project("acme").await;
    for text in ["ü", "\u{10ffff}", "\"", "x"] {
        let long = text.repeat(10_000);
        let all = Key {
            display_name: long.clone(),
            environment: long.clone(),
            service_account: long.clone(),
            tags: vec![long.clone(); 5],
            customers: vec![long.clone(); 5],
            allowed_cidrs: vec![long.clone(); 5],
            metadata: [(long.clone(), long.clone())].into(),
            ..Default::default()
        };
        assert_small(&create(&server, all).await);
        let listed = ListKeysRequest {
            parent: "projects/acme".into(),
            filter: text.repeat(1500),
            order_by: long.clone(),
            ..Default::default()
        };
        assert_small(&server.keys().list_keys(listed).await.unwrap_err());
        let update_mask = Some(prost_types::FieldMask { paths: vec![text.repeat(1000); 100] });
        let update = UpdateKeyRequest { update_mask, key: Some(Key::default()), ..Default::default() };
        assert_small(&server.keys().update_key(update).await.unwrap_err());
        let request = CreateKeyRequest { parent: long.clone(), request_id: long, ..Default::default() };
        assert_small(&server.keys().create_key(request).await.unwrap_err());
    }
}
