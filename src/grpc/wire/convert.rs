//! Domain values as the wire has them.

use std::time::Duration;

use domain::{
    decision, etag,
    explain::{Explained, Outcome},
    id::{KeyId, ProjectId, RoleId, ServiceAccountId},
    key::{self, StoredSecret},
    name::{KeyName, ProjectName, RoleName, ServiceAccountName},
    project::{KeyPolicy, Project},
    time::Timestamp,
};

use crate::verbs::{AccountView, Creator, EventView, Explanation, KeyView, RoleView};

pub(in crate::grpc) fn time(time: Timestamp) -> prost_types::Timestamp {
    let micros = time.as_micros();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1000).expect("it is below a billion"),
    }
}

pub(in crate::grpc) fn duration(span: Duration) -> prost_types::Duration {
    span.try_into().expect("no span of ours exceeds the range")
}

pub(in crate::grpc) fn key_name(project: &ProjectId, key: KeyId) -> String {
    KeyName { project: project.clone(), key }.to_string()
}

pub(in crate::grpc) fn account_name(project: &ProjectId, account: &ServiceAccountId) -> String {
    ServiceAccountName { project: project.clone(), service_account: account.clone() }.to_string()
}

pub(in crate::grpc) fn role_name(project: &ProjectId, role: &RoleId) -> String {
    RoleName { project: project.clone(), role: role.clone() }.to_string()
}

pub(in crate::grpc) fn texts<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(T::to_string).collect()
}

impl From<KeyView> for proto::Key {
    fn from(view: KeyView) -> Self {
        let KeyView { key, state, creator } = view;
        Self {
            name: key_name(&key.project, key.id),
            display_name: key.display_name.to_string(),
            service_account: account_name(&key.project, &key.service_account),
            environment: key.environment.to_string(),
            state: key_state(state).into(),
            roles: key.roles.iter().map(|role| role_name(&key.project, role)).collect(),
            permissions: texts(&key.permissions),
            customers: texts(&key.customers),
            allowed_cidrs: texts(&key.allowed_cidrs),
            plan: String::new(),
            limits: Vec::new(),
            credits: None,
            metadata: key.metadata.entries().clone(),
            tags: texts(&key.tags),
            masked_api_key: key.masked(),
            created_by: creator.map(Into::into),
            create_time: Some(time(key.create_time)),
            update_time: Some(time(key.update_time)),
            expiration: key.expire_time.map(|end| proto::key::Expiration::ExpireTime(time(end))),
            last_used_time: key.last_used_time.map(time),
            disable_time: key.disable_time.map(time),
            revoke_time: key.revocation.as_ref().map(|it| time(it.time)),
            revoke_reason: key.revocation.map(|it| it.reason.to_string()).unwrap_or_default(),
            delete_time: key.deletion.map(|it| time(it.time)),
            purge_time: key.deletion.map(|it| time(it.purge_time)),
            secrets: key.secrets.iter().map(secret).collect(),
            protected: key.protected,
            etag: etag(key.revision),
            revision: key.revision,
        }
    }
}

fn secret(secret: &StoredSecret) -> proto::Secret {
    proto::Secret {
        version: secret.version,
        create_time: Some(time(secret.create_time)),
        expire_time: secret.expire_time.map(time),
        last_used_time: secret.last_used_time.map(time),
    }
}

pub(in crate::grpc) fn key_state(state: key::State) -> proto::key::State {
    match state {
        key::State::Active => proto::key::State::Active,
        key::State::Disabled => proto::key::State::Disabled,
        key::State::Revoked => proto::key::State::Revoked,
        key::State::Expired => proto::key::State::Expired,
        key::State::Deleted => proto::key::State::Deleted,
    }
}

impl From<Creator> for proto::Creator {
    fn from(creator: Creator) -> Self {
        Self {
            service_account: account_name(&ProjectId::system(), &creator.service_account),
            display_name: display_name(&creator),
        }
    }
}

impl From<AccountView> for proto::ServiceAccount {
    fn from(view: AccountView) -> Self {
        let AccountView { account, creator } = view;
        let state = match account.disable_time {
            Some(_) => proto::service_account::State::Disabled,
            None => proto::service_account::State::Active,
        };
        Self {
            name: account_name(&account.project, &account.id),
            display_name: account.display_name.to_string(),
            external_id: account.external_id.to_string(),
            metadata: account.metadata.entries().clone(),
            state: state.into(),
            created_by: creator.map(Into::into),
            create_time: Some(time(account.create_time)),
            update_time: Some(time(account.update_time)),
            disable_time: account.disable_time.map(time),
            last_used_time: account.last_used_time.map(time),
            etag: etag(account.revision),
            revision: account.revision,
            protected: account.protected,
        }
    }
}

