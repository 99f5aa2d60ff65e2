//! ServiceAccountService.

mod create_service_account;
mod create_service_account_refused;
mod delete_service_account;
mod disable_service_account;
mod enable_service_account;
mod get_service_account;
mod list_service_accounts;
mod update_service_account;

use proto::{CreateServiceAccountRequest, ServiceAccount};
use testkit::server::Server;
use tonic::Status;

const CI: &str = "projects/acme/serviceAccounts/ci";
/// The account that owns the system key of `acme`.
const SYSTEM: &str = "projects/acme/serviceAccounts/system";

/// A server with the project `acme` and its account `ci`.
async fn with_account() -> (Server, ServiceAccount) {
    let server = Server::start().await;
    server.project("acme").await;
    let account = server.service_account("acme", "ci").await;
    (server, account)
}

/// A request that creates the account `ci` of `acme`.
fn new_ci() -> CreateServiceAccountRequest {
    CreateServiceAccountRequest {
        parent: "projects/acme".into(),
        service_account_id: "ci".into(),
        service_account: Some(ServiceAccount {
            display_name: "Deploys, 部署".into(),
            external_id: "okta|42".into(),
            metadata: [("team".to_owned(), "core".to_owned())].into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

async fn create(server: &Server, request: CreateServiceAccountRequest) -> Result<ServiceAccount, Status> {
    let created = server.accounts().create_service_account(request).await;
    created.map(|created| created.into_inner().service_account.unwrap())
}

async fn get(server: &Server, name: &str) -> Result<ServiceAccount, Status> {
    let request = proto::GetServiceAccountRequest { name: name.into() };
    let got = server.accounts().get_service_account(request).await;
    got.map(|got| got.into_inner().service_account.unwrap())
}

async fn disable(server: &Server, name: &str, etag: &str) -> Result<ServiceAccount, Status> {
    let request =
        proto::DisableServiceAccountRequest { name: name.into(), etag: etag.into(), ..Default::default() };
    let disabled = server.accounts().disable_service_account(request).await;
    disabled.map(|disabled| disabled.into_inner().service_account.unwrap())
}

async fn enable(server: &Server, name: &str, etag: &str) -> Result<ServiceAccount, Status> {
    let request =
        proto::EnableServiceAccountRequest { name: name.into(), etag: etag.into(), ..Default::default() };
    let enabled = server.accounts().enable_service_account(request).await;
    enabled.map(|enabled| enabled.into_inner().service_account.unwrap())
}

/// A key that the account owns, and its API key.
async fn key_of(server: &Server, account: &str) -> (proto::Key, String) {
    let key = proto::Key { service_account: account.into(), ..Default::default() };
    server.key("acme", key).await
}

/// Malformed names of service accounts.
const MALFORMED: [&str; 11] = [
    "",
    "ci",
    "projects/acme",
    "projects/acme/serviceAccounts",
    "projects/acme/serviceAccounts/",
    "projects/acme/serviceAccounts/-",
    "projects/acme/serviceAccounts/CI",
    "projects/acme/serviceAccounts/ci/keys",
    "projects/acme/keys/ci",
    "projects//serviceAccounts/ci",
    "projects/-/serviceAccounts/ci",
];
