//! Writing keys, with their secrets and terms.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::{id::RoleId, key::Key, resource::Resource};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
    sea_query::OnConflict,
};

use crate::store::{
    columns::{json_list, or_never},
    table::{self, ChangeError, InChange, Table},
    transaction::Transaction,
};

use super::{
    row::{ActiveModel, Column, Entity, Model, lifecycle},
    secrets, terms,
};

#[async_trait]
impl Table for Key {
    async fn insert(&self, tx: &Transaction, change: InChange) -> Result<(), ChangeError> {
        let row = Model::new(self, change.revision).into_active_model();
        table::insert(tx, row, Self::KIND).await?;
        write_secrets(tx, self).await?;
        Ok(insert_terms(tx, self, terms::of(self)).await?)
    }

    async fn update(&self, tx: &Transaction, change: InChange) -> Result<(), ChangeError> {
        let row = Model::new(self, change.revision).into_active_model();
        let row = ActiveModel { last_used_time: NotSet, ..row.reset_all() };
        table::update(tx, row, as_read(self)).await?;
        secrets::Entity::delete_many()
            .filter(secrets::Column::KeyId.eq(self.id.as_uuid()))
            .filter(secrets::Column::Version.is_not_in(self.secrets.iter().map(|it| it.version)))
            .exec(tx)
            .await?;
        write_secrets(tx, self).await?;
        Ok(update_terms(tx, self).await?)
    }

    /// Its secrets and terms go with it.
    async fn delete(&self, tx: &Transaction, _: InChange) -> Result<(), ChangeError> {
        table::delete::<Entity>(tx, as_read(self)).await
    }

    async fn is_unchanged(&self, tx: &Transaction) -> Result<bool, DbErr> {
        table::any(tx, Entity::find().filter(as_read(self))).await
    }
}

/// Writes no more of `key` than that it is deleted, since many keys may follow one owner.
pub(in crate::store) async fn delete_after_owner(
    tx: &Transaction,
    key: &Key,
    change: InChange,
) -> Result<(), ChangeError> {
    let mark = ActiveModel {
        delete_time: Set(key.deletion.map(|it| it.time.as_micros())),
        purge_time: Set(or_never(key.deletion.map(|it| it.purge_time))),
        lifecycle: Set(lifecycle::DELETED),
        update_time: Set(key.update_time.as_micros()),
        revision: Set(change.revision),
        ..Default::default()
    };
    table::update(tx, mark, as_read(key)).await
}

/// Writes only the remaining roles of `key`, since many keys may hold one role.
pub(in crate::store) async fn take_role(
    tx: &Transaction,
    key: &Key,
    role: &RoleId,
    change: InChange,
) -> Result<(), ChangeError> {
    let left = ActiveModel {
        roles: Set(Some(json_list(&key.roles))),
        update_time: Set(key.update_time.as_micros()),
        revision: Set(change.revision),
        ..Default::default()
    };
    table::update(tx, left, as_read(key)).await?;
    terms::Entity::delete_many()
        .filter(terms::Column::ProjectId.eq(key.project.as_str()))
        .filter(terms::Column::Term.eq(terms::of_role(role)))
        .filter(terms::Column::KeyId.eq(key.id.as_uuid()))
        .exec(tx)
        .await?;
    Ok(())
}

fn as_read(key: &Key) -> Condition {
    Condition::all()
        .add(Column::ProjectId.eq(key.project.as_str()))
        .add(Column::Id.eq(key.id.as_uuid()))
        .add(Column::Revision.eq(key.revision))
}

/// Of a secret that is there already, only its end changes: a digest may have come under a newer pepper
/// since it was read, and been used.
async fn write_secrets(tx: &Transaction, key: &Key) -> Result<(), DbErr> {
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

async fn update_terms(tx: &Transaction, key: &Key) -> Result<(), DbErr> {
    let stored: BTreeSet<String> = terms::Entity::find()
        .select_only()
        .column(terms::Column::Term)
        .filter(terms::Column::KeyId.eq(key.id.as_uuid()))
        .into_tuple()
        .all(tx)
        .await?
        .into_iter()
        .collect();
    let wanted = terms::of(key);
    let gone: Vec<_> = stored.difference(&wanted).cloned().collect();
    if !gone.is_empty() {
        terms::Entity::delete_many()
            .filter(terms::Column::ProjectId.eq(key.project.as_str()))
            .filter(terms::Column::KeyId.eq(key.id.as_uuid()))
            .filter(terms::Column::Term.is_in(gone))
            .exec(tx)
            .await?;
    }
    insert_terms(tx, key, wanted.difference(&stored).cloned().collect()).await
}

async fn insert_terms(tx: &impl ConnectionTrait, key: &Key, list: BTreeSet<String>) -> Result<(), DbErr> {
    let rows = list.into_iter().map(|term| terms::ActiveModel {
        project_id: Set(key.project.to_string()),
        term: Set(term),
        key_id: Set(key.id.as_uuid()),
    });
    // Of no rows it makes no statement.
    terms::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}
