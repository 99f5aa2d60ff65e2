//! KeyService on the wire.

use std::time::Duration;

use tonic::{Request, Response, Status};

use crate::{
    domain::{
        Invalid,
        expiry::Expiry,
        listing::{key_filter, key_order},
        name::{KeyName, ProjectName, ServiceAccountName},
        time::DAY,
        token::ApiKey,
    },
    service::{
        CountKeys, Error, ExplainVerify, Issued, ListKeys, Lookup, LookupKey, NewKey, Service, Subject,
    },
};

use super::{
    call::{call, repeatable, trial},
    faults::{Faults, both, not_yet},
    key_update::{self, expiry},
    listing::Place,
    proto::{self, key_service_server::KeyService},
    verify::question,
};

#[derive(Debug)]
pub(super) struct KeyApi(pub(super) Service);

#[tonic::async_trait]
impl KeyService for KeyApi {
    async fn create_key(
        &self,
        request: Request<proto::CreateKeyRequest>,
    ) -> Result<Response<proto::CreateKeyResponse>, Status> {
        let body = request.get_ref();
        let call = repeatable(&request, &body.request_id, body.validate_only);
        let (call, new) = both(call, new_key(body))?;
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
        let key = self.0.get_key(&name(&request.get_ref().name)?).await?;
        Ok(Response::new(proto::GetKeyResponse { key: Some(key.into()) }))
    }

