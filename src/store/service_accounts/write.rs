//! Writing service accounts.

use async_trait::async_trait;
use domain::{resource::Resource, service_account::ServiceAccount};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::NotSet,
    ColumnTrait, Condition, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryTrait,
    sea_query::{Expr, ExprTrait},
};

use crate::store::{
    keys,
    table::{self, ChangeError, InChange, Table},
    transaction::Transaction,
};

use super::row::{ActiveModel, Column, Entity, Model};

#[async_trait]
impl Table for ServiceAccount {
    async fn insert(&self, tx: &Transaction, change: InChange) -> Result<(), ChangeError> {
        let row = Model::new(self, change.revision).into_active_model();
        table::insert(tx, row, Self::KIND).await
    }

    async fn update(&self, tx: &Transaction, change: InChange) -> Result<(), ChangeError> {
        let row = Model::new(self, change.revision).into_active_model();
        let row = ActiveModel { last_used_time: NotSet, ..row.reset_all() };
        table::update(tx, row, as_read(self)).await
    }

    async fn delete(&self, tx: &Transaction, _: InChange) -> Result<(), ChangeError> {
        table::delete::<Entity>(tx, as_read(self)).await
    }

    async fn is_unchanged(&self, tx: &Transaction) -> Result<bool, DbErr> {
        table::any(tx, Entity::find().filter(as_read(self))).await
    }
}

/// Deletes `account` unless it owns a key, deleted or not.
pub(in crate::store) async fn delete_unused(
    tx: &Transaction,
    account: &ServiceAccount,
) -> Result<(), ChangeError> {
    let used = Expr::exists(keys::read::of_account().into_query());
    table::delete::<Entity>(tx, as_read(account).add(used.not())).await
}

fn as_read(account: &ServiceAccount) -> Condition {
    Condition::all()
        .add(Column::ProjectId.eq(account.project.as_str()))
        .add(Column::Id.eq(account.id.as_str()))
        .add(Column::Revision.eq(account.revision))
}
