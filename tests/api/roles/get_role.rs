//! GetRole.

use crate::calls::{assert_invalid, assert_not_found};

use super::{EDITOR, MALFORMED, VIEWER, get, with_role};

#[tokio::test]
async fn a_role_is_read_by_its_name() {
    let (server, role) = with_role().await;
    assert_eq!(get(&server, EDITOR).await.unwrap(), role);
}

#[tokio::test]
async fn every_project_is_born_with_the_built_in_roles() {
    let (server, _) = with_role().await;
    let viewer = get(&server, VIEWER).await.unwrap();
    assert!(viewer.built_in);
    assert_eq!(viewer.created_by, None);
    assert_eq!(viewer.permissions, ["*.read", "chat.run"]);
    assert_eq!(viewer.endpoints, ["GET /**", "HEAD /**"]);
    let name = "projects/acme".into();
    let project = server.projects().get_project(proto::GetProjectRequest { name }).await;
    let project = project.unwrap().into_inner().project.unwrap();
    assert_eq!((viewer.create_time, viewer.revision), (project.create_time, project.revision));
    for role in ["root", "project-admin", "auditor", "verifier", "privileged", "viewer"] {
        assert!(get(&server, &format!("projects/system/roles/{role}")).await.unwrap().built_in, "{role}");
    }
}

#[tokio::test]
async fn a_role_is_found_in_its_own_project_only() {
    let (server, _) = with_role().await;
    server.project("other").await;
    for name in ["projects/other/roles/editor", "projects/none/roles/viewer", "projects/acme/roles/root"] {
        assert_not_found(&get(&server, name).await.unwrap_err(), name);
    }
}

#[tokio::test]
async fn a_malformed_name_is_told() {
    let (server, _) = with_role().await;
    for name in MALFORMED {
        assert_invalid(&get(&server, name).await.unwrap_err(), &["name"]);
    }
}
