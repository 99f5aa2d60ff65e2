//! The writes of a change. Each that names the revision it was read at touches that one alone.

use std::collections::BTreeSet;

use domain::{
    Revision,
    id::{ProjectId, ServiceAccountId},
    key::Key,
    project::Project,
    service_account::ServiceAccount,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DeleteMany, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
    QueryTrait,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use crate::ports::store::{CommitError, Existing, Write};

use super::{
    commit::{Stop, insert},
    removals,
    rows::{
        self, key_terms,
        keys::{self, lifecycle},
        projects, secrets, service_accounts,
    },
    transaction::Transaction,
};

/// Does `write` as part of the change that `revision` will name.
pub(super) async fn apply(tx: &Transaction, write: &Write, revision: Revision) -> Result<(), Stop> {
    match write {
        Write::InsertProject(project) => {
            let row = projects::Model::new(project, revision).into_active_model();
            insert(tx, row, Existing::Project).await
        }
        Write::UpdateProject(project) => update_project(tx, project, revision).await,
        Write::DeleteProject { id, revision: read_at, time } => {
            let mark = projects::ActiveModel {
                delete_time: Set(Some(time.as_micros())),
                revision: Set(revision),
                ..Default::default()
            };
            let marked = projects::Entity::update_many()
                .set(mark)
                .filter(projects::Column::Id.eq(id.as_str()))
                .filter(projects::Column::Revision.eq(*read_at))
                .exec(tx)
                .await?;
            one(marked.rows_affected)
        }
        Write::InsertServiceAccount(account) => {
            let row = service_accounts::Model::new(account, revision).into_active_model();
            insert(tx, row, Existing::ServiceAccount).await
        }
        Write::UpdateServiceAccount(account) => update_account(tx, account, revision).await,
        Write::DeleteServiceAccount { project, id, revision } => {
            one(delete_account(project, id, *revision).exec(tx).await?.rows_affected)
        }
        Write::DeleteUnusedServiceAccount { project, id, revision } => {
            let used = Expr::exists(removals::keys_of_account().into_query());
            let gone = delete_account(project, id, *revision).filter(used.not()).exec(tx).await?;
            one(gone.rows_affected)
        }
        Write::BeginRemoval(removal) => {
            let row = rows::removals::Model::from(removal).into_active_model();
            rows::removals::Entity::insert(row).exec_without_returning(tx).await?;
            Ok(())
        }
        Write::InsertKey(key) => {
            let row = keys::Model::new(key, revision).into_active_model();
            insert(tx, row, Existing::Key).await?;
            write_secrets(tx, key).await?;
            insert_terms(tx, key, key_terms::of(key)).await
        }
        Write::UpdateKey(key) => update_key(tx, key, revision).await,
        Write::DeleteKey { project, id, revision: read_at, deletion, time } => {
            let mark = keys::ActiveModel {
                delete_time: Set(Some(deletion.time.as_micros())),
                purge_time: Set(deletion.purge_time.as_micros()),
                lifecycle: Set(lifecycle::DELETED),
                update_time: Set(time.as_micros()),
                revision: Set(revision),
                ..Default::default()
            };
            let marked = keys::Entity::update_many()
                .set(mark)
                .filter(keys::Column::ProjectId.eq(project.as_str()))
                .filter(keys::Column::Id.eq(id.as_uuid()))
                .filter(keys::Column::Revision.eq(*read_at))
                .exec(tx)
                .await?;
            one(marked.rows_affected)
        }
        Write::PurgeKey { project, id, revision } => {
            let gone = keys::Entity::delete_many()
                .filter(keys::Column::ProjectId.eq(project.as_str()))
                .filter(keys::Column::Id.eq(id.as_uuid()))
                .filter(keys::Column::Revision.eq(*revision))
                .exec(tx)
                .await?;
            one(gone.rows_affected)
        }
    }
}

/// A row that is gone, or that another change came to first, was not touched.
fn one(rows_affected: u64) -> Result<(), Stop> {
    if rows_affected == 1 { Ok(()) } else { Err(Stop::Refused(CommitError::Conflict)) }
}

async fn update_project(tx: &Transaction, project: &Project, revision: Revision) -> Result<(), Stop> {
    let row = projects::Model::new(project, revision).into_active_model().reset_all();
    let updated = projects::Entity::update_many()
        .set(row)
        .filter(projects::Column::Id.eq(project.id.as_str()))
        .filter(projects::Column::Revision.eq(project.revision))
        .exec(tx)
        .await?;
    one(updated.rows_affected)
}

async fn update_account(tx: &Transaction, account: &ServiceAccount, revision: Revision) -> Result<(), Stop> {
    let row = service_accounts::Model::new(account, revision).into_active_model();
    let row = service_accounts::ActiveModel { last_used_time: NotSet, ..row.reset_all() };
    let updated = service_accounts::Entity::update_many()
        .set(row)
        .filter(service_accounts::Column::ProjectId.eq(account.project.as_str()))
        .filter(service_accounts::Column::Id.eq(account.id.as_str()))
        .filter(service_accounts::Column::Revision.eq(account.revision))
        .exec(tx)
        .await?;
    one(updated.rows_affected)
}

fn delete_account(
    project: &ProjectId,
    id: &ServiceAccountId,
    revision: Revision,
) -> DeleteMany<service_accounts::Entity> {
    service_accounts::Entity::delete_many()
        .filter(service_accounts::Column::ProjectId.eq(project.as_str()))
        .filter(service_accounts::Column::Id.eq(id.as_str()))
        .filter(service_accounts::Column::Revision.eq(revision))
}

async fn update_key(tx: &Transaction, key: &Key, revision: Revision) -> Result<(), Stop> {
    let row = keys::Model::new(key, revision).into_active_model();
    let row = keys::ActiveModel { last_used_time: NotSet, ..row.reset_all() };
    let updated = keys::Entity::update_many()
        .set(row)
        .filter(keys::Column::ProjectId.eq(key.project.as_str()))
        .filter(keys::Column::Id.eq(key.id.as_uuid()))
        .filter(keys::Column::Revision.eq(key.revision))
        .exec(tx)
        .await?;
    one(updated.rows_affected)?;
    secrets::Entity::delete_many()
        .filter(secrets::Column::KeyId.eq(key.id.as_uuid()))
        .filter(secrets::Column::Version.is_not_in(key.secrets.iter().map(|it| it.version)))
        .exec(tx)
        .await?;
    write_secrets(tx, key).await?;
    update_terms(tx, key).await
}

/// Of a secret that is there already, only its end changes: a digest may have come under a newer pepper
/// since it was read, and been used.
async fn write_secrets(tx: &Transaction, key: &Key) -> Result<(), Stop> {
    let rows = key.secrets.iter().map(|secret| secrets::Model::new(key.id, secret).into_active_model());
    secrets::Entity::insert_many(rows)
        .on_conflict(
            OnConflict::columns([secrets::Column::KeyId, secrets::Column::Version])
                .update_column(secrets::Column::ExpireTime)
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

async fn update_terms(tx: &Transaction, key: &Key) -> Result<(), Stop> {
    let stored: BTreeSet<String> = key_terms::Entity::find()
        .select_only()
        .column(key_terms::Column::Term)
        .filter(key_terms::Column::KeyId.eq(key.id.as_uuid()))
        .into_tuple()
        .all(tx)
        .await?
        .into_iter()
        .collect();
    let wanted = key_terms::of(key);
    let gone: Vec<_> = stored.difference(&wanted).cloned().collect();
    if !gone.is_empty() {
        key_terms::Entity::delete_many()
            .filter(key_terms::Column::ProjectId.eq(key.project.as_str()))
            .filter(key_terms::Column::KeyId.eq(key.id.as_uuid()))
            .filter(key_terms::Column::Term.is_in(gone))
            .exec(tx)
            .await?;
    }
    insert_terms(tx, key, wanted.difference(&stored).cloned().collect()).await
}

async fn insert_terms(tx: &impl ConnectionTrait, key: &Key, terms: BTreeSet<String>) -> Result<(), Stop> {
    let rows = terms.into_iter().map(|term| key_terms::ActiveModel {
        project_id: Set(key.project.to_string()),
        term: Set(term),
        key_id: Set(key.id.as_uuid()),
    });
    // Of no rows it makes no statement.
    key_terms::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}