    async fn list_keys(
        &self,
        request: Request<proto::ListKeysRequest>,
    ) -> Result<Response<proto::ListKeysResponse>, Status> {
        let request = request.into_inner();
        let proto::ListKeysRequest { parent, filter, order_by, show_deleted, .. } = &request;
        let place = Place {
            listing: format!("keys\n{parent}\n{filter}\n{order_by}\n{show_deleted}"),
            size: request.page_size,
            token: &request.page_token,
        };
        let listing = self.0.list_keys(listing(&request, &place)?).await?;
        Ok(Response::new(proto::ListKeysResponse {
            next_page_token: place.next(&listing),
            keys: listing.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn update_key(
        &self,
        request: Request<proto::UpdateKeyRequest>,
    ) -> Result<Response<proto::UpdateKeyResponse>, Status> {
        let body = request.get_ref();
        let update = key_update::read(body)?;
        let call = trial(&request, body.validate_only);
        let key = self.0.update_key(&call, &update.name, &update.etag, &update.patch).await?;
        Ok(Response::new(proto::UpdateKeyResponse { key: Some(key.into()) }))
    }

    async fn delete_key(
        &self,
        request: Request<proto::DeleteKeyRequest>,
    ) -> Result<Response<proto::DeleteKeyResponse>, Status> {
        let body = request.get_ref();
        let name = name(&body.name)?;
        let call = trial(&request, body.validate_only);
        let key = if body.purge {
            self.0.purge_key(&call, &name, &body.etag).await?
        } else {
            self.0.delete_key(&call, &name, &body.etag).await?
        };
        Ok(Response::new(proto::DeleteKeyResponse { key: Some(key.into()) }))
    }

    async fn undelete_key(
        &self,
        request: Request<proto::UndeleteKeyRequest>,
    ) -> Result<Response<proto::UndeleteKeyResponse>, Status> {
        let body = request.get_ref();
        let key = self.0.undelete_key(&call(&request), &name(&body.name)?, &body.etag).await?;
        Ok(Response::new(proto::UndeleteKeyResponse { key: Some(key.into()) }))
    }

    async fn rotate_key(
        &self,
        request: Request<proto::RotateKeyRequest>,
    ) -> Result<Response<proto::RotateKeyResponse>, Status> {
        let body = request.get_ref();
        let call = repeatable(&request, &body.request_id, body.validate_only);
        let (call, (name, grace)) = both(call, rotation(body))?;
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
        let mut faults = Faults::default();
        let name = faults.read("name", &body.name);
        let reason = faults.read("reason", &body.reason);
        let (name, reason) = faults.finish(name.zip(reason))?;
        let key = self.0.revoke_key(&call(&request), &name, &body.etag, &reason).await?;
        Ok(Response::new(proto::RevokeKeyResponse { key: Some(key.into()) }))
    }

    async fn disable_key(
        &self,
        request: Request<proto::DisableKeyRequest>,
    ) -> Result<Response<proto::DisableKeyResponse>, Status> {
        let body = request.get_ref();
        let key = self.0.disable_key(&call(&request), &name(&body.name)?, &body.etag).await?;
        Ok(Response::new(proto::DisableKeyResponse { key: Some(key.into()) }))
    }

    async fn enable_key(
        &self,
        request: Request<proto::EnableKeyRequest>,
    ) -> Result<Response<proto::EnableKeyResponse>, Status> {
        let body = request.get_ref();
        let key = self.0.enable_key(&call(&request), &name(&body.name)?, &body.etag).await?;
        Ok(Response::new(proto::EnableKeyResponse { key: Some(key.into()) }))
    }

    async fn count_keys(
        &self,
        request: Request<proto::CountKeysRequest>,
    ) -> Result<Response<proto::CountKeysResponse>, Status> {
        let request = request.into_inner();
        let mut faults = Faults::default();
        let parent = faults.read::<ProjectName>("parent", &request.parent);
        let filter = faults.filter("filter", &request.filter, key_filter);
        let (parent, filter) = faults.finish(parent.zip(filter))?;
        let counts = self.0.count_keys(&CountKeys { project: parent.0, filter }).await?;
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
        let found = self.0.lookup_key(&lookup(request.into_inner())?).await?;
        Ok(Response::new(proto::LookupKeyResponse {
            key: Some(found.key.into()),
            secret_version: found.secret_version.unwrap_or_default(),
        }))
    }

    async fn explain_verify(
        &self,
        request: Request<proto::ExplainVerifyRequest>,
    ) -> Result<Response<proto::ExplainVerifyResponse>, Status> {
        let explanation = self.0.explain_verify(&explain(request.into_inner())?).await?;
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

fn new_key(request: &proto::CreateKeyRequest) -> Result<NewKey, Error> {
    let unset = proto::Key::default();
    let key = request.key.as_ref().unwrap_or(&unset);
    not_yet("key.", &key_update::not_yet_on(key))?;
    let mut faults = Faults::default();
    let parent = faults.read::<ProjectName>("parent", &request.parent);
    let id = faults.read_optional("key_id", &request.key_id);
    let owner = faults.read_optional::<ServiceAccountName>("key.service_account", &key.service_account);
    if let (Some(parent), Some(Some(owner))) = (&parent, &owner)
        && owner.project != parent.0
    {
        faults.take::<()>("key.service_account", Err(Invalid::new("must belong to the same project")));
    }
    let environment = faults.read("key.environment", &key.environment);
    let display_name = faults.read("key.display_name", &key.display_name);
    let customers = faults.list("key.customers", &key.customers, 100);
    let allowed_cidrs = faults.cidrs("key.allowed_cidrs", &key.allowed_cidrs);
    let metadata = faults.metadata("key.metadata", &key.metadata);
    let tags = faults.list("key.tags", &key.tags, 32);
    let expiry = match &key.expiration {
        Some(expiration) => expiry(&mut faults, expiration),
        None => Some(Expiry::Never),
    };
    faults.finish((|| {
        Some(NewKey {
            project: parent?.0,
            id: id?,
            service_account: owner?.map(|owner| owner.service_account),
            environment: environment?,
            display_name: display_name?,
            customers: customers?,
            allowed_cidrs: allowed_cidrs?,
            metadata: metadata?,
            tags: tags?,
            expiry: expiry?,
        })
    })())
}

fn listing(request: &proto::ListKeysRequest, place: &Place<'_>) -> Result<ListKeys, Error> {
    let mut faults = Faults::default();
    let parent = faults.read::<ProjectName>("parent", &request.parent);
    let filter = faults.filter("filter", &request.filter, key_filter);
    let order = faults.take("order_by", key_order(&request.order_by));
    let page = place.page(&mut faults, order)?;
    faults.finish((|| {
        Some(ListKeys {
            project: parent?.0,
            filter: filter?,
            show_deleted: request.show_deleted,
            page: page?,
        })
    })())
}

fn rotation(request: &proto::RotateKeyRequest) -> Result<(KeyName, Duration), Error> {
    let mut faults = Faults::default();
    let name = faults.read("name", &request.name);
    let grace = match &request.grace_period {
        Some(span) => faults.duration("grace_period", span),
        None => Some(Duration::ZERO),
    };
    let grace = grace.and_then(|grace| {
        let longest = 90 * DAY;
        let checked = if grace > longest { Err(Invalid::new("must be at most 90 days")) } else { Ok(grace) };
        faults.take("grace_period", checked)
    });
    faults.finish(name.zip(grace))
}

fn lookup(request: proto::LookupKeyRequest) -> Result<LookupKey, Error> {
    use proto::lookup_key_request::Query;
    let mut faults = Faults::default();
    let scope = faults.read("parent", &request.parent);
    let lookup = match request.query {
        Some(Query::ApiKey(text)) => Some(Lookup::ApiKey(ApiKey::new(text))),
        Some(Query::MaskedApiKey(text)) => Some(Lookup::Masked(text)),
        Some(Query::KeyId(text)) => faults.read("key_id", &text).map(Lookup::Id),
        None => faults.take("query", Err(Invalid::new("must be one of api_key, masked_api_key and key_id"))),
    };
    faults.finish((|| Some(LookupKey { scope: scope?, lookup: lookup? }))())
}

fn explain(request: proto::ExplainVerifyRequest) -> Result<ExplainVerify, Error> {
    use proto::explain_verify_request::Subject as Asked;
    let verify = request.request.unwrap_or_default();
    let mut faults = Faults::default();
    let parent = faults.read::<ProjectName>("parent", &request.parent);
    let subject = match request.subject {
        Some(Asked::ApiKey(text)) => Some(Subject::ApiKey(ApiKey::new(text))),
        Some(Asked::Name(text)) => faults.read::<KeyName>("name", &text).map(Subject::Key),
        None => faults.take("subject", Err(Invalid::new("must be one of api_key and name"))),
    };
    if let (Some(parent), Some(Subject::Key(name))) = (&parent, &subject)
        && name.project != parent.0
    {
        faults.take::<()>("name", Err(Invalid::new("must belong to the same project")));
    }
    if !verify.api_key.is_empty() {
        faults.take::<()>("request.api_key", Err(Invalid::new("must be empty: it is the subject's")));
    }
    let (parent, subject) = faults.finish(parent.zip(subject))?;
    Ok(ExplainVerify { project: parent.0, subject, question: question(&verify, "request.")? })
}
