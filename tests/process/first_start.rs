//! The first start: what it prints once, and which files it creates.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use proto::ListProjectsRequest;

use crate::home::{Home, printed_key};

#[tokio::test]
async fn shows_the_root_key_and_a_first_command_once() {
    let home = Home::embedded();
    let first = home.serve().await;
    let root = first.root().await;
    let listed = first.caller(&root).projects().list_projects(ListProjectsRequest::default()).await;
    let projects = listed.unwrap().into_inner().projects;
    assert_eq!(projects.len(), 1);
    assert_eq!(projects[0].name, "projects/system");
    let admin = first.admin;
    let first = first.stop().await;
    assert_eq!(first.stdout.matches("grpcurl").count(), 1, "{first:#?}");
    assert!(first.stdout.contains(&format!("authorization: Bearer {root}\"")));
    assert!(first.stdout.contains(&format!("{admin} keystile.v1.ProjectService/CreateProject")));
    assert!(!first.stderr.contains(&root), "the log has the root key");

    let second = home.serve().await;
    assert_eq!(second.caller(&root).whole_log().await, 1, "the first start makes one change");
    let second = second.stop().await;
    assert_eq!(second.stdout, "");
    assert!(!second.stderr.contains("keystile_live_"));
}

#[tokio::test]
async fn the_command_that_the_first_start_shows_creates_a_project() {
    let home = Home::embedded();
    let serving = home.serve().await;
    let root = serving.root().await;
    let welcome = serving.process.stdout();
    // Send the message of the command, as grpcurl would.
    let (_, body) = welcome.split_once("-d '").unwrap();
    let body: serde_json::Value = serde_json::from_str(body.split_once('\'').unwrap().0).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let project = &body["project"];
    let request = proto::CreateProjectRequest {
        project_id: text(&body["project_id"]),
        project: Some(proto::Project {
            display_name: text(&project["display_name"]),
            prefix: text(&project["prefix"]),
            ..Default::default()
        }),
        ..Default::default()
    };
    let caller = serving.caller(&root);
    let created = caller.projects().create_project(request).await.unwrap().into_inner();
    assert_eq!(created.project.unwrap().name, "projects/acme");
    assert_eq!(caller.code(&created.api_key).await, proto::Code::Valid);
}

#[tokio::test]
async fn files_are_accessible_to_their_owner_only() {
    let home = Home::embedded();
    assert!(!home.data().exists());
    let serving = home.serve().await;
    serving.root().await;
    assert_eq!(mode(&home.data()), 0o700);
    let mut files = Vec::new();
    for entry in fs::read_dir(home.data()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    for expected in ["keystile.db", "keystile.db-wal", "peppers"] {
        assert!(files.iter().any(|it| it == expected), "{expected} is not in {files:?}");
    }
    serving.stop().await;
}

#[tokio::test]
async fn a_root_key_from_the_command_line_can_be_the_first() {
    let home = Home::embedded();
    let minted = home.run(&["root-key"]).await.with_code(0);
    let root = printed_key(&minted.stdout).unwrap();
    assert_eq!(minted.stdout, format!("{root}\n"), "the output is only the API key");
    let serving = home.serve().await;
    serving.caller(&root).create_project().await;
    assert_eq!(serving.stop().await.stdout, "", "the root key is shown only once");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
