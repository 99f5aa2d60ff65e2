//! Single questions: identities, denials and errors.

use std::{
    net::IpAddr,
    time::{Duration, UNIX_EPOCH},
};

use client::{Decision, DenialCode, ErrorKind, Question};
use proto::Key;
use testkit::{
    forge,
    server::{START, Server},
};

use crate::{builder, client_of, denied, identify, new_key, started, url, valid};

#[tokio::test]
async fn a_valid_api_key_identifies_its_bearer() {
    let (server, client) = started().await;
    let asked = Key {
        display_name: "Web shop".into(),
        environment: "staging".into(),
        customers: vec!["c1".into(), "c2".into()],
        metadata: [("tier".to_owned(), "gold".to_owned())].into(),
        tags: vec!["team:web".into()],
        expiration: Some(proto::key::Expiration::Ttl(prost_types::Duration { seconds: 60, nanos: 0 })),
        ..Default::default()
    };
    let (key, api_key) = server.key("acme", asked).await;
    let question = Question::new(api_key).environment("staging").customer("c2").min_revision(key.revision);
    let identity = valid(client.verify(question).await.unwrap());
    assert_eq!(identity.key, key.name);
    assert_eq!(identity.service_account, key.service_account);
    assert_eq!(identity.display_name, "Web shop");
    assert_eq!(identity.environment, "staging");
    assert_eq!(identity.customers, ["c1", "c2"]);
    assert_eq!(identity.metadata["tier"], "gold");
    assert_eq!(identity.tags, ["team:web"]);
    let start = Duration::from_micros(START.as_micros().try_into().unwrap());
    assert_eq!(identity.expire_time, Some(UNIX_EPOCH + start + Duration::from_secs(60)));
    assert_eq!((identity.secret_version, identity.secret_superseded), (1, false));
    assert!(identity.basis.revision >= key.revision && !identity.basis.degraded, "{identity:?}");
}

#[tokio::test]
async fn each_denial_has_its_code_and_http_status() {
    let (server, client) = started().await;
    let bound =
        Key { customers: vec!["c1".into()], allowed_cidrs: vec!["10.0.0.0/8".into()], ..Default::default() };
    let (key, api_key) = server.key("acme", bound).await;
    let address: IpAddr = "10.1.2.3".parse().unwrap();
    let good = || Question::new(&api_key).customer("c1").client_ip(address);
    valid(client.verify(good()).await.unwrap());
    for (question, code, http_status) in [
        (Question::new("junk"), DenialCode::Malformed, 401),
        (Question::new(forge::with_wrong_secret(&api_key)), DenialCode::NotFound, 401),
        (good().environment("staging"), DenialCode::WrongEnvironment, 403),
        (good().client_ip("192.0.2.1".parse().unwrap()), DenialCode::IpNotAllowed, 403),
        (good().customer("c2"), DenialCode::WrongCustomer, 403),
    ] {
        let denial = denied(client.verify(question).await.unwrap());
        assert_eq!((denial.code, denial.http_status.as_u16()), (code, http_status), "{denial:?}");
        assert!(!denial.message.is_empty());
        let known = !matches!(code, DenialCode::Malformed | DenialCode::NotFound);
        assert_eq!(denial.key == key.name, known, "{denial:?}");
    }

    let name = || key.name.clone();
    let disable = proto::DisableKeyRequest { name: name(), ..Default::default() };
    server.keys().disable_key(disable).await.unwrap();
    assert_eq!(denied(client.verify(good()).await.unwrap()).code, DenialCode::Disabled);
    let owner =
        proto::DisableServiceAccountRequest { name: key.service_account.clone(), ..Default::default() };
    let enable = proto::EnableKeyRequest { name: name(), ..Default::default() };
    server.keys().enable_key(enable).await.unwrap();
    server.accounts().disable_service_account(owner).await.unwrap();
    assert_eq!(denied(client.verify(good()).await.unwrap()).code, DenialCode::OwnerDisabled);
    let revoke = proto::RevokeKeyRequest { name: name(), ..Default::default() };
    server.keys().revoke_key(revoke).await.unwrap();
    assert_eq!(denied(client.verify(good()).await.unwrap()).code, DenialCode::Revoked);

    let ttl = proto::key::Expiration::Ttl(prost_types::Duration { seconds: 60, nanos: 0 });
    let (_, api_key) = server.key("acme", Key { expiration: Some(ttl), ..Default::default() }).await;
    identify(&client, &api_key).await;
    server.clock.advance(Duration::from_secs(60));
    let denial = denied(client.verify(Question::new(api_key)).await.unwrap());
    assert_eq!((denial.code, denial.http_status.as_u16()), (DenialCode::Expired, 401));
}

