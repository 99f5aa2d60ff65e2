//! Pages by keyset: each begins right behind the last row of the one before, found by an index.

use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Select,
    Value,
    sea_query::{ColumnType, Expr, ExprTrait},
};

use crate::domain::page::{Cursor, Id, Page, SortValue};

use super::filter::nothing;

/// One page of `rows` in the order of `sort`, rows of equal value in that of `id`.
pub(super) fn page<E: EntityTrait, K>(
    rows: Select<E>,
    backend: DbBackend,
    (sort, id): (E::Column, E::Column),
    page: &Page<K>,
) -> Select<E> {
    let rows = match &page.after {
        None => rows,
        Some(cursor) => {
            let place = sort_value(sort, cursor).zip(id_value(id, cursor));
            // A place that is none in this order has nothing behind it.
            rows.filter(place.map_or_else(nothing, |place| {
                behind(backend, (sort, id), place, page.order.descending)
            }))
        }
    };
    let order = direction(page);
    rows.order_by(sort, order.clone())
        .order_by(id, order)
        .limit(page.size)
}

/// One page of `rows` in the order of `sort` alone, which no two rows share.
pub(super) fn page_by_one<E: EntityTrait, K>(
    rows: Select<E>,
    sort: E::Column,
    page: &Page<K>,
) -> Select<E> {
    let rows = match &page.after {
        None => rows,
        Some(cursor) => rows.filter(match sort_value(sort, cursor) {
            None => nothing(),
            Some(value) if page.order.descending => sort.lt(value),
            Some(value) => sort.gt(value),
        }),
    };
    rows.order_by(sort, direction(page)).limit(page.size)
}

/// Written so that the database begins to read its index there, however many rows share the value.
fn behind<C: ColumnTrait>(
    backend: DbBackend,
    (sort, id): (C, C),
    (value, id_value): (Value, Value),
    descending: bool,
) -> Expr {
    if backend == DbBackend::MySql {
        // It takes no range from a comparison of rows, but one from each side of an OR.
        let tied = sort.eq(value.clone());
        return if descending {
            sort.lt(value).or(tied.and(id.lt(id_value)))
        } else {
            sort.gt(value).or(tied.and(id.gt(id_value)))
        };
    }
    let row = Expr::tuple([col(sort), col(id)]);
    let place = Expr::tuple([Expr::value(value), Expr::value(id_value)]);
    if descending {
        row.lt(place)
    } else {
        row.gt(place)
    }
}

fn direction<K>(page: &Page<K>) -> Order {
    if page.order.descending {
        Order::Desc
    } else {
        Order::Asc
    }
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

/// PostgreSQL takes no text that has a NUL; a place that we told has none.
fn text_value(text: &str) -> Option<Value> {
    (!text.contains('\0')).then(|| text.into())
}

fn col(column: impl ColumnTrait) -> Expr {
    Expr::col(column.as_column_ref())
}
