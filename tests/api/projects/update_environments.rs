//! UpdateProject of environments: one with keys cannot be removed.

use proto::{Code, DeleteKeyRequest, Key, Project, UpdateProjectRequest};
use testkit::{
    server::Server,
    status::{assert_invalid, assert_refused, metadata},
};

use super::{create, environment, get, update};

fn only(environments: &[(&str, &str)]) -> Project {
    Project {
        name: "projects/acme".into(),
        environments: environments.iter().map(|(id, tag)| environment(id, tag)).collect(),
        ..Default::default()
    }
}

async fn key_in(server: &Server, environment: &str) -> (Key, String) {
    let key = Key { environment: environment.into(), ..Default::default() };
    server.key("acme", key).await
}

#[tokio::test]
async fn an_environment_with_keys_is_not_removed() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = key_in(&server, "staging").await;
    let without = only(&[("production", "live"), ("development", "dev")]);
    let refused = update(&server, without.clone(), &[]).await.unwrap_err();
    assert_refused(&refused, "IN_USE", "projects/acme");
    assert_eq!(metadata(&refused, "used_by").as_deref(), Some("keys"));

    let tried = UpdateProjectRequest { project: Some(without), validate_only: true, ..Default::default() };
    let refused = server.projects().update_project(tried).await.unwrap_err();
    assert_refused(&refused, "IN_USE", "projects/acme");
    let retagged = only(&[("production", "live"), ("staging", "test")]);
    let refused = update(&server, retagged, &[]).await.unwrap_err();
    assert_refused(&refused, "IN_USE", "projects/acme");

    assert_eq!(get(&server, "acme").await.unwrap().environments.len(), 3);
    assert_eq!(server.code(&api_key).await, Code::Valid);
}

#[tokio::test]
async fn a_key_in_any_state_keeps_its_environment_until_it_is_purged() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = key_in(&server, "staging").await;
    let without = only(&[("production", "live")]);
    for purge in [false, true] {
        let refused = update(&server, without.clone(), &[]).await.unwrap_err();
        assert_refused(&refused, "IN_USE", "projects/acme");
        let delete = DeleteKeyRequest { name: key.name.clone(), purge, ..Default::default() };
        server.keys().delete_key(delete).await.unwrap();
    }
    update(&server, without, &[]).await.unwrap();
}

#[tokio::test]
async fn the_system_key_keeps_no_environment_and_works_without_it() {
    let server = Server::start().await;
    let project = proto::CreateProjectRequest {
        project_id: "acme".into(),
        project: Some(Project { prefix: "acme".into(), ..Default::default() }),
        ..Default::default()
    };
    let created = create(&server, project).await.unwrap();
    update(&server, only(&[("staging", "stage")]), &[]).await.unwrap();
    assert_eq!(server.code(&created.api_key).await, Code::Valid);

    let rotate = proto::RotateKeyRequest { name: created.system_key.unwrap().name, ..Default::default() };
    let rotated = server.keys().rotate_key(rotate).await.unwrap().into_inner();
    assert_eq!(server.code(&rotated.api_key).await, Code::Valid);
}

#[tokio::test]
async fn environments_without_keys_can_be_added_and_removed() {
    let server = Server::start().await;
    server.project("acme").await;
    let new = [("production", "live"), ("qa", "qa"), ("staging", "test")];
    let updated = update(&server, only(&new), &[]).await.unwrap();
    assert_eq!(updated.environments, only(&new).environments);

    let (_, api_key) = key_in(&server, "staging").await;
    assert!(api_key.starts_with("acme_test_"));
    let gone = proto::CreateKeyRequest {
        parent: "projects/acme".into(),
        key: Some(Key { environment: "development".into(), ..Default::default() }),
        ..Default::default()
    };
    let refused = server.keys().create_key(gone).await.unwrap_err();
    assert_invalid(&refused, &["key.environment"]);
}

#[tokio::test]
async fn environments_with_keys_can_be_reordered() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = key_in(&server, "staging").await;
    let turned = [("staging", "stage"), ("production", "live")];
    let updated = update(&server, only(&turned), &[]).await.unwrap();
    assert_eq!(updated.environments, only(&turned).environments);
    assert_eq!(server.code(&api_key).await, Code::Valid);
}

#[tokio::test]
async fn no_key_is_created_in_an_environment_that_is_being_removed() {
    let server = Server::start().await;
    server.project("acme").await;
    let without =
        UpdateProjectRequest { project: Some(only(&[("production", "live")])), ..Default::default() };
    let key = proto::CreateKeyRequest {
        parent: "projects/acme".into(),
        key: Some(Key { environment: "staging".into(), ..Default::default() }),
        ..Default::default()
    };
    let (mut projects, mut keys) = (server.projects(), server.keys());
    let (removed, created) = tokio::join!(projects.update_project(without), keys.create_key(key));
    let left = get(&server, "acme").await.unwrap().environments;
    match (removed, created) {
        (Ok(_), Err(refused)) => {
            assert_invalid(&refused, &["key.environment"]);
            assert_eq!(left.len(), 1);
        }
        (Err(refused), Ok(_)) => {
            assert_refused(&refused, "IN_USE", "projects/acme");
            assert_eq!(left.len(), 3);
        }
        both => panic!("{both:?}"),
    }
}
