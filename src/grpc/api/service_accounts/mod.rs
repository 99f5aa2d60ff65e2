//! ServiceAccountService on the wire.

use domain::{
    name::{ProjectName, ServiceAccountName},
    query::{account_filter, account_order},
};
use tonic::{Request, Response, Status};

use crate::{
    grpc::wire::{
        faults::{Faults, both},
        mask::Mask,
        paging::PageRequest,
    },
    verbs::{AccountPatch, Error, ListAccounts, NewServiceAccount, Service},
};

use super::{
    call::{call, caller},
    services::service_account_service_server::ServiceAccountService,
};

#[derive(Debug)]
pub(in crate::grpc) struct ServiceAccountApi(pub(in crate::grpc) Service);

#[tonic::async_trait]
impl ServiceAccountService for ServiceAccountApi {
    async fn create_service_account(
        &self,
        request: Request<proto::CreateServiceAccountRequest>,
    ) -> Result<Response<proto::CreateServiceAccountResponse>, Status> {
        let body = request.get_ref();
        let (call, new) = both(call(&request), new_account(body))?;
        let account = self.0.create_service_account(&call, new).await?;
        let service_account = Some(account.into());
        Ok(Response::new(proto::CreateServiceAccountResponse { service_account }))
    }

    async fn get_service_account(
        &self,
        request: Request<proto::GetServiceAccountRequest>,
    ) -> Result<Response<proto::GetServiceAccountResponse>, Status> {
        let name = name("name", &request.get_ref().name)?;
        let service_account = Some(self.0.get_service_account(&caller(&request), &name).await?.into());
        Ok(Response::new(proto::GetServiceAccountResponse { service_account }))
    }

    async fn list_service_accounts(
        &self,
        request: Request<proto::ListServiceAccountsRequest>,
    ) -> Result<Response<proto::ListServiceAccountsResponse>, Status> {
        let caller = caller(&request);
        let request = request.into_inner();
        let wanted = PageRequest {
            listing: format!("accounts\n{}\n{}\n{}", request.parent, request.filter, request.order_by),
            size: request.page_size,
            token: &request.page_token,
        };
        let listing = self.0.list_service_accounts(&caller, listing(&request, &wanted)?).await?;
        let (service_accounts, next_page_token) = wanted.cut(listing, Into::into);
        Ok(Response::new(proto::ListServiceAccountsResponse { service_accounts, next_page_token }))
    }

    async fn update_service_account(
        &self,
        request: Request<proto::UpdateServiceAccountRequest>,
    ) -> Result<Response<proto::UpdateServiceAccountResponse>, Status> {
        let body = request.get_ref();
        let account = body.service_account.clone().unwrap_or_default();
        let (call, (name, patch)) = both(call(&request), patch(&account, body.update_mask.as_ref()))?;
        let updated = self.0.update_service_account(&call, &name, &account.etag, &patch).await?;
        let service_account = Some(updated.into());
        Ok(Response::new(proto::UpdateServiceAccountResponse { service_account }))
    }

    async fn delete_service_account(
        &self,
        request: Request<proto::DeleteServiceAccountRequest>,
    ) -> Result<Response<proto::DeleteServiceAccountResponse>, Status> {
        let body = request.get_ref();
        let (call, name) = both(call(&request), name("name", &body.name))?;
        self.0.delete_service_account(&call, &name, &body.etag, body.force).await?;
        Ok(Response::new(proto::DeleteServiceAccountResponse {}))
    }

    async fn disable_service_account(
        &self,
        request: Request<proto::DisableServiceAccountRequest>,
    ) -> Result<Response<proto::DisableServiceAccountResponse>, Status> {
        let body = request.get_ref();
        let (call, name) = both(call(&request), name("name", &body.name))?;
        let account = self.0.disable_service_account(&call, &name, &body.etag).await?;
        let service_account = Some(account.into());
        Ok(Response::new(proto::DisableServiceAccountResponse { service_account }))
    }

    async fn enable_service_account(
        &self,
        request: Request<proto::EnableServiceAccountRequest>,
    ) -> Result<Response<proto::EnableServiceAccountResponse>, Status> {
        let body = request.get_ref();
        let (call, name) = both(call(&request), name("name", &body.name))?;
        let account = self.0.enable_service_account(&call, &name, &body.etag).await?;
        let service_account = Some(account.into());
        Ok(Response::new(proto::EnableServiceAccountResponse { service_account }))
    }
}

fn name(field: &str, text: &str) -> Result<ServiceAccountName, Error> {
    let mut faults = Faults::default();
    let name = faults.read(field, text);
    faults.finish(name)
}

fn new_account(request: &proto::CreateServiceAccountRequest) -> Result<NewServiceAccount, Error> {
    let unset = proto::ServiceAccount::default();
    let account = request.service_account.as_ref().unwrap_or(&unset);
    let mut faults = Faults::default();
    let parent = faults.read::<ProjectName>("parent", &request.parent);
    let id = faults.read_optional("service_account_id", &request.service_account_id);
    let display_name = faults.read("service_account.display_name", &account.display_name);
    let external_id = faults.read("service_account.external_id", &account.external_id);
    let metadata = faults.metadata("service_account.metadata", &account.metadata);
    let (Some(parent), Some(id), Some(display_name), Some(external_id), Some(metadata)) =
        (parent, id, display_name, external_id, metadata)
    else {
        return faults.finish(None);
    };
    faults.finish(Some(NewServiceAccount { project: parent.0, id, display_name, external_id, metadata }))
}

fn listing(
    request: &proto::ListServiceAccountsRequest,
    wanted: &PageRequest<'_>,
) -> Result<ListAccounts, Error> {
    let mut faults = Faults::default();
    let parent = faults.read::<ProjectName>("parent", &request.parent);
    let filter = faults.filter("filter", &request.filter, account_filter);
    let order = faults.take("order_by", account_order(&request.order_by));
    let page = wanted.page(&mut faults, order)?;
    let (Some(parent), Some(filter), Some(page)) = (parent, filter, page) else {
        return faults.finish(None);
    };
    faults.finish(Some(ListAccounts { project: parent.0, filter, page }))
}

fn patch(
    account: &proto::ServiceAccount,
    mask: Option<&prost_types::FieldMask>,
) -> Result<(ServiceAccountName, AccountPatch), Error> {
    let mut faults = Faults::default();
    let mutable = ["display_name", "external_id", "metadata"];
    let mask = Mask::read(&mut faults, mask, &mutable, &[])?;
    let name = faults.read("service_account.name", &account.name);
    let mut patch = AccountPatch::default();
    if mask.names("display_name", !account.display_name.is_empty()) {
        patch.display_name = faults.read("service_account.display_name", &account.display_name);
    }
    if mask.names("external_id", !account.external_id.is_empty()) {
        patch.external_id = faults.read("service_account.external_id", &account.external_id);
    }
    if mask.names("metadata", !account.metadata.is_empty()) {
        patch.metadata = faults.metadata("service_account.metadata", &account.metadata);
    }
    faults.finish(name.map(|name| (name, patch)))
}
