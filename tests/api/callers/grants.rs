//! Nobody grants what they do not hold: keys and accounts of the system project.

use proto::{CreateKeyRequest, EnableServiceAccountRequest, Key, UpdateKeyRequest};
use testkit::{
    server::Server,
    status::{metadata, reason},
};
use tonic::{Code, Status};

use crate::calls::{Answer, deletion, disabling, enabling, inner, revocation, rotation, texts, undeletion};

/// May manage keys and accounts of the system project, and verify.
const MINTER: [&str; 3] = ["keys.*", "service_accounts.*", "projects.read"];

/// A server, and a caller with [`MINTER`]'s permissions for `system` and `acme`.
pub(super) async fn server() -> (Server, Key, String) {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("system", holding(&[], &MINTER, &["system", "acme"])).await;
    (server, key, api_key)
}

pub(super) fn holding(roles: &[&str], permissions: &[&str], projects: &[&str]) -> Key {
    Key {
        roles: texts(roles),
        permissions: texts(permissions),
        customers: texts(projects),
        environment: "production".into(),
        ..Default::default()
    }
}

#[track_caller]
pub(super) fn assert_exceeds(
    status: &Status,
    resource: &str,
    permission: Option<&str>,
    project: Option<&str>,
) {
    assert_eq!(reason(status, Code::PermissionDenied), "GRANT_EXCEEDS_CALLER");
    assert_eq!(metadata(status, "resource").as_deref(), Some(resource));
    assert_eq!(metadata(status, "permission").as_deref(), permission, "{status:?}");
    assert_eq!(metadata(status, "project").as_deref(), project, "{status:?}");
    for missing in permission.into_iter().chain(project) {
        assert!(status.message().contains(missing), "{}", status.message());
    }
}

#[tokio::test]
async fn a_new_key_has_no_more_than_its_creator() {
    let (server, _, api_key) = server().await;
    for (key, permission, project) in [
        (holding(&["verifier"], &["keys.rotate", "projects.read"], &["acme"]), None, None),
        (holding(&[], &["keys.*", "keys.*.x"], &["system", "acme"]), None, None),
        (holding(&["root"], &[], &["acme"]), Some("*"), None),
        (holding(&["auditor"], &[], &["acme"]), Some("*.read"), None),
        (holding(&["project-admin"], &[], &["acme"]), Some("audit.read"), None),
        (holding(&[], &["keys.read", "roles.read"], &["acme"]), Some("roles.read"), None),
        (holding(&["verifier"], &[], &["*"]), None, Some("projects/-")),
        (holding(&["verifier"], &[], &["acme", "shop"]), None, Some("projects/shop")),
        (holding(&["root"], &[], &["shop"]), Some("*"), Some("projects/shop")),
    ] {
        for validate_only in [true, false] {
            let request = CreateKeyRequest {
                parent: "projects/system".into(),
                key_id: "01890a5d-ac96-774b-bcce-b302099a8057".into(),
                key: Some(key.clone()),
                validate_only,
                ..Default::default()
            };
            let created = inner(server.keys_as(&api_key).create_key(request).await);
            if permission.or(project).is_none() {
                let name = created.unwrap().key.unwrap().name;
                if !validate_only {
                    server.delete(crate::calls::purge(&name)).await.unwrap();
                }
            } else {
                let refused = created.unwrap_err();
                let resource = metadata(&refused, "resource").unwrap();
                assert!(resource.starts_with("projects/system/keys/"), "{resource}");
                assert_exceeds(&refused, &resource, permission, project);
            }
        }
    }
}

/// What permissions of a tenant mean is the tenant's business.
#[tokio::test]
async fn tenants_keys_hold_anything() {
    let (server, _, api_key) = server().await;
    let key = holding(&["privileged"], &["everything.*"], &["anybody"]);
    let request = CreateKeyRequest { parent: "projects/acme".into(), key: Some(key), ..Default::default() };
    server.keys_as(&api_key).create_key(request).await.unwrap();
}

