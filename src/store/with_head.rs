//! Queries that read rows together with the head of the change log, so that it is known how new the rows are.

use domain::audit::Head;
use sea_orm::{
    ColumnTrait, QueryResult,
    sea_query::{Alias, Expr, IntoColumnRef, Query, SelectStatement},
};

use crate::ports::StoreError;

use super::{columns::read_hash, error::failed, log::head as change_head};

/// A query that answers with at least one row, which has the head.
pub(super) fn select() -> SelectStatement {
    Query::select()
        .expr_as(column(change_head::Column::Revision), "head_revision")
        .expr_as(column(change_head::Column::Hash), "head_hash")
        .from(change_head::Entity)
        .take()
}

/// The head that the first row has.
pub(super) fn head(rows: &[QueryResult]) -> Result<Head, StoreError> {
    let row =
        rows.first().ok_or_else(|| StoreError::Broken("the head of the change log is missing".into()))?;
    Ok(Head {
        revision: row.try_get("", "head_revision").map_err(failed)?,
        hash: read_hash("change_head.hash", &row.try_get::<Vec<u8>>("", "head_hash").map_err(failed)?)?,
    })
}

/// Adds `columns`, each under its name behind `prefix`.
pub(super) fn add<C: ColumnTrait>(
    query: &mut SelectStatement,
    columns: impl Iterator<Item = C>,
    prefix: &str,
) {
    for name in columns {
        let alias = Alias::new(format!("{prefix}{}", name.unquoted()));
        query.expr_as(column(name), alias);
    }
}

pub(super) fn column<C: ColumnTrait>(column: C) -> Expr {
    Expr::col(column.as_column_ref().into_column_ref())
}