#[tokio::test]
async fn a_refused_question_lists_the_wrong_fields() {
    let (server, client) = started().await;
    let (_, api_key) = new_key(&server).await;
    let question = Question::new(&api_key).customer("two words").min_revision(-1);
    let error = client.verify(question).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::Refused, Some("INVALID_ARGUMENT")));
    let fields: Vec<_> = error.violations().iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields, ["customer", "min_revision"]);
    assert!(std::error::Error::source(&error).is_some());

    let error = client.verify(Question::new(&api_key).permission("a.read AND")).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::Refused, Some("INVALID_ARGUMENT")));
    assert_eq!(error.violations()[0].field, "permission");
}

#[tokio::test]
async fn the_callers_own_credential_is_not_the_api_key() {
    let (server, _) = started().await;
    let (_, api_key) = new_key(&server).await;
    let (own, credential) = server.key("system", Key::default()).await;
    let as_caller = |credential: &str| builder(credential).endpoint(url(server.verify)).connect().unwrap();
    let client = as_caller(&credential);
    identify(&client, &api_key).await;

    let wrong = as_caller(&forge::with_wrong_secret(&credential));
    let of_a_project = as_caller(&api_key);
    let revoke = proto::RevokeKeyRequest { name: own.name, ..Default::default() };
    server.keys().revoke_key(revoke).await.unwrap();
    for refused in [wrong, of_a_project, client] {
        let error = refused.verify(Question::new(&api_key)).await.unwrap_err();
        let seen = (error.kind(), error.reason());
        assert_eq!(seen, (ErrorKind::CredentialRefused, Some("UNAUTHENTICATED")), "{error}");
    }
}

/// A key of the system project that may not verify is a fault of the caller's configuration.
#[tokio::test]
async fn a_credential_that_may_not_verify_is_refused() {
    let (server, _) = started().await;
    let (_, api_key) = new_key(&server).await;
    let auditor = Key { roles: vec!["auditor".into()], ..Default::default() };
    let (_, credential) = server.key("system", auditor).await;
    let client = builder(&credential).endpoint(url(server.verify)).connect().unwrap();
    let error = client.verify(Question::new(&api_key)).await.unwrap_err();
    let seen = (error.kind(), error.reason());
    assert_eq!(seen, (ErrorKind::CredentialRefused, Some("PERMISSION_DENIED")), "{error}");
    assert!(error.to_string().contains("keys.verify"), "{error}");
    let error = client.stream().verify(Question::new(&api_key)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialRefused, "{error}");
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_question() {
    let (server, client) = started().await;
    let (key, api_key) = new_key(&server).await;
    identify(&client, &api_key).await;
    let revoke = proto::RevokeKeyRequest { name: key.name, ..Default::default() };
    let revoked = server.keys().revoke_key(revoke).await.unwrap().into_inner().key.unwrap();
    let question = Question::new(&api_key).min_revision(revoked.revision);
    let decision = client.verify(question).await.unwrap();
    assert!(decision.identity().is_none() && decision.basis().revision >= revoked.revision);
    assert!(matches!(decision, Decision::Denied(_)));
}

#[tokio::test]
async fn clones_and_tasks_share_a_client() {
    let (server, client) = started().await;
    let (key, api_key) = new_key(&server).await;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (client, question) = (client.clone(), Question::new(&api_key));
            tokio::spawn(async move { client.verify(question).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(valid(task.await.unwrap().unwrap()).key, key.name);
    }
}

#[tokio::test]
async fn a_client_needs_an_endpoint() {
    let server = Server::start().await;
    assert!(builder(&server.root).connect().is_err());
    assert!(builder(&server.root).endpoint("not a url").connect().is_err());
    let _connects_when_it_is_used = client_of(&server, "127.0.0.1:1".parse().unwrap());
}
