//! DisableServiceAccount.

use std::time::Duration;

use proto::{Code, service_account::State};
use testkit::status::{assert_invalid, assert_not_found, assert_refused, assert_stale, metadata};

use super::{CI, MALFORMED, SYSTEM, disable, get, key_of, with_account};

#[tokio::test]
async fn all_keys_of_the_account_are_denied() {
    let (server, _) = with_account().await;
    let (_, one) = key_of(&server, CI).await;
    let (_, two) = key_of(&server, CI).await;
    let (_, other) = key_of(&server, SYSTEM).await;
    assert_eq!(server.code(&one).await, Code::Valid);

    let disabled = disable(&server, CI, "").await.unwrap();
    assert_eq!(disabled.state(), State::Disabled);
    assert_eq!(server.code(&one).await, Code::OwnerDisabled);
    assert_eq!(server.code(&two).await, Code::OwnerDisabled);
    assert_eq!(server.code(&other).await, Code::Valid);
    let (_, later) = key_of(&server, CI).await;
    assert_eq!(server.code(&later).await, Code::OwnerDisabled);
}

#[tokio::test]
async fn a_disabled_account_has_its_disable_time() {
    let (server, before) = with_account().await;
    server.clock.advance(Duration::from_secs(60));
    let disabled = disable(&server, CI, "").await.unwrap();
    let since = disabled.disable_time.unwrap();
    assert_eq!(since.seconds, before.create_time.unwrap().seconds + 60);
    assert_eq!(disabled.update_time, Some(since));
    assert_eq!(disabled.revision, before.revision + 1);
    assert_eq!(get(&server, CI).await.unwrap(), disabled);
}

#[tokio::test]
async fn disabling_twice_is_refused() {
    let (server, _) = with_account().await;
    let disabled = disable(&server, CI, "").await.unwrap();
    let refused = disable(&server, CI, "").await.unwrap_err();
    assert_refused(&refused, "STATE_FORBIDS", CI);
    assert_eq!(metadata(&refused, "state").as_deref(), Some("DISABLED"));
    assert_eq!(get(&server, CI).await.unwrap(), disabled);
}

#[tokio::test]
async fn of_two_concurrent_calls_one_disables() {
    let (server, before) = with_account().await;
    let (one, two) = tokio::join!(disable(&server, CI, ""), disable(&server, CI, ""));
    let (made, refused) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_refused(&refused.unwrap_err(), "STATE_FORBIDS", CI);
    assert_eq!(made.unwrap().revision, before.revision + 1);
    assert_eq!(server.head().await, before.revision + 1);
}

#[tokio::test]
async fn the_owner_of_a_system_key_cannot_be_disabled() {
    let (server, _) = with_account().await;
    for name in [SYSTEM, "projects/system/serviceAccounts/root"] {
        let refused = disable(&server, name, "").await.unwrap_err();
        assert_refused(&refused, "PROTECTED", name);
        assert_eq!(get(&server, name).await.unwrap().state(), State::Active);
    }
}

#[tokio::test]
async fn a_stale_etag_is_refused_with_the_current_one() {
    let (server, account) = with_account().await;
    let refused = disable(&server, CI, "never").await.unwrap_err();
    assert_stale(&refused, CI, &account.etag);
    assert_eq!(get(&server, CI).await.unwrap(), account);
    disable(&server, CI, &account.etag).await.unwrap();
}

#[tokio::test]
async fn a_malformed_name_is_invalid_and_an_unknown_one_not_found() {
    let (server, _) = with_account().await;
    for name in MALFORMED {
        let refused = disable(&server, name, "").await.unwrap_err();
        assert_invalid(&refused, &["name"]);
    }
    let name = "projects/acme/serviceAccounts/none";
    let refused = disable(&server, name, "").await.unwrap_err();
    assert_not_found(&refused, name);
}
