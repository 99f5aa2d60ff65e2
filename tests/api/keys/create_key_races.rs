//! CreateKey while the key's environment or owner is deleted.

use proto::{Code, Key};
use testkit::server::Server;
use tonic::Code as Grpc;

use crate::calls::{assert_not_found, creation, inner, purge};

fn project(environments: &[(&str, &str)]) -> proto::UpdateProjectRequest {
    let environment = |&(id, tag): &(&str, &str)| proto::Environment { id: id.into(), tag: tag.into() };
    proto::UpdateProjectRequest {
        project: Some(proto::Project {
            name: "projects/acme".into(),
            environments: environments.iter().map(environment).collect(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Either the key is created first, and its environment stays, or the environment is removed, and there is no key.
#[tokio::test]
async fn no_key_is_created_in_a_removed_environment() {
    let server = Server::start().await;
    server.project("acme").await;
    let both = [("production", "live"), ("staging", "stage")];
    for _ in 0..16 {
        let set = server.projects().update_project(project(&both)).await;
        set.unwrap();
        let asked = Key { environment: "staging".into(), ..Default::default() };
        let mut projects = server.projects();
        let (created, removed) =
            tokio::join!(server.create(creation(asked)), projects.update_project(project(&both[..1])),);
        match (created, inner(removed)) {
            (Ok(created), Err(refused)) => {
                assert_eq!(refused.code(), Grpc::FailedPrecondition);
                assert_eq!(server.code(&created.api_key).await, Code::Valid);
                let name = created.key.unwrap().name;
                server.delete(purge(&name)).await.unwrap();
            }
            (Err(refused), Ok(_)) => assert_eq!(refused.code(), Grpc::InvalidArgument),
            (created, removed) => panic!("{created:?} and {removed:?}"),
        }
    }
}

/// The same for a service account that is deleted.
#[tokio::test]
async fn no_key_is_created_for_a_deleted_owner() {
    let server = Server::start().await;
    server.project("acme").await;
    for round in 0..16 {
        let owner = server.account("acme", &format!("ci-{round}"), "CI").await;
        let asked = Key { service_account: owner.clone(), ..Default::default() };
        let delete = proto::DeleteServiceAccountRequest { name: owner.clone(), ..Default::default() };
        let mut accounts = server.accounts();
        let (created, removed) =
            tokio::join!(server.create(creation(asked)), accounts.delete_service_account(delete),);
        match (created, inner(removed)) {
            (Ok(created), Err(refused)) => {
                assert_eq!(refused.code(), Grpc::FailedPrecondition);
                assert_eq!(server.code(&created.api_key).await, Code::Valid);
            }
            (Err(refused), Ok(_)) => assert_not_found(&refused, &owner),
            (created, removed) => panic!("{created:?} and {removed:?}"),
        }
    }
}