/// A caller that could get more by it than it has may not do it. To disable, revoke or delete a key takes nothing of what it has.
#[tokio::test]
async fn a_stronger_key_is_only_taken_away() {
    let (server, _, api_key) = server().await;
    let mut keys = server.keys_as(&api_key);
    let root = || holding(&["root"], &[], &["*"]);
    let [rotated, updated, disabled, deleted, restored] = {
        let mut names = Vec::new();
        for _ in 0..5 {
            names.push(server.key("system", root()).await.0.name);
        }
        <[String; 5]>::try_from(names).unwrap()
    };
    let exceeds = |status: Status, name: &str| assert_exceeds(&status, name, Some("*"), Some("projects/-"));
    exceeds(keys.rotate_key(rotation(&rotated)).await.unwrap_err(), &rotated);
    let rename = |name: &str| UpdateKeyRequest {
        key: Some(Key { name: name.into(), display_name: "Mine".into(), ..Default::default() }),
        ..Default::default()
    };
    exceeds(keys.update_key(rename(&updated)).await.unwrap_err(), &updated);
    keys.disable_key(disabling(&disabled)).await.unwrap();
    exceeds(keys.enable_key(enabling(&disabled)).await.unwrap_err(), &disabled);
    exceeds(keys.update_key(rename(&disabled)).await.unwrap_err(), &disabled);
    keys.delete_key(deletion(&deleted)).await.unwrap();
    exceeds(keys.undelete_key(undeletion(&deleted)).await.unwrap_err(), &deleted);
    keys.revoke_key(revocation(&restored)).await.unwrap();
    let request = proto::GetProjectRequest { name: "projects/system".into() };
    let system = inner(server.projects().get_project(request).await).unwrap();
    let protected = system.project.unwrap().system_key;
    exceeds(keys.rotate_key(rotation(&protected)).await.unwrap_err(), &protected);

    // Reduced to what the caller has, by somebody with more, it may be.
    let reduce = |name: &str| {
        let key = Key { name: name.into(), ..holding(&["verifier"], &[], &["acme"]) };
        let paths = texts(&["roles", "customers"]);
        UpdateKeyRequest {
            key: Some(key),
            update_mask: Some(prost_types::FieldMask { paths }),
            ..Default::default()
        }
    };
    exceeds(keys.update_key(reduce(&updated)).await.unwrap_err(), &updated);
    server.update(reduce(&updated)).await.unwrap();
    keys.rotate_key(rotation(&updated)).await.unwrap();
}

#[tokio::test]
async fn a_caller_gives_itself_nothing_and_rotates_itself() {
    let (server, own, api_key) = server().await;
    let mut keys = server.keys_as(&api_key);
    let more = |roles: &[&str], projects: &[&str]| UpdateKeyRequest {
        key: Some(Key {
            name: own.name.clone(),
            roles: texts(roles),
            customers: texts(projects),
            ..Default::default()
        }),
        ..Default::default()
    };
    let refused = keys.update_key(more(&["root"], &["acme"])).await.unwrap_err();
    assert_exceeds(&refused, &own.name, Some("*"), None);
    let refused = keys.update_key(more(&[], &["acme", "shop"])).await.unwrap_err();
    assert_exceeds(&refused, &own.name, None, Some("projects/shop"));
    let rotated = keys.rotate_key(rotation(&own.name)).await;
    assert!(!inner(rotated).unwrap().api_key.is_empty());
}

/// Enabling an account hands on what its keys hold.
#[tokio::test]
async fn an_account_with_a_stronger_key_stays_disabled() {
    let (server, _, api_key) = server().await;
    let enable = |name: &str| EnableServiceAccountRequest { name: name.into(), ..Default::default() };
    let weak = || holding(&["verifier"], &[], &["acme"]);
    for (id, grants, permission, project) in [
        ("weak", vec![weak(), holding(&[], &["keys.read"], &["system"])], None, None),
        ("role", vec![weak(), holding(&["auditor"], &[], &["acme"])], Some("*.read"), None),
        ("permission", vec![weak(), holding(&[], &["audit.read"], &["acme"])], Some("audit.read"), None),
        ("project", vec![weak(), holding(&["verifier"], &[], &["shop"])], None, Some("projects/shop")),
        ("none", vec![], None, None),
    ] {
        let account = server.account("system", id, "").await;
        for grant in grants {
            server.key("system", Key { service_account: account.clone(), ..grant }).await;
        }
        server.disable_account(&account).await;
        let enabled = server.accounts_as(&api_key).enable_service_account(enable(&account)).await;
        if permission.or(project).is_none() {
            enabled.unwrap();
        } else {
            assert_exceeds(&enabled.unwrap_err(), &account, permission, project);
            inner(server.accounts().enable_service_account(enable(&account)).await).unwrap();
        }
    }
}

