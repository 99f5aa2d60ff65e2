//! Listing keys by what they may do.

use proto::{CountKeysRequest, Key, ListKeysRequest};
use testkit::{database::Kind, server::Server};

use crate::calls::texts;

async fn listed(server: &Server, filter: &str) -> Vec<String> {
    let request =
        ListKeysRequest { parent: "projects/acme".into(), filter: filter.into(), ..Default::default() };
    let keys = server.keys().list_keys(request).await.unwrap().into_inner().keys;
    let count = CountKeysRequest { parent: "projects/acme".into(), filter: filter.into() };
    let count = server.keys().count_keys(count).await.unwrap().into_inner();
    assert_eq!(usize::try_from(count.active).unwrap(), keys.len(), "{filter}");
    let mut names: Vec<_> = keys.into_iter().map(|key| key.display_name).collect();
    // They were created at one instant, so their order means nothing.
    names.sort();
    names
}

#[tokio::test]
async fn keys_are_found_by_role_and_by_what_they_effectively_may() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MySql] {
        let server = Server::start_on(kind).await;
        server.project("acme").await;
        for (name, roles, permissions) in [
            ("none", &[][..], &[][..]),
            ("viewer", &["viewer"], &[]),
            ("direct", &[], &["documents.read", "a_b.x"]),
            ("below", &[], &["documents.*", "aXb.x"]),
            ("inside", &[], &["team.*.read"]),
            ("shouting", &[], &["Documents.Read"]),
        ] {
            let key = Key {
                display_name: name.into(),
                roles: texts(roles),
                permissions: texts(permissions),
                ..Default::default()
            };
            server.key("acme", key).await;
        }
        for (filter, expected) in [
            (r#"roles:"viewer""#, &["viewer"][..]),
            (r#"roles:"nobody""#, &[]),
            (r#"permissions:"documents.read""#, &["System key", "below", "direct", "viewer"]),
            (r#"permissions:"documents.write""#, &["System key", "below"]),
            (r#"permissions:"documents""#, &["System key"]),
            (r#"permissions:"team.web.api.read""#, &["System key", "inside", "viewer"]),
            (r#"permissions:"team.read""#, &["System key", "viewer"]),
            (r#"permissions:"Documents.Read""#, &["System key", "shouting"]),
            (r#"permissions:"a_b.x""#, &["System key", "direct"]),
            (r#"NOT permissions:"documents.read" AND NOT roles:"viewer""#, &["inside", "none", "shouting"]),
        ] {
            assert_eq!(listed(&server, filter).await, expected, "{kind:?} {filter}");
        }
    }
}
