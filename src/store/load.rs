//! What verifications read, in one query by primary keys.

use std::collections::HashMap;

use domain::id::KeyId;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, FromQueryResult, Iterable,
    QueryResult, Statement, Value,
    prelude::Uuid,
    sea_query::{Expr, ExprTrait, Query, SelectStatement},
};

use crate::ports::{
    StoreError,
    load::{LOADED_TOGETHER, Loaded, LoadedKey},
};

use super::{
    error::failed,
    keys::{row as keys, secrets},
    log::head as change_head,
    projects::row as projects,
    service_accounts::row as service_accounts,
    with_head::{self, add, column},
};

/// For how many ids there is a query. Few, so that each connection has them all prepared; an id that is
/// asked for twice in one costs next to nothing.
const SIZES: [usize; 4] = [1, 4, 16, LOADED_TOGETHER];

/// The queries' text, for each of the [`SIZES`], which takes longer to write than to run.
#[derive(Debug)]
pub(super) struct Queries {
    backend: DbBackend,
    texts: [String; SIZES.len()],
}

impl Queries {
    pub(super) fn new(backend: DbBackend) -> Self {
        Self { backend, texts: SIZES.map(|size| backend.build(&query(size)).sql) }
    }

    pub(super) async fn run(&self, db: &DatabaseConnection, ids: &[KeyId]) -> Result<Loaded, StoreError> {
        let rows = db.query_all_raw(self.statement(ids)).await.map_err(failed)?;
        let head = with_head::head(&rows)?;
        let mut found: HashMap<Uuid, Vec<&QueryResult>> = HashMap::new();
        for row in &rows {
            if let Some(id) = row.try_get::<Option<Uuid>>(KEY, "id").map_err(failed)? {
                // A key whose account or project is deleted counts as deleted.
                if has_owners(row).map_err(failed)? {
                    found.entry(id).or_default().push(row);
                }
            }
        }
        let key = |id: &KeyId| found.remove(&id.as_uuid()).map(|rows| (*id, key(&rows)));
        Ok(Loaded { keys: ids.iter().filter_map(key).collect(), head })
    }

    fn statement(&self, ids: &[KeyId]) -> Statement {
        debug_assert!((1..=LOADED_TOGETHER).contains(&ids.len()));
        let fits = SIZES.iter().zip(&self.texts).find(|(size, _)| **size >= ids.len());
        let (size, text) = fits.expect("no call loads more keys at once");
        let ids = ids.iter().map(|id| Value::from(id.as_uuid()));
        // In the order in which the text has them.
        let values = ids.cycle().take(*size).chain([change_head::ONLY.into()]);
        Statement::from_sql_and_values(self.backend, text, values)
    }
}

/// The head of the change log, together with the existing keys and their owners, once
/// for each of their secrets.
fn query(size: usize) -> SelectStatement {
    let ids = vec![Uuid::nil(); size];
    // Not joined: a planner that takes the projects for few would read all of them.
    let project_delete_time = Query::select()
        .expr(column(projects::Column::DeleteTime))
        .from(projects::Entity)
        .and_where(column(projects::Column::Id).equals(keys::Column::ProjectId.as_column_ref()))
        .take();
    let mut query = with_head::select();
    query
        .expr_as(column(service_accounts::Column::Generation), "owner_generation")
        .expr_as(column(service_accounts::Column::DisableTime), "owner_disable_time")
        .expr_as(Expr::from(project_delete_time), "project_delete_time");
    add(&mut query, keys::Column::iter(), KEY);
    add(&mut query, secrets::Column::iter(), SECRET);
    query
        .left_join(keys::Entity, column(keys::Column::Id).is_in(ids))
        .left_join(
            service_accounts::Entity,
            column(service_accounts::Column::ProjectId).equals(keys::Column::ProjectId.as_column_ref()).and(
                column(service_accounts::Column::Id).equals(keys::Column::ServiceAccountId.as_column_ref()),
            ),
        )
        .left_join(secrets::Entity, column(secrets::Column::KeyId).equals(keys::Column::Id.as_column_ref()))
        .and_where(column(change_head::Column::Id).eq(change_head::ONLY));
    query
}

const KEY: &str = "key_";
const SECRET: &str = "secret_";

fn has_owners(row: &QueryResult) -> Result<bool, DbErr> {
    let owner: Option<i64> = row.try_get("", "owner_generation")?;
    let owned_by: i64 = row.try_get(KEY, "account_generation")?;
    let project_delete_time: Option<i64> = row.try_get("", "project_delete_time")?;
    // An account of another generation only has the same id.
    Ok(owner == Some(owned_by) && project_delete_time.is_none())
}

/// The key whose `rows` these are.
fn key(rows: &[&QueryResult]) -> Result<LoadedKey, StoreError> {
    let (key, secrets, owner_disabled) = parts(rows).map_err(failed)?;
    Ok(LoadedKey { key: key.into_key(secrets)?, owner_disabled })
}

fn parts(rows: &[&QueryResult]) -> Result<(keys::Model, Vec<secrets::Model>, bool), DbErr> {
    let row = rows[0];
    let key = keys::Model::from_query_result(row, KEY)?;
    let owner_disable_time: Option<i64> = row.try_get("", "owner_disable_time")?;
    let mut secrets = Vec::with_capacity(rows.len());
    for row in rows {
        let version: Option<i32> = row.try_get(SECRET, "version")?;
        if version.is_some() {
            secrets.push(secrets::Model::from_query_result(row, SECRET)?);
        }
    }
    Ok((key, secrets, owner_disable_time.is_some()))
}
