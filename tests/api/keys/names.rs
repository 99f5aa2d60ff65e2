//! Malformed and unknown names of keys, for every change.

use proto::Key;
use testkit::server::Server;

use crate::calls::{FREE_ID, MALFORMED_NAMES, assert_invalid, assert_not_found};

use super::operation::Operation;

#[tokio::test]
async fn a_name_that_does_not_parse_is_invalid() {
    let server = Server::start().await;
    server.project("acme").await;
    for operation in Operation::ALL {
        for name in MALFORMED_NAMES {
            let status = server.refused(operation.run(&server, name, "")).await;
            assert_invalid(&status, &[operation.name_field()]);
        }
    }
}

#[tokio::test]
async fn a_key_is_found_only_in_its_own_project() {
    let server = Server::start().await;
    server.project("acme").await;
    server.project("other").await;
    let (key, _) = server.key("acme", Key::default()).await;
    let base62 = server.key("acme", Key::default()).await.0.name.replace("projects/acme", "projects/nowhere");
    for operation in Operation::ALL {
        let foreign = key.name.replace("projects/acme", "projects/other");
        for name in [&foreign, &base62] {
            let status = server.refused(operation.run(&server, name, "")).await;
            assert_eq!(status.code(), tonic::Code::NotFound, "{operation:?}");
        }
        let unknown = format!("projects/acme/keys/{FREE_ID}");
        let status = server.refused(operation.run(&server, &unknown, "")).await;
        assert_eq!(status.code(), tonic::Code::NotFound, "{operation:?}");
        let status = server.refused(operation.run(&server, &foreign, "")).await;
        assert_not_found(&status, &foreign);
    }
    assert_eq!(server.get(&key.name).await.unwrap(), key);
}
