//! UpdateProject: the mask, the etag, and what stays.

use std::time::Duration;

use proto::{DeleteKeyRequest, Key, Project, UpdateProjectRequest};
use testkit::{
    server::Server,
    status::{assert_invalid, assert_not_found, assert_stale},
};
use tokio::task::JoinSet;

use super::{days, environment, get, update};

fn acme() -> Project {
    Project { name: "projects/acme".into(), ..Default::default() }
}

/// Differs from a new project in every mutable field.
fn changed() -> Project {
    Project {
        display_name: "Acme".into(),
        environments: vec![environment("production", "live"), environment("qa", "qa")],
        deleted_key_retention: Some(days(7)),
        ..acme()
    }
}

#[tokio::test]
async fn a_mask_changes_only_the_fields_that_it_names() {
    let server = Server::start().await;
    let before = server.project("acme").await;
    server.clock.advance(Duration::from_secs(1));

    let named = update(&server, changed(), &["display_name"]).await.unwrap();
    assert_eq!(named.display_name, "Acme");
    assert_eq!(named.environments, before.environments);
    assert_eq!(named.deleted_key_retention, before.deleted_key_retention);
    assert_eq!(named.create_time, before.create_time);
    assert!(named.update_time.unwrap().seconds > before.update_time.unwrap().seconds);
    assert_ne!(named.etag, before.etag);
    assert_eq!(named.revision, before.revision + 1);

    let mask = ["deleted_key_retention", "environments"];
    let both = update(&server, changed(), &mask).await.unwrap();
    assert_eq!(both.environments, changed().environments);
    assert_eq!(both.deleted_key_retention, Some(days(7)));
    assert_eq!(get(&server, "acme").await.unwrap(), both);
}

#[tokio::test]
async fn without_a_mask_the_fields_that_are_set_change() {
    let server = Server::start().await;
    let before = server.project("acme").await;
    let set = Project { deleted_key_retention: Some(days(7)), ..acme() };
    let request = UpdateProjectRequest { project: Some(set), ..Default::default() };
    let updated = server.projects().update_project(request).await.unwrap();
    let updated = updated.into_inner().project.unwrap();
    assert_eq!(updated.deleted_key_retention, Some(days(7)));
    assert_eq!(updated.environments, before.environments);

    let updated = update(&server, changed(), &[]).await.unwrap();
    assert_eq!(updated.display_name, "Acme");
    assert_eq!(updated.environments, changed().environments);
}

#[tokio::test]
async fn a_star_changes_everything() {
    let server = Server::start().await;
    server.project("acme").await;
    update(&server, changed(), &["*"]).await.unwrap();
    let bare = Project { environments: vec![environment("production", "live")], ..acme() };
    let updated = update(&server, bare, &["*"]).await.unwrap();
    assert_eq!(updated.display_name, "", "the display name is cleared");
    assert_eq!(updated.deleted_key_retention, Some(days(30)), "the default");
    assert_eq!(updated.environments.len(), 1);

    let none = update(&server, acme(), &["*"]).await.unwrap_err();
    assert_invalid(&none, &["project.environments"]);
}

#[tokio::test]
async fn output_only_fields_do_not_change() {
    let server = Server::start().await;
    let before = server.project("acme").await;
    let other = Project {
        system_key: "projects/system/keys/none".into(),
        revision: 99,
        display_name: "Acme".into(),
        ..acme()
    };
    let updated = update(&server, other, &[]).await.unwrap();
    assert_eq!(updated.prefix, "acme");
    assert_eq!(updated.system_key, before.system_key);
    assert_eq!(updated.revision, before.revision + 1);
}

#[tokio::test]
async fn a_mask_of_other_than_mutable_fields_is_refused() {
    let server = Server::start().await;
    let before = server.project("acme").await;
    for path in [
        "",
        "prefix",
        "name",
        "etag",
        "system_key",
        "create_time",
        "Display_name",
        "project.display_name",
        "environments.tag",
        "color",
    ] {
        let refused = update(&server, changed(), &["display_name", path]).await;
        assert_invalid(&refused.unwrap_err(), &["update_mask"]);
    }
    let refused = update(&server, changed(), &["*", "display_name"]).await;
    assert_invalid(&refused.unwrap_err(), &["update_mask"]);
    assert_eq!(get(&server, "acme").await.unwrap(), before);
}

