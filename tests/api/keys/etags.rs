//! Etags: a change with the etag of another state of the key is refused.

use proto::{Key, key::State};
use testkit::server::Server;

use crate::calls::{assert_stale, deletion, disabling};

use super::operation::Operation;

#[tokio::test]
async fn a_stale_etag_is_refused_with_the_current_one() {
    let server = Server::start().await;
    server.project("acme").await;
    for operation in Operation::ALL {
        let (first, _) = server.key("acme", Key::default()).await;
        let second = match operation {
            // The same update twice is one change.
            Operation::Enable | Operation::Update => server.disable(disabling(&first.name)).await.unwrap(),
            Operation::Undelete => server.delete(deletion(&first.name)).await.unwrap(),
            _ => Operation::Update.run(&server, &first.name, "").await.unwrap(),
        };
        assert_ne!(first.etag, second.etag);
        for stale in [first.etag.as_str(), "0", "W/\"x\""] {
            let status = server.refused(operation.run(&server, &first.name, stale)).await;
            assert_stale(&status, &second);
        }
        assert_eq!(server.get(&first.name).await.unwrap(), second);
        let third = operation.run(&server, &first.name, &second.etag).await.unwrap();
        // The response of a purge has the key as it last was.
        assert_eq!(third.etag == second.etag, operation == Operation::Purge, "{operation:?}");
    }
}

#[tokio::test]
async fn of_concurrent_changes_with_one_etag_one_is_made() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    let (updated, rotated, disabled) = tokio::join!(
        Operation::Update.run(&server, &key.name, &key.etag),
        Operation::Rotate.run(&server, &key.name, &key.etag),
        Operation::Disable.run(&server, &key.name, &key.etag),
    );
    let now = server.get(&key.name).await.unwrap();
    let (made, refused): (Vec<_>, Vec<_>) = [updated, rotated, disabled].into_iter().partition(Result::is_ok);
    let made: Vec<_> = made.into_iter().map(Result::unwrap).collect();
    assert_eq!(made, std::slice::from_ref(&now));
    assert_eq!(refused.len(), 2);
    for status in refused {
        assert_stale(&status.unwrap_err(), &now);
    }
}

#[tokio::test]
async fn concurrent_changes_without_an_etag_are_all_made() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    let (updated, rotated, disabled) = tokio::join!(
        Operation::Update.run(&server, &key.name, ""),
        Operation::Rotate.run(&server, &key.name, ""),
        Operation::Disable.run(&server, &key.name, ""),
    );
    for done in [updated, rotated, disabled] {
        done.unwrap();
    }
    let now = server.get(&key.name).await.unwrap();
    assert_eq!(now.display_name, "Updated");
    assert_eq!(now.secrets[0].version, 2);
    assert_eq!(now.state(), State::Disabled);
    assert_eq!(server.revision().await, key.revision + 3);
}
