//! Writing projects. A deleted one is only marked: its row stays until what it owned is removed.

use async_trait::async_trait;
use domain::{project::Project, resource::Resource};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter,
};

use crate::store::{
    table::{self, ChangeError, InChange, Table},
    transaction::Transaction,
};

use super::row::{ActiveModel, Column, Entity, Model};

#[async_trait]
impl Table for Project {
    async fn insert(&self, tx: &Transaction, change: InChange) -> Result<(), ChangeError> {
        let row = Model::new(self, change.revision).into_active_model();
        table::insert(tx, row, Self::KIND).await
    }

    async fn update(&self, tx: &Transaction, change: InChange) -> Result<(), ChangeError> {
        let row = Model::new(self, change.revision).into_active_model().reset_all();
        table::update(tx, row, as_read(self)).await
    }

    async fn delete(&self, tx: &Transaction, change: InChange) -> Result<(), ChangeError> {
        let mark = ActiveModel {
            delete_time: Set(Some(change.time.as_micros())),
            revision: Set(change.revision),
            ..Default::default()
        };
        table::update(tx, mark, as_read(self)).await
    }

    async fn is_unchanged(&self, tx: &Transaction) -> Result<bool, DbErr> {
        table::any(tx, Entity::find().filter(as_read(self))).await
    }
}

fn as_read(project: &Project) -> Condition {
    Condition::all().add(Column::Id.eq(project.id.as_str())).add(Column::Revision.eq(project.revision))
}
