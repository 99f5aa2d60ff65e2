//! Keys by what they may do, and by their project's policy.

use domain::{
    access::{Grant, Permission},
    id::{ProjectId, RoleId},
    project::KeyPolicy,
    query::KeyTest,
    time::Timestamp,
};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbBackend, QueryTrait,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    ports::{StoreError, keys::KeyQuery},
    store::{columns::NEVER, filter::nothing, roles},
};

use super::{row::Column, terms, words::keys_with};

/// The roles of the project that grant each permission that a query asks for.
pub(super) struct Granting {
    backend: DbBackend,
    roles: Vec<(Permission, Vec<RoleId>)>,
}

/// The roles that grant one permission, and the database that is asked for the keys.
#[derive(Clone, Copy)]
pub(super) struct By<'a> {
    backend: DbBackend,
    roles: &'a [RoleId],
}

impl Granting {
    pub(super) async fn read(db: &DatabaseConnection, query: KeyQuery<'_>) -> Result<Self, StoreError> {
        let mut asked: Vec<Permission> = Vec::new();
        for test in query.filter.tests() {
            if let KeyTest::Permission(permission) = test {
                asked.push(permission.clone());
            }
        }
        let roles = roles::granting(db, query.project, asked).await?;
        Ok(Self { backend: db.get_database_backend(), roles })
    }

    pub(super) fn of(&self, permission: &Permission) -> By<'_> {
        let found = self.roles.iter().find(|(asked, _)| asked == permission);
        By { backend: self.backend, roles: found.map_or(&[], |(_, roles)| roles) }
    }
}

/// The keys that have `permission` directly or by one of these roles.
pub(super) fn has_permission(project: &ProjectId, permission: &Permission, by: By<'_>) -> Expr {
    let grant = || permission.as_str().parse::<Grant>().expect("every permission can be granted");
    let keys = keys_with(project, |term| {
        let named = by.roles.iter().map(terms::of_role).chain([terms::of_permission(&grant())]);
        let wildcard = in_kind(term.clone(), terms::WILDCARD).and(matches(&term, permission, by.backend));
        term.is_in(named).or(wildcard)
    });
    Column::Id.in_subquery(keys.into_query())
}

/// The wildcard of a grant is one or more whole segments, so it is any text for the database: no name has an empty segment.
fn matches(term: &Expr, permission: &Permission, backend: DbBackend) -> Expr {
    let sql = match backend {
        // LIKE ignores case here; no segment has a special character of GLOB.
        DbBackend::Sqlite => "? GLOB substr(?, 3)",
        DbBackend::Postgres => "$1 LIKE replace(replace(substr($2, 3), '_', '|_'), '*', '%') ESCAPE '|'",
        _ => "? LIKE replace(replace(substr(?, 3), '_', '|_'), '*', '%') ESCAPE '|'",
    };
    Expr::cust_with_exprs(sql, [Expr::val(permission.as_str()), term.clone()])
}

/// The keys that do not comply with `policy`, as `KeyPolicy::violated_by` has it.
pub(super) fn violates(project: &ProjectId, policy: &KeyPolicy, now: Timestamp) -> Expr {
    let mut violations = Vec::new();
    if let Some(max) = policy.max_ttl {
        violations.push(Column::ExpireTime.gt(now.after(max).as_micros()));
    }
    if policy.require_expiration {
        violations.push(Column::ExpireTime.eq(NEVER));
    }
    if !policy.allowed_roles.is_empty() {
        let others = keys_with(project, |term| {
            let allowed = policy.allowed_roles.iter().map(terms::of_role);
            in_kind(term.clone(), terms::ROLE).and(term.is_not_in(allowed))
        });
        violations.push(Column::Id.in_subquery(others.into_query()));
    }
    let any = violations.into_iter().reduce(ExprTrait::or).unwrap_or_else(nothing);
    Column::Protected.eq(false).and(any)
}

/// Whether a term is of the kind that begins with `kind`.
fn in_kind(term: Expr, kind: &str) -> Expr {
    term.between(kind, format!("{kind}{}", char::MAX))
}