#[tokio::test]
async fn every_wrong_field_is_reported_at_once() {
    let server = Server::start().await;
    let project = Project {
        name: "acme".into(),
        display_name: "\u{1b}[31m".into(),
        environments: vec![environment("qa", "QA")],
        deleted_key_retention: Some(days(3651)),
        ..Default::default()
    };
    let refused = update(&server, project.clone(), &[]).await.unwrap_err();
    let wrong = [
        "project.name",
        "project.display_name",
        "project.environments[0].tag",
        "project.deleted_key_retention",
    ];
    assert_invalid(&refused, &wrong);
    let masked = ["color", "display_name", "size"];
    let refused = update(&server, project, &masked).await.unwrap_err();
    let wrong = ["update_mask", "update_mask", "project.name", "project.display_name"];
    assert_invalid(&refused, &wrong);

    let empty = UpdateProjectRequest::default();
    let refused = server.projects().update_project(empty).await.unwrap_err();
    assert_invalid(&refused, &["project.name"]);
}

#[tokio::test]
async fn an_unknown_project_is_not_found() {
    let server = Server::start().await;
    let refused = update(&server, changed(), &[]).await.unwrap_err();
    assert_not_found(&refused, "projects/acme");
}

#[tokio::test]
async fn a_stale_etag_is_refused_with_the_current_one() {
    let server = Server::start().await;
    let first = server.project("acme").await;
    let with_etag =
        |etag: &str, name: &str| Project { etag: etag.into(), display_name: name.into(), ..acme() };
    let second = update(&server, with_etag(&first.etag, "One"), &[]).await.unwrap();
    for stale in [first.etag.as_str(), "never"] {
        let refused = update(&server, with_etag(stale, "Two"), &[]).await;
        assert_stale(&refused.unwrap_err(), "projects/acme", &second.etag);
    }
    assert_eq!(get(&server, "acme").await.unwrap(), second);
    let third = update(&server, with_etag(&second.etag, "Two"), &[]).await.unwrap();
    assert_eq!(third.display_name, "Two");
}

#[tokio::test]
async fn of_concurrent_updates_with_one_etag_one_succeeds() {
    let server = Server::start().await;
    let etag = server.project("acme").await.etag;
    let mut calls = JoinSet::new();
    for n in 0..8 {
        let project = Project { etag: etag.clone(), display_name: n.to_string(), ..acme() };
        let request = UpdateProjectRequest { project: Some(project), ..Default::default() };
        let mut projects = server.projects();
        calls.spawn(async move { projects.update_project(request).await });
    }
    let (made, refused): (Vec<_>, Vec<_>) = calls.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 7));
    let now = get(&server, "acme").await.unwrap();
    for refused in refused {
        assert_stale(&refused.unwrap_err(), "projects/acme", &now.etag);
    }
}

#[tokio::test]
async fn validate_only_returns_the_result_and_changes_nothing() {
    let server = Server::start().await;
    let before = server.project("acme").await;
    let request =
        UpdateProjectRequest { project: Some(changed()), validate_only: true, ..Default::default() };
    let tried = server.projects().update_project(request).await.unwrap();
    let tried = tried.into_inner().project.unwrap();
    assert_eq!(tried.display_name, "Acme");
    assert_eq!(tried.environments, changed().environments);
    assert_eq!(get(&server, "acme").await.unwrap(), before);
    assert_eq!(server.head().await, before.revision);
}

#[tokio::test]
async fn a_new_retention_applies_to_later_deletions() {
    let server = Server::start().await;
    server.project("acme").await;
    let (one, _) = server.key("acme", Key::default()).await;
    let (two, _) = server.key("acme", Key::default()).await;
    let delete = async |key: &Key| {
        let request = DeleteKeyRequest { name: key.name.clone(), ..Default::default() };
        let deleted = server.keys().delete_key(request).await.unwrap();
        let deleted = deleted.into_inner().key.unwrap();
        deleted.purge_time.unwrap().seconds - deleted.delete_time.unwrap().seconds
    };
    assert_eq!(delete(&one).await, 30 * 86_400);
    update(&server, changed(), &["deleted_key_retention"]).await.unwrap();
    assert_eq!(delete(&two).await, 7 * 86_400);
}
