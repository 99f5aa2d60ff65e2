//! CreateKey: what it returns and what it creates.

use proto::{Code, Key, key::State};
use testkit::{
    server::Server,
    status::{metadata, reason},
};
use tonic::Code as Grpc;

use crate::calls::{DAY, FREE_ID, HOUR, assert_not_found, at, creation, deletion, ends, lives, purge, texts};

#[tokio::test]
async fn the_response_has_every_field() {
    let server = Server::start().await;
    server.project("acme").await;
    let owner = server.account("acme", "billing", "Billing").await;
    let asked = Key {
        display_name: "Grüße, 世界".into(),
        service_account: owner.clone(),
        environment: "staging".into(),
        customers: texts(&["cust_2", "cust_1", "cust_2"]),
        allowed_cidrs: texts(&["::ffff:10.0.0.0/104", "192.0.2.7", "2001:db8::1", "10.0.0.0/8"]),
        metadata: [("team/eu".into(), "a b".into()), ("empty".into(), String::new())].into(),
        tags: texts(&["team:web", "core", "team:web"]),
        expiration: ends(DAY),
        ..Default::default()
    };
    server.clock.advance(HOUR);
    let created = server.create(creation(asked.clone())).await.unwrap();
    assert!(!created.api_key_already_issued);
    let key = created.key.unwrap();

    let id = key.name.strip_prefix("projects/acme/keys/").unwrap();
    assert!(id.len() == 22 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let body = created.api_key.strip_prefix("acme_stage_").unwrap();
    assert!(body.starts_with(id), "the id is public");
    assert_eq!(body.len(), 22 + 44 + 6);
    assert!(body.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert!(!key.etag.is_empty());

    let expected = Key {
        name: key.name.clone(),
        state: State::Active.into(),
        customers: texts(&["cust_2", "cust_1"]),
        allowed_cidrs: texts(&["10.0.0.0/8", "192.0.2.7/32", "2001:db8::1/128"]),
        tags: texts(&["team:web", "core"]),
        masked_api_key: format!("acme_stage_{id}****"),
        created_by: Some(proto::Creator {
            service_account: "projects/system/serviceAccounts/root".into(),
            display_name: "Root".into(),
        }),
        create_time: Some(at(HOUR)),
        update_time: Some(at(HOUR)),
        secrets: vec![proto::Secret { version: 1, create_time: Some(at(HOUR)), ..Default::default() }],
        etag: key.etag.clone(),
        revision: server.revision().await,
        ..asked
    };
    assert_eq!(key, expected);
    assert_eq!(server.get(&key.name).await.unwrap(), expected);
}

#[tokio::test]
async fn a_key_without_an_owner_gets_an_implicit_service_account() {
    let server = Server::start().await;
    server.project("acme").await;
    let before = server.revision().await;
    let asked = Key { display_name: "Nightly export".into(), ..Default::default() };
    let (key, api_key) = server.key("acme", asked).await;
    assert_eq!(server.revision().await, before + 2, "the account has an event of its own");
    assert_eq!(server.code(&api_key).await, Code::Valid);

    let request = proto::GetServiceAccountRequest { name: key.service_account.clone() };
    let account = server.accounts().get_service_account(request).await.unwrap();
    let account = account.into_inner().service_account.unwrap();
    assert_eq!(account.display_name, "Nightly export");
    assert_eq!(account.created_by, key.created_by);
    assert_eq!((account.revision, key.revision), (before + 1, before + 2));
    assert!(!account.protected);

    let (second, _) =
        server.key("acme", Key { service_account: key.service_account.clone(), ..Default::default() }).await;
    assert_eq!(second.service_account, key.service_account);
    let (other, _) = server.key("acme", Key::default()).await;
    assert_ne!(other.service_account, key.service_account);
}

#[tokio::test]
async fn the_api_key_has_the_tag_of_its_environment() {
    let server = Server::start().await;
    server.project("acme").await;
    for (environment, tag) in [("production", "live"), ("staging", "stage"), ("development", "dev")] {
        let asked = Key { environment: environment.into(), ..Default::default() };
        let (key, api_key) = server.key("acme", asked).await;
        assert_eq!(key.environment, environment);
        assert!(api_key.starts_with(&format!("acme_{tag}_")), "{environment}");
        assert_eq!(server.code(&api_key).await, Code::Valid);
    }
}

#[tokio::test]
async fn a_ttl_becomes_an_expire_time() {
    let server = Server::start().await;
    server.project("acme").await;
    // There are three leap days from 2030 to 2040.
    for ttl in [std::time::Duration::from_micros(1), HOUR, 3653 * DAY] {
        let asked = Key { expiration: lives(ttl), ..Default::default() };
        let (key, _) = server.key("acme", asked).await;
        assert_eq!(key.expiration, ends(ttl));
    }
    let (key, _) = server.key("acme", Key::default()).await;
    assert_eq!(key.expiration, None);
}

#[tokio::test]
async fn a_chosen_id_is_accepted_in_either_form() {
    let server = Server::start().await;
    server.project("acme").await;
    let hyphenated = proto::CreateKeyRequest { key_id: FREE_ID.into(), ..creation(Key::default()) };
    let created = server.create(hyphenated.clone()).await.unwrap();
    let name = created.key.unwrap().name;
    let id = name.strip_prefix("projects/acme/keys/").unwrap();
    assert_eq!(id.len(), 22);
    assert_eq!(server.code(&created.api_key).await, Code::Valid);
    let long_name = format!("projects/acme/keys/{FREE_ID}");
    assert_eq!(server.get(&long_name).await.unwrap().name, name);

    let base62 = proto::CreateKeyRequest { key_id: id.into(), ..creation(Key::default()) };
    let taken = |status: tonic::Status| {
        assert_eq!(reason(&status, Grpc::AlreadyExists), "ALREADY_EXISTS");
        assert_eq!(metadata(&status, "resource").as_ref(), Some(&name));
    };
    taken(server.refused(server.create(hyphenated)).await);
    taken(server.refused(server.create(base62.clone())).await);
    server.delete(deletion(&name)).await.unwrap();
    taken(server.refused(server.create(base62.clone())).await);

    server.delete(purge(&name)).await.unwrap();
    let created = server.create(base62).await.unwrap();
    assert_eq!(created.key.unwrap().name, name);
    assert_eq!(server.code(&created.api_key).await, Code::Valid);
}

#[tokio::test]
async fn output_only_fields_are_ignored() {
    let server = Server::start().await;
    server.project("acme").await;
    let asked = Key {
        name: "projects/other/keys/none".into(),
        state: State::Revoked.into(),
        masked_api_key: "acme_live_x****".into(),
        created_by: Some(proto::Creator::default()),
        create_time: Some(at(DAY)),
        update_time: Some(at(DAY)),
        last_used_time: Some(at(DAY)),
        disable_time: Some(at(DAY)),
        revoke_time: Some(at(DAY)),
        revoke_reason: "none".into(),
        delete_time: Some(at(DAY)),
        purge_time: Some(at(DAY)),
        secrets: vec![proto::Secret::default(); 3],
        protected: true,
        etag: "stale".into(),
        revision: 99,
        ..Default::default()
    };
    let (key, _) = server.key("acme", asked).await;
    let (plain, _) = server.key("acme", Key::default()).await;
    let expected = Key {
        name: key.name.clone(),
        service_account: key.service_account.clone(),
        masked_api_key: key.masked_api_key.clone(),
        etag: key.etag.clone(),
        revision: key.revision,
        ..plain
    };
    assert_eq!(key, expected);
    assert!(key.revision != 99 && key.masked_api_key != "acme_live_x****");
}

#[tokio::test]
async fn validate_only_creates_and_issues_nothing() {
    let server = Server::start().await;
    server.project("acme").await;
    let trial = proto::CreateKeyRequest {
        key_id: FREE_ID.into(),
        request_id: "first".into(),
        validate_only: true,
        ..creation(Key { display_name: "Trial".into(), ..Default::default() })
    };
    let before = server.revision().await;
    for _ in 0..2 {
        let answer = server.create(trial.clone()).await.unwrap();
        assert_eq!(answer.api_key, "");
        assert!(!answer.api_key_already_issued);
        let key = answer.key.unwrap();
        assert_eq!(key.display_name, "Trial");
        assert_eq!(server.revision().await, before);
        assert_not_found(&server.get(&key.name).await.unwrap_err(), &key.name);
        let account = proto::GetServiceAccountRequest { name: key.service_account.clone() };
        let account = server.accounts().get_service_account(account).await;
        assert_not_found(&account.unwrap_err(), &key.service_account);
    }

    let real = proto::CreateKeyRequest { validate_only: false, ..trial.clone() };
    let made = server.create(real).await.unwrap();
    assert!(!made.api_key_already_issued, "a request id of a dry run is not remembered");
    assert_eq!(server.code(&made.api_key).await, Code::Valid);
    let repeat = server.create(trial.clone()).await.unwrap();
    assert!(repeat.api_key_already_issued, "the response is that of a repeat");
    let another = proto::CreateKeyRequest { request_id: String::new(), ..trial };
    let taken = server.refused(server.create(another)).await;
    assert_eq!(reason(&taken, Grpc::AlreadyExists), "ALREADY_EXISTS");
}
