//! Which upgrades of the data are done, and what they look for.

mod row;

use async_trait::async_trait;
use domain::id::{ProjectId, RoleId};
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait, sea_query::OnConflict};

use crate::{
    ports::{StoreError, Upgrades},
    store::{SqlStore, error::failed, projects, turns::Turn, writing::Attempts},
};

use row::{ActiveModel, Column, Entity};

#[async_trait]
impl Upgrades for SqlStore {
    async fn is_upgraded(&self, name: &str) -> Result<bool, StoreError> {
        let row = Entity::find_by_id(name.to_owned()).one(&self.db).await;
        Ok(row.map_err(failed)?.is_some())
    }

    async fn record_upgrade(&self, name: &str) -> Result<(), StoreError> {
        let mut attempts = Attempts::new();
        loop {
            match insert(self, self.turns.aside().await?, name).await {
                Err(error) if attempts.again(&error) => {}
                recorded => return recorded.map_err(failed),
            }
        }
    }

    async fn projects_without_role(&self, role: &RoleId, most: u64) -> Result<Vec<ProjectId>, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(projects::without_role(&read, role, most)).await;
        read.done(answer)
    }
}

async fn insert(store: &SqlStore, turn: Turn, name: &str) -> Result<(), DbErr> {
    let writing = store.write(turn).await?;
    let row = ActiveModel { name: Set(name.to_owned()) };
    let first = OnConflict::column(Column::Name).do_nothing_on([Column::Name]).to_owned();
    Entity::insert(row).on_conflict(first).exec_without_returning(&writing.tx).await?;
    writing.commit().await?;
    Ok(())
}
