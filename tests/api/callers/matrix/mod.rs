//! Who may call what: every method × every built-in role × a project that is the caller's, one that is not, and one that does
//! not exist.

mod requests;
mod table;

use std::collections::BTreeSet;

use proto::Key;
use testkit::{
    rpc::{Rpc, call, every_rpc},
    server::{Server, channel},
    status::{metadata, reason},
};
use tonic::Status;

use super::bearer;
use requests::{Target, ask};
use table::{PROJECTS, ROLES, ROWS, Row};

/// A caller that holds one role, or none, for the project `own`.
async fn caller(server: &Server, role: &str) -> String {
    let roles = if role.is_empty() { vec![] } else { vec![role.to_owned()] };
    // Without any grant the helper would make it a root key.
    let permissions = if role.is_empty() { vec!["nothing.of.ours".to_owned()] } else { vec![] };
    let key = Key { roles, permissions, customers: vec!["own".into()], ..Default::default() };
    server.key("system", key).await.1
}

async fn server() -> Server {
    let server = Server::start().await;
    for project in ["own", "foreign"] {
        server.project(project).await;
    }
    server
}

fn row(rpc: &Rpc) -> &'static Row {
    let name = rpc.path.strip_prefix("/keystile.v1.").unwrap();
    ROWS.iter().find(|row| row.method == name).unwrap_or_else(|| panic!("{name} has no row in the table"))
}

#[tokio::test]
async fn every_method_answers_every_role_as_the_table_says() {
    let server = server().await;
    let mut rows: BTreeSet<_> = ROWS.iter().map(|row| row.method).collect();
    for (place, role) in ROLES.iter().enumerate() {
        let api_key = caller(&server, role).await;
        for rpc in every_rpc(&server) {
            let row = row(&rpc);
            rows.remove(row.method);
            for (project, expected) in PROJECTS.iter().zip(row.outcomes) {
                let what = format!("{} by {role:?} for {project}", row.method);
                let target = Target::of(&server, row.method, project).await;
                let answer = ask(&server, &rpc, &api_key, &target).await;
                if !row.allows(place) {
                    let denied = answer.expect_err(&what);
                    assert_eq!(reason(&denied, tonic::Code::PermissionDenied), "PERMISSION_DENIED", "{what}");
                    let permission = metadata(&denied, "permission").unwrap();
                    assert!(denied.message().contains(&permission), "{what}: {}", denied.message());
                    continue;
                }
                assert_eq!(outcome(&answer), expected, "{what}: {answer:?}");
            }
        }
    }
    assert_eq!(rows, BTreeSet::new(), "rows of methods that do not exist");
}

/// The outcome of a call: `OK`, the decision of Verify, or the reason of the error.
fn outcome(answer: &Result<String, Status>) -> String {
    match answer {
        Ok(decision) => decision.clone(),
        Err(status) => reason(status, status.code()),
    }
}

/// A project that the caller may not act on is, in every byte, as one that does not exist.
#[tokio::test]
async fn a_foreign_project_is_as_one_that_does_not_exist() {
    let server = server().await;
    let api_key = caller(&server, "root").await;
    for rpc in every_rpc(&server) {
        let row = row(&rpc);
        let target = Target::of(&server, row.method, "foreign").await;
        let foreign = ask(&server, &rpc, &api_key, &target).await;
        let missing = ask(&server, &rpc, &api_key, &target.renamed("foreign", "missing")).await;
        match (foreign, missing) {
            (Err(foreign), Err(missing)) => {
                assert_eq!(foreign.code(), missing.code(), "{}", row.method);
                assert_eq!(foreign.message().replace("foreign", "missing"), missing.message());
                let details = String::from_utf8_lossy(foreign.details()).replace("foreign", "missing");
                assert_eq!(details, String::from_utf8_lossy(missing.details()), "{}", row.method);
            }
            (foreign, missing) => assert_eq!(outcome(&foreign), outcome(&missing), "{}", row.method),
        }
    }
}

/// A caller that may not call a method is told so whatever it sends.
#[tokio::test]
async fn permission_is_asked_before_anything_is_read() {
    let server = server().await;
    let api_key = caller(&server, "").await;
    let garbage = [0xff; 64];
    for rpc in every_rpc(&server) {
        let answer = call(&channel(rpc.listener), &rpc.path, bearer(&api_key), &garbage).await;
        let refused = answer.unwrap_err();
        let expected =
            if row(&rpc).allows(ROLES.len() - 1) { "MALFORMED_REQUEST" } else { "PERMISSION_DENIED" };
        assert_eq!(reason(&refused, refused.code()), expected, "{}", rpc.path);
    }
    for path in ["/keystile.v1.KeyService/Nothing", "/no.Service/Nothing", "/keystile.v1.KeyService/getkey"] {
        let unknown = call(&channel(server.admin), path, bearer(&api_key), &[]).await.unwrap_err();
        assert_eq!(unknown.code(), tonic::Code::Unimplemented, "{path}");
    }
}
