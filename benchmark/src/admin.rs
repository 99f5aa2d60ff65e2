//! Set-up over the public API.

use std::collections::BTreeMap;

use proto::{
    key_service_client::KeyServiceClient, project_service_client::ProjectServiceClient,
    role_service_client::RoleServiceClient, verify_service_client::VerifyServiceClient,
};
use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::{Fallible, server::Server};

/// An ordinary client of a server.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    admin: Channel,
    verify: Channel,
    bearer: Bearer,
}

#[derive(Debug, Clone)]
struct Bearer(tonic::metadata::AsciiMetadataValue);

type Intercepted = InterceptedService<Channel, Bearer>;

pub(crate) const PROJECT: &str = "projects/bench";

impl Admin {
    pub(crate) async fn of(server: &Server) -> Fallible<Self> {
        let connect = |address| Endpoint::from_shared(format!("http://{address}"));
        Ok(Self {
            admin: connect(server.admin)?.connect().await?,
            verify: connect(server.verify)?.connect().await?,
            bearer: Bearer(format!("Bearer {}", server.api_key).parse()?),
        })
    }

    pub(crate) async fn create_project(&self) -> Fallible<()> {
        let project = proto::Project { prefix: "acme".into(), ..Default::default() };
        let request = proto::CreateProjectRequest {
            project_id: PROJECT.trim_start_matches("projects/").into(),
            project: Some(project),
            ..Default::default()
        };
        ProjectServiceClient::with_interceptor(self.admin.clone(), self.bearer.clone())
            .create_project(request)
            .await?;
        Ok(())
    }

    /// Creates a typical key: a name, one tag, this many bytes of metadata, and these roles. Returns its API key.
    pub(crate) async fn create_key(&self, metadata: usize, roles: &[&str]) -> Fallible<String> {
        let key = proto::Key {
            display_name: "Checkout".into(),
            environment: "production".into(),
            tags: vec!["team:web".into()],
            metadata: entries(metadata),
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
            ..Default::default()
        };
        let request =
            proto::CreateKeyRequest { parent: PROJECT.into(), key: Some(key), ..Default::default() };
        let created = self.keys().create_key(request).await?;
        Ok(created.into_inner().api_key)
    }

    /// Creates a role with these permissions and endpoints.
    pub(crate) async fn create_role(
        &self,
        id: &str,
        permissions: Vec<String>,
        endpoints: Vec<String>,
    ) -> Fallible<()> {
        let role = proto::Role { permissions, endpoints, ..Default::default() };
        let request = proto::CreateRoleRequest {
            parent: PROJECT.into(),
            role_id: id.into(),
            role: Some(role),
            ..Default::default()
        };
        self.roles().create_role(request).await?;
        Ok(())
    }

    /// Gives the role `id` other permissions.
    pub(crate) async fn update_role(&self, id: &str, permissions: Vec<String>) -> Fallible<()> {
        let role = proto::Role { name: format!("{PROJECT}/roles/{id}"), permissions, ..Default::default() };
        let request = proto::UpdateRoleRequest { role: Some(role), ..Default::default() };
        self.roles().update_role(request).await?;
        Ok(())
    }

    /// Revokes the key with this name.
    pub(crate) async fn revoke(&self, name: String) -> Fallible<()> {
        let request = proto::RevokeKeyRequest { name, ..Default::default() };
        self.keys().revoke_key(request).await?;
        Ok(())
    }

    /// The response of Verify.
    pub(crate) async fn verify(&self, api_key: &str) -> Fallible<proto::VerifyResponse> {
        let request = proto::VerifyRequest { api_key: api_key.into(), ..Default::default() };
        let mut client = VerifyServiceClient::with_interceptor(self.verify.clone(), self.bearer.clone());
        Ok(client.verify(request).await?.into_inner())
    }

    fn roles(&self) -> RoleServiceClient<Intercepted> {
        RoleServiceClient::with_interceptor(self.admin.clone(), self.bearer.clone())
    }

    fn keys(&self) -> KeyServiceClient<Intercepted> {
        KeyServiceClient::with_interceptor(self.admin.clone(), self.bearer.clone())
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let bearer = self.0.clone();
        request.metadata_mut().insert("authorization", bearer);
        Ok(request)
    }
}

/// This many bytes of metadata, including names, in entries of 64 bytes.
fn entries(bytes: usize) -> BTreeMap<String, String> {
    let entry = |number| {
        let name = format!("label-{number:02}");
        (name, "v".repeat(56))
    };
    (0..bytes / 64).map(entry).collect()
}
