//! Pages by keyset: each begins right behind the last row of the one before, found by an index.

use domain::page::{Cursor, Id, Page, SortValue};
use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    Value,
    sea_query::{
        ColumnType, Expr, ExprTrait,
        extension::mysql::{IndexHintScope, MySqlSelectStatementExt},
    },
};

use super::filter::nothing;

/// An order of rows, and the index that has them in it.
pub(super) struct Sort<C> {
    pub column: C,
    /// Orders rows of equal value; `None` where no two have one.
    pub id: Option<C>,
    /// To be read even if the planner prefers another; `None` leaves it the choice.
    pub index: Option<&'static str>,
}

/// One page of `rows` in the order of `sort`.
pub(super) fn page<E: EntityTrait, K>(
    rows: Select<E>,
    backend: DbBackend,
    sort: &Sort<E::Column>,
    page: &Page<K>,
) -> Select<E> {
    let descending = page.order.descending;
    let order = if descending { Order::Desc } else { Order::Asc };
    let mut rows = rows.order_by(sort.column, order.clone());
    if let Some(id) = sort.id {
        rows = rows.order_by(id, order);
    }
    if let Some(cursor) = &page.after {
        rows = rows.filter(behind(backend, sort, cursor, descending));
        hint(&mut rows, backend, sort.index);
    }
    rows.limit(page.size)
}

/// MySQL and MariaDB like to look up the project and then to pass over all that lies before the page.
fn hint<E: EntityTrait>(rows: &mut Select<E>, backend: DbBackend, index: Option<&'static str>) {
    if let (DbBackend::MySql, Some(index)) = (backend, index) {
        QueryTrait::query(rows).force_index(index, IndexHintScope::All);
    }
}

fn behind<C: ColumnTrait>(backend: DbBackend, sort: &Sort<C>, cursor: &Cursor, descending: bool) -> Expr {
    let value = sort_value(sort.column, cursor);
    let behind = match sort.id {
        None => value.map(|value| beyond(col(sort.column), Expr::value(value), descending)),
        Some(id) => value
            .zip(id_value(id, cursor))
            .map(|place| row_behind(backend, (sort.column, id), place, descending)),
    };
    // A place that is none in this order has nothing behind it.
    behind.unwrap_or_else(nothing)
}

/// Written so that the database begins to read its index there, however many rows share the value.
fn row_behind<C: ColumnTrait>(
    backend: DbBackend,
    (sort, id): (C, C),
    (value, id_value): (Value, Value),
    descending: bool,
) -> Expr {
    if backend == DbBackend::MySql {
        // It takes no range from a comparison of rows, but one from each side of an OR.
        let tied = col(sort).eq(value.clone());
        let tied = tied.and(beyond(col(id), Expr::value(id_value), descending));
        return beyond(col(sort), Expr::value(value), descending).or(tied);
    }
    let row = Expr::tuple([col(sort), col(id)]);
    let place = Expr::tuple([Expr::value(value), Expr::value(id_value)]);
    beyond(row, place, descending)
}

fn beyond(here: Expr, there: Expr, descending: bool) -> Expr {
    if descending { here.lt(there) } else { here.gt(there) }
}

fn sort_value(column: impl ColumnTrait, cursor: &Cursor) -> Option<Value> {
    match (&cursor.value, column.def().get_column_type()) {
        (SortValue::Number(number), ColumnType::BigInteger) => Some((*number).into()),
        (SortValue::Text(text), ColumnType::String(_)) => text_value(text),
        _ => None,
    }
}

fn id_value(column: impl ColumnTrait, cursor: &Cursor) -> Option<Value> {
    match (&cursor.id, column.def().get_column_type()) {
        (Id::Uuid(_), ColumnType::Uuid) => cursor.uuid().map(Into::into),
        (Id::Text(text), ColumnType::String(_)) => text_value(text),
        _ => None,
    }
}

/// PostgreSQL takes no text that has a NUL; a cursor of ours has none.
fn text_value(text: &str) -> Option<Value> {
    (!text.contains('\0')).then(|| text.into())
}

fn col(column: impl ColumnTrait) -> Expr {
    Expr::col(column.as_column_ref())
}
