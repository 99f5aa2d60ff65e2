//! A key acts in the name of its account, so who makes one needs what the account's other keys have.

use proto::{
    CreateKeyRequest, DisableServiceAccountRequest, Key, ServiceAccount, UpdateServiceAccountRequest,
};

use crate::calls::{inner, revocation, rotation};

use super::grants::{assert_exceeds, holding, server};

/// It would act in the account's name, and find the requests that the account's keys have made.
#[tokio::test]
async fn a_key_is_made_for_another_account_only_by_who_has_what_its_keys_hold() {
    let (server, own, api_key) = server().await;
    let (strong, _) = server.key("system", holding(&["root"], &[], &["*"])).await;
    let create = |account: &str| {
        let request = CreateKeyRequest {
            parent: "projects/system".into(),
            key: Some(Key { service_account: account.into(), ..holding(&[], &["keys.read"], &["acme"]) }),
            ..Default::default()
        };
        let mut keys = server.keys_as(&api_key);
        async move { inner(keys.create_key(request).await) }
    };
    let status = create(&strong.service_account).await.unwrap_err();
    assert_exceeds(&status, &strong.service_account, Some("*"), Some("projects/-"));
    create(&own.service_account).await.unwrap();
    // A new secret of another key of the account is as good as a new key.
    let weak =
        Key { service_account: strong.service_account.clone(), ..holding(&[], &["keys.read"], &["acme"]) };
    let (weak, _) = server.key("system", weak).await;
    let status = server.keys_as(&api_key).rotate_key(rotation(&weak.name)).await.unwrap_err();
    assert_exceeds(&status, &strong.service_account, Some("*"), Some("projects/-"));
    server.revoke(revocation(&strong.name)).await.unwrap();
    create(&strong.service_account).await.unwrap();
    // Of its own account it has a credential already.
    let other = Key { service_account: own.service_account.clone(), ..holding(&["root"], &[], &["*"]) };
    server.key("system", other).await;
    server.keys_as(&api_key).rotate_key(rotation(&own.name)).await.unwrap();
}

/// Events and resources show its name as that of who made them.
#[tokio::test]
async fn an_account_is_renamed_only_by_who_has_what_its_keys_hold() {
    let (server, own, api_key) = server().await;
    let (strong, _) = server.key("system", holding(&["root"], &[], &["*"])).await;
    let rename = async |name: &str| {
        let account = ServiceAccount { name: name.into(), display_name: "Root".into(), ..Default::default() };
        let request = UpdateServiceAccountRequest { service_account: Some(account), ..Default::default() };
        server.accounts_as(&api_key).update_service_account(request).await
    };
    let status = rename(&strong.service_account).await.unwrap_err();
    assert_exceeds(&status, &strong.service_account, Some("*"), Some("projects/-"));
    rename(&own.service_account).await.unwrap();
    let disable = DisableServiceAccountRequest { name: strong.service_account, ..Default::default() };
    server.accounts_as(&api_key).disable_service_account(disable).await.unwrap();
}
