//! Resources as the audit trail shows them: everything but secrets and digests.

use serde_json::{Value, json};

use super::{
    key::{Key, StoredSecret},
    project::Project,
    service_account::ServiceAccount,
    time::Timestamp,
};

pub fn project(project: &Project) -> Value {
    json!({
        "display_name": project.display_name.as_str(),
        "prefix": project.prefix.as_str(),
        "environments": project
            .environments
            .iter()
            .map(|it| json!({ "id": it.id.as_str(), "tag": it.tag.as_str() }))
            .collect::<Vec<_>>(),
        "deleted_key_retention_seconds": project.retention.as_duration().as_secs(),
        "system_key": project.system_key.to_string(),
    })
}

pub fn service_account(account: &ServiceAccount) -> Value {
    json!({
        "display_name": account.display_name.as_str(),
        "external_id": account.external_id.as_str(),
        "metadata": account.metadata.entries(),
        "state": account.state(),
    })
}

pub fn key(key: &Key) -> Value {
    json!({
        "display_name": key.display_name.as_str(),
        "service_account": key.service_account.as_str(),
        "environment": key.environment.as_str(),
        "customers": texts(&key.customers),
        "allowed_cidrs": texts(&key.allowed_cidrs),
        "metadata": key.metadata.entries(),
        "tags": texts(&key.tags),
        "expire_time": time(key.expire_time),
        "disable_time": time(key.disable_time),
        "revoke_time": time(key.revocation.as_ref().map(|it| it.time)),
        "revoke_reason": key.revocation.as_ref().map(|it| it.reason.as_str()),
        "delete_time": time(key.deletion.map(|it| it.time)),
        "purge_time": time(key.deletion.map(|it| it.purge_time)),
        "secrets": key.secrets.iter().map(secret).collect::<Vec<_>>(),
        "protected": key.protected,
    })
}

fn secret(secret: &StoredSecret) -> Value {
    json!({ "version": secret.version, "expire_time": time(secret.expire_time) })
}

fn time(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}

fn texts<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(T::to_string).collect()
}
