//! The codes for which a known key is denied, and their order.

use proto::{Code, Key};
use testkit::server::Server;

use crate::calls::{HOUR, deletion, disabling, lives, revocation, texts, verify};

/// The code and its HTTP status.
async fn decided(server: &Server, question: proto::VerifyRequest) -> (Code, i32) {
    let answer = server.ask(question).await.unwrap();
    (answer.code(), answer.http_status)
}

#[tokio::test]
async fn a_key_works_in_its_environment() {
    let server = Server::start().await;
    server.project("acme").await;
    let asked = Key { environment: "staging".into(), ..Default::default() };
    let (_, api_key) = server.key("acme", asked).await;
    for (environment, expected) in [
        ("", (Code::Valid, 200)),
        ("staging", (Code::Valid, 200)),
        ("production", (Code::WrongEnvironment, 403)),
        ("stage", (Code::WrongEnvironment, 403)),
        ("nowhere", (Code::WrongEnvironment, 403)),
    ] {
        let question = proto::VerifyRequest { environment: environment.into(), ..verify(&api_key) };
        assert_eq!(decided(&server, question).await, expected, "{environment}");
    }
}

#[tokio::test]
async fn a_key_works_from_its_networks() {
    let server = Server::start().await;
    server.project("acme").await;
    let asked = Key {
        allowed_cidrs: texts(&["10.1.0.0/16", "192.0.2.7", "2001:db8::/32", "::ffff:198.51.100.0/120"]),
        ..Default::default()
    };
    let (_, api_key) = server.key("acme", asked).await;
    for (client_ip, allowed) in [
        ("", false),
        ("10.1.0.0", true),
        ("10.1.255.255", true),
        ("10.2.0.0", false),
        ("10.0.255.255", false),
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("::ffff:10.1.2.3", true),
        ("::ffff:a01:203", true),
        ("::ffff:10.2.0.0", false),
        ("::10.1.2.3", false),
        ("2001:db8::", true),
        ("2001:DB8:ffff:ffff:ffff:ffff:ffff:ffff", true),
        ("2001:db9::", false),
        ("198.51.100.255", true),
        ("198.51.101.0", false),
    ] {
        let question = proto::VerifyRequest { client_ip: client_ip.into(), ..verify(&api_key) };
        let expected = if allowed { (Code::Valid, 200) } else { (Code::IpNotAllowed, 403) };
        assert_eq!(decided(&server, question).await, expected, "{client_ip}");
    }
}

#[tokio::test]
async fn a_key_without_networks_or_customers_works_for_all() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    for (client_ip, customer) in [("", ""), ("203.0.113.9", "anybody"), ("::1", "")] {
        let question = proto::VerifyRequest {
            client_ip: client_ip.into(),
            customer: customer.into(),
            ..verify(&api_key)
        };
        assert_eq!(decided(&server, question).await, (Code::Valid, 200));
    }
}

#[tokio::test]
async fn a_key_works_for_its_customers() {
    let server = Server::start().await;
    server.project("acme").await;
    let asked = Key { customers: texts(&["cust_1", "kund:é"]), ..Default::default() };
    let (_, api_key) = server.key("acme", asked).await;
    for (customer, allowed) in [
        ("cust_1", true),
        ("kund:é", true),
        ("", false),
        ("cust_2", false),
        ("CUST_1", false),
        ("cust_", false),
        ("cust_11", false),
    ] {
        let question = proto::VerifyRequest { customer: customer.into(), ..verify(&api_key) };
        let expected = if allowed { (Code::Valid, 200) } else { (Code::WrongCustomer, 403) };
        assert_eq!(decided(&server, question).await, expected, "{customer}");
    }
}

#[tokio::test]
async fn all_keys_of_a_disabled_owner_are_denied() {
    let server = Server::start().await;
    server.project("acme").await;
    let owner = server.account("acme", "ci", "CI").await;
    let asked = Key { service_account: owner.clone(), ..Default::default() };
    let keys = [server.key("acme", asked.clone()).await.1, server.key("acme", asked).await.1];
    let (_, of_another) = server.key("acme", Key::default()).await;
    let disable = proto::DisableServiceAccountRequest { name: owner.clone(), ..Default::default() };
    server.accounts().disable_service_account(disable).await.unwrap();
    for api_key in &keys {
        assert_eq!(decided(&server, verify(api_key)).await, (Code::OwnerDisabled, 401));
    }
    assert_eq!(server.code(&of_another).await, Code::Valid);
    let enable = proto::EnableServiceAccountRequest { name: owner, ..Default::default() };
    server.accounts().enable_service_account(enable).await.unwrap();
    for api_key in &keys {
        assert_eq!(server.code(api_key).await, Code::Valid);
    }
}

/// Every check of one key fails; the first failing one is fixed, one after the other.
#[tokio::test]
async fn the_first_code_that_applies_is_returned() {
    let server = Server::start().await;
    server.project("acme").await;
    let owner = server.account("acme", "ci", "CI").await;
    let asked = Key {
        service_account: owner.clone(),
        allowed_cidrs: texts(&["10.0.0.0/8"]),
        customers: texts(&["cust_1"]),
        expiration: lives(HOUR),
        ..Default::default()
    };
    let (key, api_key) = server.key("acme", asked).await;
    let mut question = proto::VerifyRequest {
        environment: "staging".into(),
        client_ip: "192.0.2.1".into(),
        customer: "cust_2".into(),
        ..verify(&api_key)
    };
    let right = proto::VerifyRequest {
        environment: "production".into(),
        client_ip: "10.0.0.1".into(),
        customer: "cust_1".into(),
        ..verify(&api_key)
    };
    assert_eq!(decided(&server, right.clone()).await, (Code::Valid, 200));

    question.customer = right.customer.clone();
    question.client_ip = right.client_ip.clone();
    assert_eq!(decided(&server, question.clone()).await, (Code::WrongEnvironment, 403));
    question.environment = right.environment;
    assert_eq!(decided(&server, question.clone()).await, (Code::Valid, 200));
    question.customer = "cust_2".into();
    assert_eq!(decided(&server, question.clone()).await, (Code::WrongCustomer, 403));
    question.client_ip = "192.0.2.1".into();
    assert_eq!(decided(&server, question.clone()).await, (Code::IpNotAllowed, 403));
    question.environment = "staging".into();
    assert_eq!(decided(&server, question.clone()).await, (Code::WrongEnvironment, 403));

    let disable = proto::DisableServiceAccountRequest { name: owner, ..Default::default() };
    server.accounts().disable_service_account(disable).await.unwrap();
    assert_eq!(decided(&server, question.clone()).await, (Code::OwnerDisabled, 401));
    server.clock.advance(HOUR);
    assert_eq!(decided(&server, question.clone()).await, (Code::Expired, 401));
    server.disable(disabling(&key.name)).await.unwrap();
    assert_eq!(decided(&server, question.clone()).await, (Code::Disabled, 401));
    server.revoke(revocation(&key.name)).await.unwrap();
    assert_eq!(decided(&server, question.clone()).await, (Code::Revoked, 401));
    server.delete(deletion(&key.name)).await.unwrap();
    assert_eq!(decided(&server, question.clone()).await, (Code::NotFound, 401));
    question.api_key.push('0');
    assert_eq!(decided(&server, question).await, (Code::Malformed, 401));
}
