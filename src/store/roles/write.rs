//! Writing roles.

use async_trait::async_trait;
use domain::{resource::Resource, role::Role};
use sea_orm::{ActiveModelTrait, ColumnTrait, Condition, DbErr, EntityTrait, IntoActiveModel, QueryFilter};

use crate::store::{
    table::{self, ChangeError, InChange, Table},
    transaction::Transaction,
};

use super::row::{Column, Entity, Model};

#[async_trait]
impl Table for Role {
    async fn insert(&self, tx: &Transaction, change: InChange) -> Result<(), ChangeError> {
        let row = Model::new(self, change.revision).into_active_model();
        table::insert(tx, row, Self::KIND).await
    }

    async fn update(&self, tx: &Transaction, change: InChange) -> Result<(), ChangeError> {
        let row = Model::new(self, change.revision).into_active_model().reset_all();
        table::update(tx, row, as_read(self)).await
    }

    async fn delete(&self, tx: &Transaction, _: InChange) -> Result<(), ChangeError> {
        table::delete::<Entity>(tx, as_read(self)).await
    }

    async fn is_unchanged(&self, tx: &Transaction) -> Result<bool, DbErr> {
        table::any(tx, Entity::find().filter(as_read(self))).await
    }
}

fn as_read(role: &Role) -> Condition {
    Condition::all()
        .add(Column::ProjectId.eq(role.project.as_str()))
        .add(Column::Id.eq(role.id.as_str()))
        .add(Column::Revision.eq(role.revision))
}
