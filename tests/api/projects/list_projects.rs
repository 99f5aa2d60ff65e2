//! ListProjects.

use std::time::Duration;

use proto::{ListProjectsRequest, ListProjectsResponse, ListServiceAccountsRequest};
use testkit::{
    server::Server,
    status::{assert_invalid, metadata, reason},
};
use tonic::{Code, Status};

async fn page(server: &Server, size: i32, token: &str) -> Result<ListProjectsResponse, Status> {
    let request = ListProjectsRequest { page_size: size, page_token: token.into() };
    let listed = server.projects().list_projects(request).await;
    listed.map(|listed| listed.into_inner())
}

fn names(page: &ListProjectsResponse) -> Vec<&str> {
    page.projects.iter().map(|it| it.name.as_str()).collect()
}

#[tokio::test]
async fn projects_come_oldest_first() {
    let server = Server::start().await;
    for id in ["zulu", "mike", "alpha"] {
        server.clock.advance(Duration::from_micros(1));
        server.project(id).await;
    }
    let all = page(&server, 0, "").await.unwrap();
    assert_eq!(names(&all), ["projects/system", "projects/zulu", "projects/mike", "projects/alpha"]);
    assert_eq!(all.next_page_token, "");
}

#[tokio::test]
async fn pages_skip_and_repeat_nothing() {
    let server = Server::start().await;
    // The clock does not advance: all were created at the same instant.
    for n in 0..6 {
        server.project(&format!("p{n}")).await;
    }
    let mut seen = Vec::new();
    let mut token = String::new();
    for size in [2, 3, 1, 50] {
        let page = page(&server, size, &token).await.unwrap();
        assert!(page.projects.len() <= usize::try_from(size).unwrap());
        seen.extend(page.projects.into_iter().map(|it| it.name));
        token = page.next_page_token;
        assert_eq!(token.is_empty(), size == 50, "after {seen:?}");
    }
    let expected: Vec<_> = (0..6).map(|n| format!("projects/p{n}")).collect();
    assert_eq!(seen[..6], expected);
    assert_eq!(seen[6..], ["projects/system"]);
}

#[tokio::test]
async fn the_last_page_has_no_next_page_token() {
    let server = Server::start().await;
    server.project("acme").await;
    let whole = page(&server, 2, "").await.unwrap();
    assert_eq!(whole.projects.len(), 2);
    assert_eq!(whole.next_page_token, "");
}

#[tokio::test]
async fn a_page_has_50_projects_by_default() {
    let server = Server::start().await;
    for n in 0..50 {
        server.project(&format!("p{n}")).await;
    }
    let first = page(&server, 0, "").await.unwrap();
    assert_eq!(first.projects.len(), 50);
    let rest = page(&server, 0, &first.next_page_token).await.unwrap();
    assert_eq!(rest.projects.len(), 1);
    assert_eq!(page(&server, i32::MAX, "").await.unwrap().projects.len(), 51);
}

#[tokio::test]
async fn the_last_project_of_a_page_may_be_deleted_before_the_next() {
    let server = Server::start().await;
    for id in ["a", "b", "c"] {
        server.project(id).await;
    }
    let first = page(&server, 2, "").await.unwrap();
    let delete = proto::DeleteProjectRequest { name: "projects/b".into(), ..Default::default() };
    server.projects().delete_project(delete).await.unwrap();
    let rest = page(&server, 2, &first.next_page_token).await.unwrap();
    assert_eq!(names(&rest), ["projects/c", "projects/system"]);
}

#[tokio::test]
async fn a_forged_page_token_is_refused() {
    let server = Server::start().await;
    for id in ["acme", "other"] {
        server.project(id).await;
        server.service_account(id, "ci").await;
    }
    let token = page(&server, 1, "").await.unwrap().next_page_token;
    let accounts =
        ListServiceAccountsRequest { parent: "projects/acme".into(), page_size: 1, ..Default::default() };
    let accounts = server.accounts().list_service_accounts(accounts).await;
    let foreign = accounts.unwrap().into_inner().next_page_token;
    let mut edited = token.clone();
    let last = if edited.pop() == Some('A') { 'B' } else { 'A' };
    edited.push(last);
    for bad in ["2", "é", &token[1..], &foreign, &edited, &format!("{token}=")] {
        let refused = page(&server, 1, bad).await.unwrap_err();
        assert_eq!(reason(&refused, Code::InvalidArgument), "INVALID_PAGE_TOKEN");
        assert_eq!(metadata(&refused, "field").as_deref(), Some("page_token"));
    }
    assert!(page(&server, 1, &token).await.is_ok());
}

#[tokio::test]
async fn a_negative_page_size_is_refused() {
    let server = Server::start().await;
    for size in [-1, i32::MIN] {
        let refused = page(&server, size, "").await.unwrap_err();
        assert_invalid(&refused, &["page_size"]);
    }
}
