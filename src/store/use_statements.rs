//! The statements that write last uses.
//!
//! The uses are one parameter: a list in JSON that the database reads as a table. So each statement has the same text for any
//! number of uses and is prepared once. Only how the list is read differs between databases.

use std::{collections::BTreeMap, fmt::Write};

use sea_orm::{
    ColumnTrait, DbBackend, EntityName,
    prelude::Uuid,
    sea_query::{
        Expr, ExprTrait, Func, FunctionCall, IntoColumnRef, IntoIden, Order, Query, SelectStatement,
        TableRef, UpdateStatement,
    },
};

use crate::ports::recorder::LastUse;

use super::{
    keys::{row as keys, secrets},
    service_accounts::row as service_accounts,
};

/// The last use of each key and of each secret, both as JSON in the order of their ids.
pub(super) struct UseStatements {
    backend: DbBackend,
    keys: String,
    secrets: String,
}

impl UseStatements {
    pub(super) fn new(backend: DbBackend, uses: &[LastUse]) -> Self {
        let (mut keys, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        for it in uses {
            let (key, time) = (it.key.as_uuid(), it.time.as_micros());
            let last = keys.entry((key, 0)).or_insert(time);
            *last = Ord::max(*last, time);
            let last = secrets.entry((key, it.secret_version)).or_insert(time);
            *last = Ord::max(*last, time);
        }
        Self { backend, keys: json(&keys), secrets: json(&secrets) }
    }

    pub(super) fn of_keys(&self) -> UpdateStatement {
        let row = column(keys::Column::Id).eq(used(ID));
        move_forward(keys::Entity, keys::Column::LastUsedTime, row, table(self.backend, &self.keys))
    }

    pub(super) fn of_secrets(&self) -> UpdateStatement {
        let row = column(secrets::Column::KeyId)
            .eq(used(ID))
            .and(column(secrets::Column::Version).eq(used(VERSION)));
        move_forward(secrets::Entity, secrets::Column::LastUsedTime, row, table(self.backend, &self.secrets))
    }

    /// A service account was last used when the last used of its keys was.
    pub(super) fn of_owners(&self) -> UpdateStatement {
        let owner =
            [keys::Column::ProjectId, keys::Column::ServiceAccountId, keys::Column::AccountGeneration]
                .map(column);
        let owners = Query::select()
            .expr_as(column(keys::Column::ProjectId), PROJECT)
            .expr_as(column(keys::Column::ServiceAccountId), ID)
            .expr_as(column(keys::Column::AccountGeneration), GENERATION)
            .expr_as(used(TIME).max(), TIME)
            .from_subquery(table(self.backend, &self.keys), USED)
            .inner_join(keys::Entity, column(keys::Column::Id).eq(used(ID)))
            .add_group_by(owner)
            .order_by_expr(Expr::col(PROJECT), Order::Asc)
            .order_by_expr(Expr::col(ID), Order::Asc)
            .take();
        let row = column(service_accounts::Column::ProjectId)
            .eq(used(PROJECT))
            .and(column(service_accounts::Column::Id).eq(used(ID)))
            .and(column(service_accounts::Column::Generation).eq(used(GENERATION)));
        move_forward(service_accounts::Entity, service_accounts::Column::LastUsedTime, row, owners)
    }
}

/// Names of the table of uses and of its columns.
const USED: &str = "used";
const ID: &str = "used_id";
const VERSION: &str = "used_version";
const TIME: &str = "used_time";
const PROJECT: &str = "used_project";
const GENERATION: &str = "used_generation";

fn used(column: &'static str) -> Expr {
    Expr::col((USED, column))
}

fn column<C: ColumnTrait>(column: C) -> Expr {
    Expr::col(column.as_column_ref().into_column_ref())
}

/// Sets `last_used` of each `row` to the time in `uses`, unless it is later already.
fn move_forward<C: ColumnTrait>(
    entity: impl EntityName,
    last_used: C,
    row: Expr,
    uses: SelectStatement,
) -> UpdateStatement {
    Query::update()
        .table(entity.table_ref())
        .from(TableRef::SubQuery(Box::new(uses), USED.into_iden()))
        .value(last_used, used(TIME))
        .and_where(row)
        .and_where(column(last_used).lt(used(TIME)))
        .take()
}

/// `list` as a table.
fn table(backend: DbBackend, list: &str) -> SelectStatement {
    let (id, version, time) = match backend {
        DbBackend::Sqlite => ("unhex(value ->> 0)", "value ->> 1", "value ->> 2"),
        DbBackend::Postgres => {
            ("CAST(value ->> 0 AS uuid)", "CAST(value ->> 1 AS integer)", "CAST(value ->> 2 AS bigint)")
        }
        _ => ("UNHEX(id)", "version", "time"),
    };
    Query::select()
        .expr_as(Expr::cust(id), ID)
        .expr_as(Expr::cust(version), VERSION)
        .expr_as(Expr::cust(time), TIME)
        .from_function(rows(backend, list), "list")
        .take()
}

fn rows(backend: DbBackend, list: &str) -> FunctionCall {
    let parameter = Expr::val(list);
    match backend {
        DbBackend::Sqlite => Func::cust("json_each").arg(parameter),
        DbBackend::Postgres => Func::cust("json_array_elements").arg(parameter.cast_as("json")),
        _ => Func::cust("JSON_TABLE").arg(Expr::cust_with_expr(
            "?, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]', version INT PATH '$[1]', time BIGINT PATH '$[2]')",
            parameter,
        )),
    }
}

/// `[[id, version, time], …]`, the id in hexadecimal digits.
fn json(uses: &BTreeMap<(Uuid, i32), i64>) -> String {
    let mut json = String::with_capacity(2 + 60 * uses.len());
    json.push('[');
    for ((id, version), time) in uses {
        let separator = if json.len() > 1 { "," } else { "" };
        write!(json, "{separator}[\"{}\",{version},{time}]", id.simple())
            .expect("writing to a string does not fail");
    }
    json.push(']');
    json
}
