//! Filters as conditions.
//!
//! No column that is compared holds NULL, so that every test is true or false, and NOT turns one into the
//! other.

use domain::{
    filter::Filter,
    id::ProjectId,
    key::State,
    listing::{AccountTest, EventTest, KeyTest, KeyTime, Relation},
    name::ServiceAccountName,
    time::Timestamp,
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, ExprTrait},
};

use crate::ports::store::KeyQuery;

use super::{
    rows::{audit_events, key_terms, keys, keys::lifecycle, projects, service_accounts},
    words,
};

/// The keys that `query` is about.
pub(super) fn keys(query: KeyQuery<'_>) -> Select<keys::Entity> {
    let project = query.project;
    let shown = if query.show_deleted {
        is_due(query.now).not()
    } else {
        keys::Column::Lifecycle.lt(lifecycle::DELETED)
    };
    let rows = keys::Entity::find().filter(keys::Column::ProjectId.eq(project.as_str())).filter(shown);
    narrow(rows, query.filter, &|test| key_test(test, project, query.now))
}

/// Whether `filter` asks for something that few keys have, so that an index on that may beat one on the
/// order.
pub(super) fn picks_few(filter: &Filter<KeyTest>) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().any(picks_few),
        Filter::Any(parts) => parts.iter().all(picks_few),
        Filter::Not(_) => false,
        Filter::Test(test) => matches!(
            test,
            KeyTest::ServiceAccount(_) | KeyTest::DisplayName(_) | KeyTest::NameWords(_) | KeyTest::Tag(_)
        ),
    }
}

pub(super) fn service_accounts(
    project: &ProjectId,
    filter: &Filter<AccountTest>,
) -> Select<service_accounts::Entity> {
    use service_accounts::Column;

    let rows = service_accounts::Entity::find().filter(Column::ProjectId.eq(project.as_str()));
    narrow(rows, filter, &|test| match test {
        AccountTest::Disabled => Column::DisableTime.is_not_null(),
        AccountTest::DisplayName(name) => is_text(Column::DisplayName, name),
        AccountTest::ExternalId(id) => is_text(Column::ExternalId, id),
        AccountTest::CreateTime(by, time) => compare(Column::CreateTime, *by, time.as_micros()),
    })
}

pub(super) fn events(filter: &Filter<EventTest>) -> Select<audit_events::Entity> {
    use audit_events::Column;

    narrow(audit_events::Entity::find(), filter, &|test| match test {
        EventTest::Actor(name) => Column::ActorAccount.eq(name.service_account.as_str()),
        EventTest::Action(action) => is_text(Column::Action, action),
        EventTest::Target(target) => is_text(Column::Target, target),
        EventTest::Time(by, time) => compare(Column::Time, *by, time.as_micros()),
        EventTest::Revision(by, revision) => compare(Column::Revision, *by, *revision),
    })
}

fn key_test(test: &KeyTest, project: &ProjectId, now: Timestamp) -> Expr {
    use keys::Column;

    match test {
        KeyTest::State(state) => in_state(*state, now),
        KeyTest::Environment(id) => Column::Environment.eq(id.as_str()),
        KeyTest::ServiceAccount(name) => owned_by(name, project),
        KeyTest::DisplayName(name) => is_text(Column::DisplayName, name),
        KeyTest::NameWords(words) => words::in_name(project, words),
        KeyTest::Tag(tag) => keys::Column::Id
            .in_subquery(words::keys_with(project, |term| term.eq(key_terms::of_tag(tag))).into_query()),
        KeyTest::Time(column, by, time) => {
            let column = match column {
                KeyTime::Create => Column::CreateTime,
                KeyTime::Update => Column::UpdateTime,
                KeyTime::Expire => Column::ExpireTime,
                KeyTime::LastUsed => Column::LastUsedTime,
            };
            compare(column, *by, time.as_micros())
        }
    }
}

/// As `Key::state` has it.
fn in_state(state: State, now: Timestamp) -> Expr {
    let lifecycle = |of: i16| keys::Column::Lifecycle.eq(of);
    match state {
        State::Deleted => lifecycle(lifecycle::DELETED),
        State::Revoked => lifecycle(lifecycle::REVOKED),
        State::Disabled => lifecycle(lifecycle::DISABLED),
        State::Expired => lifecycle(lifecycle::LIVE).and(is_past(now)),
        State::Active => lifecycle(lifecycle::LIVE).and(keys::Column::ExpireTime.gt(now.as_micros())),
    }
}

/// As `domain::key::is_past` has it.
pub(super) fn is_past(now: Timestamp) -> Expr {
    keys::Column::ExpireTime.lte(now.as_micros())
}

/// As `Key::is_due_for_purge` has it.
pub(super) fn is_due(now: Timestamp) -> Expr {
    keys::Column::PurgeTime.lte(now.as_micros())
}

/// The project that `column` names is not deleted; what it owned may still be there.
pub(super) fn in_living_project(column: impl ColumnTrait) -> Expr {
    let living = projects::Entity::find()
        .select_only()
        .column(projects::Column::Id)
        .filter(Expr::col(projects::Column::Id.as_column_ref()).equals(column.as_column_ref()))
        .filter(projects::Column::DeleteTime.is_null());
    Expr::exists(living.into_query())
}

fn owned_by(name: &ServiceAccountName, project: &ProjectId) -> Expr {
    if name.project == *project {
        keys::Column::ServiceAccountId.eq(name.service_account.as_str())
    } else {
        nothing()
    }
}

/// No stored text has a control character, and PostgreSQL takes none that has a NUL.
fn is_text(column: impl ColumnTrait, text: &str) -> Expr {
    if text.contains('\0') { nothing() } else { column.eq(text) }
}

fn compare(column: impl ColumnTrait, by: Relation, value: i64) -> Expr {
    match by {
        Relation::Equal => column.eq(value),
        Relation::Less => column.lt(value),
        Relation::LessOrEqual => column.lte(value),
        Relation::Greater => column.gt(value),
        Relation::GreaterOrEqual => column.gte(value),
    }
}

fn narrow<E: EntityTrait, T>(rows: Select<E>, filter: &Filter<T>, test: &impl Fn(&T) -> Expr) -> Select<E> {
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

pub(super) fn nothing() -> Expr {
    Expr::cust("1 = 0")
}