/// It hands nothing on.
#[tokio::test]
async fn a_revoked_key_of_an_account_does_not_count() {
    let (server, _, api_key) = server().await;
    let account = server.account("system", "strong", "").await;
    let strong = Key { service_account: account.clone(), ..holding(&["root"], &[], &["*"]) };
    let (strong, _) = server.key("system", strong).await;
    server.revoke(revocation(&strong.name)).await.unwrap();
    server.disable_account(&account).await;
    let enable = EnableServiceAccountRequest { name: account, ..Default::default() };
    server.accounts_as(&api_key).enable_service_account(enable).await.unwrap();
}

/// So many keys are not looked at one by one.
#[tokio::test]
async fn an_account_with_very_many_keys_is_enabled_by_root() {
    const MOST: usize = 1000;
    let (server, _, api_key) = server().await;
    let account = server.account("system", "crowd", "").await;
    let key = || Key { service_account: account.clone(), ..holding(&["verifier"], &[], &["acme"]) };
    for _ in 0..MOST {
        server.key("system", key()).await;
    }
    let enable = EnableServiceAccountRequest { name: account.clone(), ..Default::default() };
    server.disable_account(&account).await;
    server.accounts_as(&api_key).enable_service_account(enable.clone()).await.unwrap();
    server.key("system", key()).await;
    server.disable_account(&account).await;
    let refused = server.accounts_as(&api_key).enable_service_account(enable.clone()).await;
    assert_exceeds(&refused.unwrap_err(), &account, Some("*"), Some("projects/-"));
    server.accounts().enable_service_account(enable).await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_repeated_issues_nothing() {
    let (server, _, api_key) = server().await;
    let request = CreateKeyRequest {
        parent: "projects/system".into(),
        key: Some(holding(&["verifier"], &[], &["acme"])),
        request_id: "once".into(),
        ..Default::default()
    };
    let mut keys = server.keys_as(&api_key);
    let first: Answer<_> = inner(keys.create_key(request.clone()).await);
    assert!(!first.unwrap().api_key.is_empty());
    let again = inner(keys.create_key(request).await).unwrap();
    assert!(again.api_key.is_empty() && again.api_key_already_issued);
}

/// Else the caller could take so much from a key that it may rotate it, and get the rest when that is given back.
#[tokio::test]
async fn a_key_that_has_more_than_the_caller_is_not_cut_down_by_it() {
    let (server, _, api_key) = server().await;
    let (strong, _) = server.key("system", holding(&["root"], &[], &["*"])).await;
    for changed in [
        Key { roles: texts(&["verifier"]), customers: texts(&["acme"]), ..Default::default() },
        Key { allowed_cidrs: texts(&["203.0.113.0/24"]), ..Default::default() },
    ] {
        let key = Key { name: strong.name.clone(), ..changed };
        let request = UpdateKeyRequest { key: Some(key), ..Default::default() };
        let status = server.keys_as(&api_key).update_key(request).await.unwrap_err();
        assert_exceeds(&status, &strong.name, Some("*"), Some("projects/-"));
    }
}

#[tokio::test]
async fn the_first_root_key_keeps_its_role_and_its_projects() {
    let server = Server::start().await;
    let request = proto::GetProjectRequest { name: "projects/system".into() };
    let project = server.projects().get_project(request).await.unwrap().into_inner().project.unwrap();
    for changed in [
        Key { roles: texts(&["verifier"]), ..Default::default() },
        Key { permissions: texts(&["keys.read"]), ..Default::default() },
        Key { customers: texts(&["system"]), ..Default::default() },
    ] {
        let key = Key { name: project.system_key.clone(), ..changed };
        let request = UpdateKeyRequest { key: Some(key), ..Default::default() };
        let status = server.keys().update_key(request).await.unwrap_err();
        assert_eq!(reason(&status, Code::FailedPrecondition), "PROTECTED");
    }
    let key = Key { name: project.system_key, display_name: "First".into(), ..Default::default() };
    server.update(UpdateKeyRequest { key: Some(key), ..Default::default() }).await.unwrap();
}