impl From<RoleView> for proto::Role {
    fn from(view: RoleView) -> Self {
        let RoleView { role, creator } = view;
        Self {
            name: role_name(&role.project, &role.id),
            display_name: role.display_name.to_string(),
            description: role.description.to_string(),
            permissions: texts(&role.permissions),
            endpoints: texts(&role.endpoints),
            built_in: role.built_in,
            created_by: creator.map(Into::into),
            create_time: Some(time(role.create_time)),
            update_time: Some(time(role.update_time)),
            etag: etag(role.revision),
            revision: role.revision,
        }
    }
}

pub(in crate::grpc) fn project(project: Project) -> proto::Project {
    let environment = |it: &domain::project::Environment| proto::Environment {
        id: it.id.to_string(),
        tag: it.tag.to_string(),
    };
    let key_policy =
        (project.key_policy != KeyPolicy::default()).then(|| key_policy(&project.id, &project.key_policy));
    proto::Project {
        system_key: key_name(&project.id, project.system_key),
        name: ProjectName(project.id).to_string(),
        display_name: project.display_name.to_string(),
        prefix: project.prefix.to_string(),
        environments: project.environments.iter().map(environment).collect(),
        deleted_key_retention: Some(duration(project.retention.as_duration())),
        create_time: Some(time(project.create_time)),
        update_time: Some(time(project.update_time)),
        etag: etag(project.revision),
        revision: project.revision,
        key_policy,
    }
}

fn key_policy(project: &ProjectId, policy: &KeyPolicy) -> proto::KeyPolicy {
    proto::KeyPolicy {
        max_ttl: policy.max_ttl.map(duration),
        require_expiration: policy.require_expiration,
        max_active_keys: policy.max_active_keys.map_or(0, |most| i32::try_from(most).unwrap_or(i32::MAX)),
        max_rotation_grace: policy.max_rotation_grace.map(duration),
        allowed_roles: policy.allowed_roles.iter().map(|role| role_name(project, role)).collect(),
    }
}

impl From<EventView> for proto::AuditEvent {
    fn from(view: EventView) -> Self {
        let EventView { event, actor } = view;
        let key = event.actor_key.parse().map(|key| key_name(&ProjectId::system(), key));
        Self {
            revision: event.revision,
            event_time: Some(time(event.time)),
            project: format!("projects/{}", event.project),
            actor: actor.map(|actor| proto::Actor {
                service_account: account_name(&ProjectId::system(), &actor.service_account),
                display_name: display_name(&actor),
                key: key.unwrap_or_default(),
            }),
            action: event.action,
            target: event.target,
            request_id: event.request_id,
            peer: event.peer,
            before: event.before,
            after: event.after,
            previous_hash: event.previous_hash.to_vec(),
            hash: event.hash.to_vec(),
        }
    }
}

impl From<Explanation> for proto::ExplainVerifyResponse {
    fn from(explanation: Explanation) -> Self {
        let check = |check: Explained| proto::Check {
            code: code(check.code).into(),
            outcome: outcome(check.outcome).into(),
            detail: check.detail,
        };
        Self {
            code: code(explanation.code).into(),
            checks: explanation.checks.into_iter().map(check).collect(),
        }
    }
}

pub(in crate::grpc) fn outcome(outcome: Outcome) -> proto::check::Outcome {
    match outcome {
        Outcome::Passed => proto::check::Outcome::Passed,
        Outcome::Failed => proto::check::Outcome::Failed,
        Outcome::NotReached => proto::check::Outcome::NotReached,
    }
}

/// The name of a code in the contract, without its prefix.
pub fn code_name(of: decision::Code) -> &'static str {
    code(of).as_str_name().trim_start_matches("CODE_")
}

pub(in crate::grpc) fn code(code: decision::Code) -> proto::Code {
    match code {
        decision::Code::Valid => proto::Code::Valid,
        decision::Code::Malformed => proto::Code::Malformed,
        decision::Code::NotFound => proto::Code::NotFound,
        decision::Code::Revoked => proto::Code::Revoked,
        decision::Code::Disabled => proto::Code::Disabled,
        decision::Code::Expired => proto::Code::Expired,
        decision::Code::OwnerDisabled => proto::Code::OwnerDisabled,
        decision::Code::WrongEnvironment => proto::Code::WrongEnvironment,
        decision::Code::IpNotAllowed => proto::Code::IpNotAllowed,
        decision::Code::WrongCustomer => proto::Code::WrongCustomer,
        decision::Code::MissingPermission => proto::Code::MissingPermission,
    }
}

fn display_name(creator: &Creator) -> String {
    creator.display_name.as_ref().map_or_else(|| "Deleted user".to_owned(), ToString::to_string)
}
