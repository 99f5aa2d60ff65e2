//! CountKeys.

use proto::Key;
use testkit::{server::Server, status::metadata};

use crate::calls::{
    HOUR, assert_invalid, assert_not_found, deletion, disabling, inner, lives, purge, revocation, texts,
};

fn counts(active: i64, disabled: i64, revoked: i64, expired: i64, deleted: i64) -> proto::CountKeysResponse {
    proto::CountKeysResponse { active, disabled, revoked, expired, deleted }
}

#[tokio::test]
async fn each_key_counts_in_exactly_one_state() {
    let server = Server::start().await;
    server.project("acme").await;
    server.project("other").await;
    server.key("other", Key::default()).await;
    assert_eq!(server.count("").await.unwrap(), counts(1, 0, 0, 0, 0), "the system key");

    let mut made = Vec::new();
    for n in 0..10 {
        let key = Key {
            tags: if n % 2 == 0 { texts(&["even"]) } else { Vec::new() },
            expiration: if n < 4 { lives(HOUR) } else { None },
            ..Default::default()
        };
        made.push(server.key("acme", key).await.0.name);
    }
    assert_eq!(server.count("").await.unwrap(), counts(11, 0, 0, 0, 0));
    // The first three would expire, were they not also something stronger.
    server.disable(disabling(&made[0])).await.unwrap();
    server.revoke(revocation(&made[1])).await.unwrap();
    server.delete(deletion(&made[2])).await.unwrap();
    server.disable(disabling(&made[4])).await.unwrap();
    server.disable(disabling(&made[5])).await.unwrap();
    server.revoke(revocation(&made[6])).await.unwrap();
    server.delete(purge(&made[7])).await.unwrap();
    server.clock.advance(HOUR);
    assert_eq!(server.count("").await.unwrap(), counts(3, 3, 2, 1, 1));

    for (filter, expected) in [
        ("tags:even", counts(1, 2, 1, 0, 1)),
        ("NOT tags:even", counts(2, 1, 1, 1, 0)),
        ("state = EXPIRED", counts(0, 0, 0, 1, 0)),
        ("state = DELETED OR state = ACTIVE", counts(3, 0, 0, 0, 1)),
        ("environment = staging", counts(0, 0, 0, 0, 0)),
    ] {
        assert_eq!(server.count(filter).await.unwrap(), expected, "{filter}");
    }
}

#[tokio::test]
async fn refuses_what_it_cannot_count() {
    let server = Server::start().await;
    server.project("acme").await;
    let status = server.count("state = ACTIVE AND x").await.unwrap_err();
    assert_invalid(&status, &["filter"]);
    assert_eq!(metadata(&status, "position").as_deref(), Some("21"));
    let count = async |parent: &str, filter: &str| {
        let request = proto::CountKeysRequest { parent: parent.into(), filter: filter.into() };
        inner(server.keys().count_keys(request).await).unwrap_err()
    };
    assert_invalid(&count("acme", "x").await, &["parent", "filter"]);
    assert_invalid(&count("projects/-", "").await, &["parent"]);
    assert_not_found(&count("projects/nowhere", "").await, "projects/nowhere");
}
