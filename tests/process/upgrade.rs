//! The first start on a database of a version without roles.

use proto::{
    KeyPolicy, ListProjectsRequest, Project, UpdateProjectRequest, WhoAmIRequest, WhoAmIResponse,
    caller_service_client::CallerServiceClient,
};
use testkit::{
    database::{Database, Kind},
    server::{Bearer, channel},
};

use crate::home::{Home, Serving, printed_key};

/// The schema as it was, with what was in it.
const BEFORE_ROLES: [&str; 8] = [
    "DROP TABLE upgrades",
    "DROP TABLE role_removals",
    "DROP TABLE roles",
    "ALTER TABLE keys DROP COLUMN roles",
    "ALTER TABLE keys DROP COLUMN permissions",
    "ALTER TABLE projects DROP COLUMN key_policy",
    "UPDATE keys SET customers = '[]'",
    "DELETE FROM seaql_migrations WHERE version IN ('m0005_access', 'm0006_upgrades')",
];

const UPGRADED: &str = "keys of projects/system from before there were roles";

async fn who_is(serving: &Serving, api_key: &str) -> WhoAmIResponse {
    let mut client = CallerServiceClient::with_interceptor(channel(serving.admin), Bearer::new(api_key));
    client.who_am_i(WhoAmIRequest {}).await.unwrap().into_inner()
}

fn assert_is_root(caller: &WhoAmIResponse) {
    assert_eq!(caller.roles, ["projects/system/roles/root"]);
    assert_eq!(caller.permissions, ["*"]);
    assert_eq!(caller.projects, ["projects/-"]);
}

#[tokio::test]
async fn every_system_key_of_an_older_version_becomes_root() {
    let database = Database::empty(Kind::Sqlite).await;
    let home = Home::on(&database);
    let serving = home.serve().await;
    let root = serving.root().await;
    serving.stop().await;
    let minted = printed_key(&home.run(&["root-key"]).await.with_code(0).stdout).unwrap();
    for statement in BEFORE_ROLES {
        database.execute(statement).await;
    }

    let serving = home.serve().await;
    for api_key in [&root, &minted] {
        assert_is_root(&who_is(&serving, api_key).await);
        let listed = serving.caller(api_key).projects().list_projects(ListProjectsRequest::default()).await;
        assert_eq!(listed.unwrap().into_inner().projects.len(), 1);
    }
    // The project, the minted key with its account's, and the two keys again.
    let changes = serving.caller(&root).whole_log().await;
    let first = serving.stop().await;
    let told: Vec<_> = first.stderr.lines().filter(|line| line.contains(UPGRADED)).collect();
    assert_eq!(told.len(), 1, "{}", first.stderr);
    assert!(told[0].contains("\"keys\":2"), "{}", told[0]);

    let again = home.serve().await;
    assert_eq!(again.caller(&root).whole_log().await, changes, "the next start changes nothing");
    assert!(!again.stop().await.stderr.contains(UPGRADED));
}

#[tokio::test]
async fn a_key_from_the_command_line_is_root() {
    let home = Home::embedded();
    home.serve().await.stop().await;
    let minted = printed_key(&home.run(&["root-key"]).await.with_code(0).stdout).unwrap();
    let serving = home.serve().await;
    assert_is_root(&who_is(&serving, &minted).await);
    serving.stop().await;
}

/// It is how an operator gets in when nothing else does.
#[tokio::test]
async fn no_key_policy_binds_a_key_from_the_command_line() {
    let home = Home::embedded();
    let serving = home.serve().await;
    let root = serving.root().await;
    let key_policy = KeyPolicy {
        require_expiration: true,
        max_active_keys: 1,
        allowed_roles: vec!["auditor".into()],
        ..Default::default()
    };
    let project =
        Project { name: "projects/system".into(), key_policy: Some(key_policy), ..Default::default() };
    let update = UpdateProjectRequest { project: Some(project), ..Default::default() };
    serving.caller(&root).projects().update_project(update).await.unwrap();
    serving.stop().await;
    let mut minted = Vec::new();
    for _ in 0..2 {
        minted.push(printed_key(&home.run(&["root-key"]).await.with_code(0).stdout).unwrap());
    }
    let serving = home.serve().await;
    for api_key in &minted {
        assert_is_root(&who_is(&serving, api_key).await);
    }
    serving.stop().await;
}
