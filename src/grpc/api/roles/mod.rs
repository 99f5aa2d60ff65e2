//! RoleService on the wire.

mod request;

use tonic::{Request, Response, Status};

use crate::{
    grpc::wire::{faults::both, paging::PageRequest},
    verbs::Service,
};

use super::{
    call::{call, caller},
    services::role_service_server::RoleService,
};

#[derive(Debug)]
pub(in crate::grpc) struct RoleApi(pub(in crate::grpc) Service);

#[tonic::async_trait]
impl RoleService for RoleApi {
    async fn create_role(
        &self,
        request: Request<proto::CreateRoleRequest>,
    ) -> Result<Response<proto::CreateRoleResponse>, Status> {
        let body = request.get_ref();
        let (call, new) = both(call(&request), request::new_role(body))?;
        let role = Some(self.0.create_role(&call, new).await?.into());
        Ok(Response::new(proto::CreateRoleResponse { role }))
    }

    async fn get_role(
        &self,
        request: Request<proto::GetRoleRequest>,
    ) -> Result<Response<proto::GetRoleResponse>, Status> {
        let name = request::name(&request.get_ref().name)?;
        let role = Some(self.0.get_role(&caller(&request), &name).await?.into());
        Ok(Response::new(proto::GetRoleResponse { role }))
    }

    async fn list_roles(
        &self,
        request: Request<proto::ListRolesRequest>,
    ) -> Result<Response<proto::ListRolesResponse>, Status> {
        let caller = caller(&request);
        let request = request.into_inner();
        let wanted = PageRequest {
            listing: format!("roles\n{}\n{}\n{}", request.parent, request.filter, request.order_by),
            size: request.page_size,
            token: &request.page_token,
        };
        let listing = self.0.list_roles(&caller, request::listing(&request, &wanted)?).await?;
        let (roles, next_page_token) = wanted.cut(listing, Into::into);
        Ok(Response::new(proto::ListRolesResponse { roles, next_page_token }))
    }

    async fn update_role(
        &self,
        request: Request<proto::UpdateRoleRequest>,
    ) -> Result<Response<proto::UpdateRoleResponse>, Status> {
        let body = request.get_ref();
        let role = body.role.clone().unwrap_or_default();
        let (call, (name, patch)) = both(call(&request), request::patch(&role, body.update_mask.as_ref()))?;
        let role = Some(self.0.update_role(&call, &name, &role.etag, &patch).await?.into());
        Ok(Response::new(proto::UpdateRoleResponse { role }))
    }

    async fn delete_role(
        &self,
        request: Request<proto::DeleteRoleRequest>,
    ) -> Result<Response<proto::DeleteRoleResponse>, Status> {
        let body = request.get_ref();
        let (call, name) = both(call(&request), request::name(&body.name))?;
        self.0.delete_role(&call, &name, &body.etag, body.force).await?;
        Ok(Response::new(proto::DeleteRoleResponse {}))
    }
}
