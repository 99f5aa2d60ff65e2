//! LookupKey: by an API key, its masked form, or the key's id.

use proto::{Key, lookup_key_request::Query};
use testkit::{
    forge::{damaged, with_wrong_secret},
    server::Server,
    status::reason,
};
use tonic::Code as Grpc;

use crate::calls::{
    Answer, FREE_ID, HOUR, assert_invalid, creation, deletion, purge, revocation, rotation, span,
};

async fn look(server: &Server, parent: &str, query: Query) -> Answer<proto::LookupKeyResponse> {
    let request = proto::LookupKeyRequest { parent: parent.into(), query: Some(query) };
    server.lookup(request).await
}

fn id(key: &Key) -> String {
    key.name.rsplit('/').next().unwrap().into()
}

/// The key that the query finds, with the version of the secret.
async fn found(server: &Server, query: Query) -> (Key, i32) {
    let found = look(server, "projects/acme", query.clone()).await.unwrap();
    let anywhere = look(server, "projects/-", query).await.unwrap();
    assert_eq!(found, anywhere);
    (found.key.unwrap(), found.secret_version)
}

#[tokio::test]
async fn finds_a_key_by_api_key_masked_form_or_id() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    server.key("acme", Key::default()).await;

    assert_eq!(found(&server, Query::ApiKey(api_key.clone())).await, (key.clone(), 1));
    let masked = Query::MaskedApiKey(key.masked_api_key.clone());
    assert_eq!(found(&server, masked).await, (key.clone(), 0));
    assert_eq!(found(&server, Query::KeyId(id(&key))).await, (key.clone(), 0));
    // With surrounding white space, as pasted.
    let pasted = Query::ApiKey(format!(" {api_key}\n"));
    assert_eq!(found(&server, pasted).await, (key.clone(), 1));
    let pasted = Query::MaskedApiKey(format!("{}\r\n", key.masked_api_key));
    assert_eq!(found(&server, pasted).await, (key.clone(), 0));
    // The secret is wrong, but the key is found by its id.
    let wrong = with_wrong_secret(&api_key);
    assert_eq!(found(&server, Query::ApiKey(wrong)).await, (key, 0));
}

#[tokio::test]
async fn finds_a_key_by_its_hyphenated_id() {
    let server = Server::start().await;
    server.project("acme").await;
    let request = proto::CreateKeyRequest { key_id: FREE_ID.into(), ..creation(Key::default()) };
    let key = server.create(request).await.unwrap().key.unwrap();
    let hyphenated = Query::KeyId(FREE_ID.into());
    assert_eq!(found(&server, hyphenated).await, (key.clone(), 0));
    let upper_case = Query::KeyId(FREE_ID.to_uppercase());
    assert_eq!(found(&server, upper_case).await, (key, 0));
}

#[tokio::test]
async fn returns_the_version_of_a_valid_secret() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, first) = server.key("acme", Key::default()).await;
    let request = proto::RotateKeyRequest { grace_period: Some(span(HOUR)), ..rotation(&key.name) };
    let second = server.rotate(request).await.unwrap().api_key;
    let version = async |api_key: &String| found(&server, Query::ApiKey(api_key.clone())).await.1;
    assert_eq!(version(&first).await, 1);
    assert_eq!(version(&second).await, 2);
    server.clock.advance(HOUR);
    assert_eq!(version(&first).await, 0, "its grace period has ended");
    assert_eq!(version(&second).await, 2);
    server.revoke(revocation(&key.name)).await.unwrap();
    assert_eq!(version(&second).await, 2, "the key is revoked, but the secret is the right one");
}

#[tokio::test]
async fn finds_deleted_keys_until_they_are_purged() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let deleted = server.delete(deletion(&key.name)).await.unwrap();
    let queries =
        [Query::ApiKey(api_key), Query::MaskedApiKey(key.masked_api_key.clone()), Query::KeyId(id(&key))];
    for query in queries.clone() {
        assert_eq!(found(&server, query).await.0, deleted);
    }
    server.delete(purge(&key.name)).await.unwrap();
    for query in queries {
        for parent in ["projects/acme", "projects/-"] {
            let status = look(&server, parent, query.clone()).await.unwrap_err();
            assert_eq!(reason(&status, Grpc::NotFound), "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn finds_only_keys_of_the_named_project() {
    let server = Server::start().await;
    server.project("acme").await;
    server.project("other").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    for parent in ["projects/other", "projects/nowhere"] {
        for query in [
            Query::ApiKey(api_key.clone()),
            Query::MaskedApiKey(key.masked_api_key.clone()),
            Query::KeyId(id(&key)),
        ] {
            let status = look(&server, parent, query).await.unwrap_err();
            assert_eq!(reason(&status, Grpc::NotFound), "NOT_FOUND");
            assert!(!status.message().contains(&api_key));
        }
    }
}

#[tokio::test]
async fn a_text_of_the_wrong_form_is_invalid() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let masked = &key.masked_api_key;
    for (query, field) in [
        (Query::ApiKey(String::new()), "api_key"),
        (Query::ApiKey(damaged(&api_key, 40)), "api_key"),
        (Query::ApiKey(api_key[..api_key.len() - 1].into()), "api_key"),
        (Query::ApiKey(format!("{} {}", &api_key[..40], &api_key[40..])), "api_key"),
        (Query::ApiKey(masked.clone()), "api_key"),
        (Query::MaskedApiKey(String::new()), "masked_api_key"),
        (Query::MaskedApiKey(masked.replace('*', "")), "masked_api_key"),
        (Query::MaskedApiKey(masked.replace("****", "***")), "masked_api_key"),
        (Query::MaskedApiKey(id(&key)), "masked_api_key"),
        (Query::MaskedApiKey(api_key.clone()), "masked_api_key"),
        (Query::KeyId(String::new()), "key_id"),
        (Query::KeyId(key.name.clone()), "key_id"),
        (Query::KeyId("01890a5d-ac96-474b-bcce-b302099a8057".into()), "key_id"),
    ] {
        let status = look(&server, "projects/acme", query).await.unwrap_err();
        assert_invalid(&status, &[field]);
        assert!(!status.message().contains(&api_key[33..]), "the error repeats the query");
    }
    let status = look(&server, "acme", Query::KeyId("1".into())).await.unwrap_err();
    assert_invalid(&status, &["parent", "key_id"]);
    let status = server.lookup(Default::default()).await.unwrap_err();
    assert_invalid(&status, &["parent", "query"]);
}

#[tokio::test]
async fn a_truncated_api_key_is_reported_as_such() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    for (query, expected) in [
        (Query::ApiKey(api_key[..api_key.len() - 1].into()), "has 71 characters after its last _"),
        (Query::ApiKey(format!("{api_key}x")), "has 73 characters after its last _"),
        (Query::ApiKey("acme".into()), "is not an API key, which has the form prefix_environment_body"),
        (Query::MaskedApiKey(api_key.clone()), "is not a masked API key"),
        (Query::MaskedApiKey(key.masked_api_key.replace('*', "")), "is not a masked API key"),
    ] {
        let status = look(&server, "projects/acme", query).await.unwrap_err();
        assert!(status.message().contains(expected), "{}", status.message());
    }
}
