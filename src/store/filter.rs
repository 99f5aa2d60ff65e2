//! Filters as conditions.
//!
//! No column that is compared holds NULL, so that every test is true or false, and NOT turns one into the
//! other.

use domain::{filter::Filter, query::Relation};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, Select,
    sea_query::{Expr, ExprTrait},
};

/// Those of `rows` that pass `filter`, whose tests become conditions by `test`.
pub(super) fn narrow<E: EntityTrait, T>(
    rows: Select<E>,
    filter: &Filter<T>,
    test: &impl Fn(&T) -> Expr,
) -> Select<E> {
    match filter {
        Filter::All(parts) => parts.iter().fold(rows, |rows, part| rows.filter(lower(part, test))),
        other => rows.filter(lower(other, test)),
    }
}

fn lower<T>(filter: &Filter<T>, test: &impl Fn(&T) -> Expr) -> Expr {
    let each = |parts: &[Filter<T>]| parts.iter().map(|part| lower(part, test)).collect::<Vec<_>>();
    match filter {
        Filter::All(parts) => {
            each(parts).into_iter().reduce(ExprTrait::and).unwrap_or_else(|| nothing().not())
        }
        Filter::Any(parts) => each(parts).into_iter().reduce(ExprTrait::or).unwrap_or_else(nothing),
        Filter::Not(inner) => lower(inner, test).not(),
        Filter::Test(it) => test(it),
    }
}

/// No stored text has a control character, and PostgreSQL refuses a parameter with a NUL.
pub(super) fn is_text(column: impl ColumnTrait, text: &str) -> Expr {
    if text.contains('\0') { nothing() } else { column.eq(text) }
}

pub(super) fn compare(column: impl ColumnTrait, by: Relation, value: i64) -> Expr {
    match by {
        Relation::Equal => column.eq(value),
        Relation::Less => column.lt(value),
        Relation::LessOrEqual => column.lte(value),
        Relation::Greater => column.gt(value),
        Relation::GreaterOrEqual => column.gte(value),
    }
}

/// The condition that no row meets.
pub(super) fn nothing() -> Expr {
    Expr::cust("1 = 0")
}
