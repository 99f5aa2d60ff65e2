//! GetServiceAccount.

use proto::GetProjectRequest;
use testkit::status::{assert_invalid, assert_not_found};

use super::{CI, MALFORMED, SYSTEM, get, with_account};

#[tokio::test]
async fn an_account_is_read_by_its_name() {
    let (server, account) = with_account().await;
    assert_eq!(get(&server, CI).await.unwrap(), account);
}

#[tokio::test]
async fn the_owner_of_the_system_key_is_protected() {
    let (server, _) = with_account().await;
    let name = "projects/acme".into();
    let project = server.projects().get_project(GetProjectRequest { name }).await;
    let born = project.unwrap().into_inner().project.unwrap().create_time;
    let owner = get(&server, SYSTEM).await.unwrap();
    assert!(owner.protected);
    assert_eq!(owner.create_time, born);

    let root = get(&server, "projects/system/serviceAccounts/root").await;
    let root = root.unwrap();
    assert!(root.protected);
    assert_eq!(root.created_by, None, "Keystile created it");
}

#[tokio::test]
async fn an_account_is_found_only_in_its_own_project() {
    let (server, _) = with_account().await;
    server.project("other").await;
    for name in [
        "projects/other/serviceAccounts/ci",
        "projects/none/serviceAccounts/ci",
        "projects/acme/serviceAccounts/none",
    ] {
        assert_not_found(&get(&server, name).await.unwrap_err(), name);
    }
}

#[tokio::test]
async fn a_malformed_name_is_invalid() {
    let (server, _) = with_account().await;
    for name in MALFORMED {
        assert_invalid(&get(&server, name).await.unwrap_err(), &["name"]);
    }
}
