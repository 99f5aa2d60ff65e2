//! What a verification reads, in one query by primary keys.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, FromQueryResult, Iterable, QueryResult,
    sea_query::{Alias, Expr, ExprTrait, IntoColumnRef, Query, SelectStatement},
};

use crate::{
    domain::id::KeyId,
    ports::{
        StoreError,
        store::{Loaded, LoadedKey},
    },
};

use super::{
    error::failed,
    rows::{change_head, keys, secrets, service_accounts},
};

pub(super) async fn find(db: &DatabaseConnection, id: KeyId) -> Result<Loaded, StoreError> {
    let rows = db.query_all(&query(id)).await.map_err(failed)?;
    let head =
        rows.first().ok_or_else(|| StoreError::Broken("the head of the change log is missing".into()))?;
    let revision = head.try_get("", "head_revision").map_err(failed)?;
    let candidate = candidate(&rows).map_err(failed)?;
    let key = match candidate {
        Some((key, secrets, owner_disabled)) => {
            Some(LoadedKey { key: key.into_key(secrets)?, owner_disabled })
        }
        None => None,
    };
    Ok(Loaded { key, revision })
}

/// The head of the change log, and beside it, if there is such a key, the key with its owner, once for
/// each of its secrets.
fn query(id: KeyId) -> SelectStatement {
    let mut query = Query::select();
    query
        .expr_as(column(change_head::Column::Revision), "head_revision")
        .expr_as(column(service_accounts::Column::Id), "owner_id")
        .expr_as(column(service_accounts::Column::DisableTime), "owner_disable_time");
    select(&mut query, keys::Column::iter(), KEY);
    select(&mut query, secrets::Column::iter(), SECRET);
    query
        .from(change_head::Entity)
        .left_join(keys::Entity, column(keys::Column::Id).eq(id.as_uuid()))
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

fn select<C: ColumnTrait>(query: &mut SelectStatement, columns: impl Iterator<Item = C>, prefix: &str) {
    for name in columns {
        let alias = Alias::new(format!("{prefix}{}", name.unquoted()));
        query.expr_as(column(name), alias);
    }
}

fn column<C: ColumnTrait>(column: C) -> Expr {
    Expr::col(column.as_column_ref().into_column_ref())
}

type Parts = (keys::Model, Vec<secrets::Model>, bool);

fn candidate(rows: &[QueryResult]) -> Result<Option<Parts>, DbErr> {
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let id: Option<sea_orm::prelude::Uuid> = row.try_get(KEY, "id")?;
    if id.is_none() {
        return Ok(None);
    }
    let key = keys::Model::from_query_result(row, KEY)?;
    let owner: Option<String> = row.try_get("", "owner_id")?;
    let owner_disable_time: Option<i64> = row.try_get("", "owner_disable_time")?;
    let mut secrets = Vec::with_capacity(rows.len());
    for row in rows {
        let version: Option<i32> = row.try_get(SECRET, "version")?;
        if version.is_some() {
            secrets.push(secrets::Model::from_query_result(row, SECRET)?);
        }
    }
    // An owner that is gone can enable nothing.
    let owner_disabled = owner.is_none() || owner_disable_time.is_some();
    Ok(Some((key, secrets, owner_disabled)))
}
