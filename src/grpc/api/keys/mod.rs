//! KeyService on the wire.

mod request;
mod update;

use domain::{
    name::{KeyName, ProjectName},
    query::key_filter,
};
use tonic::{Request, Response, Status};

use crate::{
    grpc::wire::{
        faults::{Faults, both},
        paging::PageRequest,
    },
    verbs::{CountKeys, Error, Issued, Service},
};

use super::{
    call::{call, caller},
    services::key_service_server::KeyService,
};

#[derive(Debug)]
pub(in crate::grpc) struct KeyApi(pub(in crate::grpc) Service);

#[tonic::async_trait]
impl KeyService for KeyApi {
    async fn create_key(
        &self,
        request: Request<proto::CreateKeyRequest>,
    ) -> Result<Response<proto::CreateKeyResponse>, Status> {
        let body = request.get_ref();
        let (call, new) = both(call(&request), request::new_key(body))?;
        let issued = self.0.create_key(&call, new).await?;
        Ok(Response::new(proto::CreateKeyResponse {
            api_key: api_key(&issued),
            api_key_already_issued: issued.repeated,
            key: Some(issued.key.into()),
        }))
    }

    async fn get_key(
        &self,
        request: Request<proto::GetKeyRequest>,
    ) -> Result<Response<proto::GetKeyResponse>, Status> {
        let key = self.0.get_key(&caller(&request), &name(&request.get_ref().name)?).await?;
        Ok(Response::new(proto::GetKeyResponse { key: Some(key.into()) }))
    }

    async fn list_keys(
        &self,
        request: Request<proto::ListKeysRequest>,
    ) -> Result<Response<proto::ListKeysResponse>, Status> {
        let caller = caller(&request);
        let asked = request.into_inner();
        let proto::ListKeysRequest { parent, filter, order_by, show_deleted, .. } = &asked;
        let wanted = PageRequest {
            listing: format!("keys\n{parent}\n{filter}\n{order_by}\n{show_deleted}"),
            size: asked.page_size,
            token: &asked.page_token,
        };
        let listing = self.0.list_keys(&caller, request::listing(&asked, &wanted)?).await?;
        let (keys, next_page_token) = wanted.cut(listing, Into::into);
        Ok(Response::new(proto::ListKeysResponse { keys, next_page_token }))
    }

    async fn update_key(
        &self,
        request: Request<proto::UpdateKeyRequest>,
    ) -> Result<Response<proto::UpdateKeyResponse>, Status> {
        let body = request.get_ref();
        let (call, update) = both(call(&request), update::read(body))?;
        let key = self.0.update_key(&call, &update.name, &update.etag, &update.patch).await?;
        Ok(Response::new(proto::UpdateKeyResponse { key: Some(key.into()) }))
    }

    async fn delete_key(
        &self,
        request: Request<proto::DeleteKeyRequest>,
    ) -> Result<Response<proto::DeleteKeyResponse>, Status> {
        let body = request.get_ref();
        let (call, name) = both(call(&request), name(&body.name))?;
        let key = if body.purge {
            self.0.purge_key(&call, &name, &body.etag).await?
        } else {
            Some(self.0.delete_key(&call, &name, &body.etag).await?)
        };
        Ok(Response::new(proto::DeleteKeyResponse { key: key.map(Into::into) }))
    }

    async fn undelete_key(
        &self,
        request: Request<proto::UndeleteKeyRequest>,
    ) -> Result<Response<proto::UndeleteKeyResponse>, Status> {
        let body = request.get_ref();
        let (call, name) = both(call(&request), name(&body.name))?;
        let key = self.0.undelete_key(&call, &name, &body.etag).await?;
        Ok(Response::new(proto::UndeleteKeyResponse { key: Some(key.into()) }))
    }

    async fn rotate_key(
        &self,
        request: Request<proto::RotateKeyRequest>,
    ) -> Result<Response<proto::RotateKeyResponse>, Status> {
        let body = request.get_ref();
        let (call, (name, grace)) = both(call(&request), request::rotation(body))?;
        let issued = self.0.rotate_key(&call, &name, &body.etag, grace).await?;
        Ok(Response::new(proto::RotateKeyResponse {
            api_key: api_key(&issued),
            api_key_already_issued: issued.repeated,
            key: Some(issued.key.into()),
        }))
    }

    async fn revoke_key(
        &self,
        request: Request<proto::RevokeKeyRequest>,
    ) -> Result<Response<proto::RevokeKeyResponse>, Status> {
        let body = request.get_ref();
        let (call, (name, reason)) = both(call(&request), request::revocation(body))?;
        let key = self.0.revoke_key(&call, &name, &body.etag, &reason).await?;
        Ok(Response::new(proto::RevokeKeyResponse { key: Some(key.into()) }))
    }

    async fn disable_key(
        &self,
        request: Request<proto::DisableKeyRequest>,
    ) -> Result<Response<proto::DisableKeyResponse>, Status> {
        let body = request.get_ref();
        let (call, name) = both(call(&request), name(&body.name))?;
        let key = self.0.disable_key(&call, &name, &body.etag).await?;
        Ok(Response::new(proto::DisableKeyResponse { key: Some(key.into()) }))
    }

    async fn enable_key(
        &self,
        request: Request<proto::EnableKeyRequest>,
    ) -> Result<Response<proto::EnableKeyResponse>, Status> {
        let body = request.get_ref();
        let (call, name) = both(call(&request), name(&body.name))?;
        let key = self.0.enable_key(&call, &name, &body.etag).await?;
        Ok(Response::new(proto::EnableKeyResponse { key: Some(key.into()) }))
    }

    async fn count_keys(
        &self,
        request: Request<proto::CountKeysRequest>,
    ) -> Result<Response<proto::CountKeysResponse>, Status> {
        let caller = caller(&request);
        let request = request.into_inner();
        let mut faults = Faults::default();
        let parent = faults.read::<ProjectName>("parent", &request.parent);
        let filter = faults.filter("filter", &request.filter, key_filter);
        let (parent, filter) = faults.finish(parent.zip(filter))?;
        let counts = self.0.count_keys(&caller, &CountKeys { project: parent.0, filter }).await?;
        let count = |keys: u64| i64::try_from(keys).unwrap_or(i64::MAX);
        Ok(Response::new(proto::CountKeysResponse {
            active: count(counts.active),
            disabled: count(counts.disabled),
            revoked: count(counts.revoked),
            expired: count(counts.expired),
            deleted: count(counts.deleted),
        }))
    }

    async fn lookup_key(
        &self,
        request: Request<proto::LookupKeyRequest>,
    ) -> Result<Response<proto::LookupKeyResponse>, Status> {
        let caller = caller(&request);
        let found = self.0.lookup_key(&caller, &request::lookup(request.into_inner())?).await?;
        Ok(Response::new(proto::LookupKeyResponse {
            key: Some(found.key.into()),
            secret_version: found.secret_version.unwrap_or_default(),
        }))
    }

    async fn explain_verify(
        &self,
        request: Request<proto::ExplainVerifyRequest>,
    ) -> Result<Response<proto::ExplainVerifyResponse>, Status> {
        let caller = caller(&request);
        let explanation = self.0.explain_verify(&caller, &request::explain(request.into_inner())?).await?;
        Ok(Response::new(explanation.into()))
    }
}

fn api_key(issued: &Issued) -> String {
    issued.api_key.as_ref().map(|api_key| api_key.expose().to_owned()).unwrap_or_default()
}

fn name(text: &str) -> Result<KeyName, Error> {
    let mut faults = Faults::default();
    let name = faults.read("name", text);
    faults.finish(name)
}
