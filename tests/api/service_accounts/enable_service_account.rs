//! EnableServiceAccount.

use proto::{Code, DisableKeyRequest, service_account::State};
use testkit::status::{assert_invalid, assert_not_found, assert_refused, assert_stale, metadata};

use super::{CI, MALFORMED, SYSTEM, disable, enable, get, key_of, with_account};

#[tokio::test]
async fn its_keys_have_their_former_states() {
    let (server, _) = with_account().await;
    let (_, active) = key_of(&server, CI).await;
    let (key, disabled) = key_of(&server, CI).await;
    let request = DisableKeyRequest { name: key.name, ..Default::default() };
    server.keys().disable_key(request).await.unwrap();
    disable(&server, CI, "").await.unwrap();
    assert_eq!(server.code(&active).await, Code::OwnerDisabled);
    assert_eq!(server.code(&disabled).await, Code::Disabled);

    let enabled = enable(&server, CI, "").await.unwrap();
    assert_eq!(enabled.state(), State::Active);
    assert_eq!(enabled.disable_time, None);
    assert_eq!(server.code(&active).await, Code::Valid);
    assert_eq!(server.code(&disabled).await, Code::Disabled);
    assert_eq!(get(&server, CI).await.unwrap(), enabled);
}

#[tokio::test]
async fn an_account_that_is_not_disabled_is_refused() {
    let (server, account) = with_account().await;
    for name in [CI, SYSTEM] {
        let refused = enable(&server, name, "").await.unwrap_err();
        assert_refused(&refused, "STATE_FORBIDS", name);
        assert_eq!(metadata(&refused, "state").as_deref(), Some("ACTIVE"));
    }
    assert_eq!(get(&server, CI).await.unwrap(), account);
}

#[tokio::test]
async fn an_account_can_be_disabled_and_enabled_repeatedly() {
    let (server, _) = with_account().await;
    let (_, api_key) = key_of(&server, CI).await;
    for _ in 0..3 {
        disable(&server, CI, "").await.unwrap();
        assert_eq!(server.code(&api_key).await, Code::OwnerDisabled);
        enable(&server, CI, "").await.unwrap();
        assert_eq!(server.code(&api_key).await, Code::Valid);
    }
}

#[tokio::test]
async fn a_stale_etag_is_refused_with_the_current_one() {
    let (server, account) = with_account().await;
    let disabled = disable(&server, CI, "").await.unwrap();
    let refused = enable(&server, CI, &account.etag).await.unwrap_err();
    assert_stale(&refused, CI, &disabled.etag);
    enable(&server, CI, &disabled.etag).await.unwrap();
}

#[tokio::test]
async fn a_malformed_name_is_invalid_and_an_unknown_one_not_found() {
    let (server, _) = with_account().await;
    for name in MALFORMED {
        let refused = enable(&server, name, "").await.unwrap_err();
        assert_invalid(&refused, &["name"]);
    }
    let name = "projects/acme/serviceAccounts/none";
    assert_not_found(&enable(&server, name, "").await.unwrap_err(), name);
}
