//! GetProject.

use proto::GetProjectRequest;
use testkit::{
    server::Server,
    status::{assert_invalid, assert_not_found},
};

use super::get;

#[tokio::test]
async fn a_project_is_read_by_its_name() {
    let server = Server::start().await;
    let created = server.project("acme").await;
    assert_eq!(get(&server, "acme").await.unwrap(), created);

    let system = get(&server, "system").await.unwrap();
    assert_eq!(system.prefix, "keystile");
    assert_eq!(system.revision, 1, "the system project is the first change");
}

#[tokio::test]
async fn reading_changes_nothing() {
    let server = Server::start().await;
    server.project("acme").await;
    let before = server.head().await;
    let first = get(&server, "acme").await.unwrap();
    assert_eq!(get(&server, "acme").await.unwrap().etag, first.etag);
    assert_eq!(server.head().await, before);
}

#[tokio::test]
async fn an_unknown_project_is_not_found() {
    let server = Server::start().await;
    let refused = get(&server, "acme").await.unwrap_err();
    assert_not_found(&refused, "projects/acme");
}

#[tokio::test]
async fn a_malformed_name_is_invalid() {
    let server = Server::start().await;
    for name in [
        "",
        "acme",
        "projects",
        "projects/",
        "projects/-",
        "projects/Acme",
        "projects/acme/",
        "projects/acme/keys",
        "/projects/acme",
        "Projects/acme",
        "projects/acme\0",
    ] {
        let request = GetProjectRequest { name: name.into() };
        let refused = server.projects().get_project(request).await.unwrap_err();
        assert_invalid(&refused, &["name"]);
    }
}
