//! KeyService's requests, read field by field.

use std::time::Duration;

use domain::{
    Invalid,
    expiry::Expiry,
    name::{KeyName, ProjectName, ServiceAccountName},
    query::{key_filter, key_order},
    text::Reason,
    time::DAY,
    token::ApiKey,
};

use crate::{
    grpc::{
        api::verify::{question, view},
        wire::{
            faults::{Faults, both, not_yet, within},
            paging::PageRequest,
            role_refs::roles,
        },
    },
    verbs::{Error, ExplainVerify, ListKeys, Lookup, LookupKey, NewKey, Subject},
};

use super::update;

pub(super) fn new_key(request: &proto::CreateKeyRequest) -> Result<NewKey, Error> {
    let unset = proto::Key::default();
    let key = request.key.as_ref().unwrap_or(&unset);
    not_yet("key.", &update::not_yet_on(key))?;
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
    let roles = parent
        .as_ref()
        .and_then(|parent| roles(&mut faults, "key.roles", &key.roles, &parent.0, update::MOST_ROLES));
    let permissions = update::permissions(&mut faults, &key.permissions);
    let customers = faults.list("key.customers", &key.customers, 100);
    let allowed_cidrs = faults.cidrs("key.allowed_cidrs", &key.allowed_cidrs);
    let metadata = faults.metadata("key.metadata", &key.metadata);
    let tags = faults.list("key.tags", &key.tags, 32);
    let expiry = match &key.expiration {
        Some(expiration) => update::expiry(&mut faults, expiration),
        None => Some(Expiry::Never),
    };
    let (
        Some(parent),
        Some(id),
        Some(owner),
        Some(environment),
        Some(display_name),
        Some(roles),
        Some(permissions),
        Some(customers),
        Some(allowed_cidrs),
        Some(metadata),
        Some(tags),
        Some(expiry),
    ) = (
        parent,
        id,
        owner,
        environment,
        display_name,
        roles,
        permissions,
        customers,
        allowed_cidrs,
        metadata,
        tags,
        expiry,
    )
    else {
        return faults.finish(None);
    };
    faults.finish(Some(NewKey {
        project: parent.0,
        id,
        service_account: owner.map(|owner| owner.service_account),
        environment,
        display_name,
        roles,
        permissions,
        customers,
        allowed_cidrs,
        metadata,
        tags,
        expiry,
    }))
}

pub(super) fn listing(request: &proto::ListKeysRequest, wanted: &PageRequest<'_>) -> Result<ListKeys, Error> {
    let mut faults = Faults::default();
    let parent = faults.read::<ProjectName>("parent", &request.parent);
    let filter = faults.filter("filter", &request.filter, key_filter);
    let order = faults.take("order_by", key_order(&request.order_by));
    let page = wanted.page(&mut faults, order)?;
    let (Some(parent), Some(filter), Some(page)) = (parent, filter, page) else {
        return faults.finish(None);
    };
    faults.finish(Some(ListKeys { project: parent.0, filter, show_deleted: request.show_deleted, page }))
}

pub(super) fn rotation(request: &proto::RotateKeyRequest) -> Result<(KeyName, Duration), Error> {
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

pub(super) fn revocation(request: &proto::RevokeKeyRequest) -> Result<(KeyName, Reason), Error> {
    let mut faults = Faults::default();
    let name = faults.read("name", &request.name);
    let reason = faults.read("reason", &request.reason);
    faults.finish(name.zip(reason))
}

pub(super) fn lookup(request: proto::LookupKeyRequest) -> Result<LookupKey, Error> {
    use proto::lookup_key_request::Query;
    let mut faults = Faults::default();
    let scope = faults.read("parent", &request.parent);
    // People paste blanks and line ends along.
    let lookup = match request.query {
        Some(Query::ApiKey(text)) => Some(Lookup::ApiKey(ApiKey::new(text).trimmed())),
        Some(Query::MaskedApiKey(text)) => Some(Lookup::Masked(text.trim().to_owned())),
        Some(Query::KeyId(text)) => faults.read("key_id", text.trim()).map(Lookup::Id),
        None => faults.take("query", Err(Invalid::new("must be one of api_key, masked_api_key and key_id"))),
    };
    let (scope, lookup) = faults.finish(scope.zip(lookup))?;
    Ok(LookupKey { scope, lookup })
}

pub(super) fn explain(request: proto::ExplainVerifyRequest) -> Result<ExplainVerify, Error> {
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
    let view = view(verify.view);
    let (question, _) = both(question(verify), view).map_err(|error| within("request.", error))?;
    Ok(ExplainVerify { project: parent.0, subject, question })
}
