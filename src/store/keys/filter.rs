//! Which keys a query or a check is about, as conditions.

use domain::{
    filter::Filter,
    id::{ProjectId, RoleId},
    key::State,
    name::ServiceAccountName,
    query::{KeyTest, KeyTime},
    time::Timestamp,
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryTrait, Select,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    ports::{commits::KeysOf, keys::KeyQuery},
    store::filter::{compare, is_text, narrow, nothing},
};

use super::{
    access::{Granting, has_permission, violates},
    row::{Column, Entity, lifecycle},
    terms, words,
};

/// The keys that `query` is about. `granting` are the roles that grant each permission that it asks for.
pub(super) fn queried(query: KeyQuery<'_>, granting: &Granting) -> Select<Entity> {
    let project = query.project;
    let shown =
        if query.show_deleted { is_due(query.now).not() } else { Column::Lifecycle.lt(lifecycle::DELETED) };
    let rows = Entity::find().filter(Column::ProjectId.eq(project.as_str())).filter(shown);
    narrow(rows, query.filter, &|test| passes(test, query, granting))
}

/// The keys of `project` that prevent a change. Purged keys never do, and the system key only if it holds the role.
pub(in crate::store) fn using(
    project: &ProjectId,
    of: &KeysOf,
    except_deleted: bool,
    now: Timestamp,
) -> Select<Entity> {
    let of_project = Entity::find().filter(Column::ProjectId.eq(project.as_str()));
    let unprotected = of_project.filter(Column::Protected.eq(false));
    let keys = match of {
        KeysOf::Project => unprotected,
        KeysOf::ServiceAccount(id, generation) => unprotected
            .filter(Column::ServiceAccountId.eq(id.as_str()))
            .filter(Column::AccountGeneration.eq(*generation)),
        KeysOf::Environment(id) => unprotected.filter(Column::Environment.eq(id.as_str())),
        KeysOf::Role(id) => holding(id, project),
    };
    let keys = keys.filter(is_due(now).not());
    if except_deleted { keys.filter(Column::Lifecycle.lt(lifecycle::DELETED)) } else { keys }
}

/// The active keys of `project`, its system key included.
pub(in crate::store) fn active(project: &ProjectId, now: Timestamp) -> Select<Entity> {
    Entity::find().filter(Column::ProjectId.eq(project.as_str())).filter(in_state(State::Active, now))
}

/// The keys of `project` that hold the role, in any state. The terms find them, so that the cost is that of the rows read,
/// whether few keys of a large project hold the role or all.
pub(super) fn holding(role: &RoleId, project: &ProjectId) -> Select<Entity> {
    let its_key = Expr::col(terms::Column::KeyId.as_column_ref()).equals(Column::Id.as_column_ref());
    let mut keys = Entity::find()
        .filter(terms::Column::ProjectId.eq(project.as_str()))
        .filter(terms::Column::Term.eq(terms::of_role(role)));
    QueryTrait::query(&mut keys).inner_join(terms::Entity, its_key);
    keys
}

/// The ids of these keys.
pub(in crate::store) fn holders(role: &RoleId, project: &ProjectId) -> Select<terms::Entity> {
    words::keys_with(project, |term| term.eq(terms::of_role(role)))
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
            KeyTest::ServiceAccount(_)
                | KeyTest::DisplayName(_)
                | KeyTest::NameWords(_)
                | KeyTest::Tag(_)
                | KeyTest::Role(_)
                | KeyTest::Permission(_)
        ),
    }
}

fn passes(test: &KeyTest, query: KeyQuery<'_>, granting: &Granting) -> Expr {
    let KeyQuery { project, now, .. } = query;
    match test {
        KeyTest::State(state) => in_state(*state, now),
        KeyTest::Environment(id) => Column::Environment.eq(id.as_str()),
        KeyTest::ServiceAccount(name) => owned_by(name, project),
        KeyTest::DisplayName(name) => is_text(Column::DisplayName, name),
        KeyTest::NameWords(words) => words::in_name(project, words),
        KeyTest::Tag(tag) => {
            let tagged = words::keys_with(project, |term| term.eq(terms::of_tag(tag)));
            Column::Id.in_subquery(tagged.into_query())
        }
        KeyTest::Role(role) => Column::Id.in_subquery(holders(role, project).into_query()),
        KeyTest::Permission(permission) => has_permission(project, permission, granting.of(permission)),
        KeyTest::ViolatesPolicy => violates(project, query.policy, now),
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
    let lifecycle = |of: i16| Column::Lifecycle.eq(of);
    match state {
        State::Deleted => lifecycle(lifecycle::DELETED),
        State::Revoked => lifecycle(lifecycle::REVOKED),
        State::Disabled => lifecycle(lifecycle::DISABLED),
        State::Expired => lifecycle(lifecycle::LIVE).and(is_past(now)),
        State::Active => lifecycle(lifecycle::LIVE).and(Column::ExpireTime.gt(now.as_micros())),
    }
}

/// As `domain::key::is_past` has it.
pub(super) fn is_past(now: Timestamp) -> Expr {
    Column::ExpireTime.lte(now.as_micros())
}

/// As `Key::is_due_for_purge` has it.
pub(super) fn is_due(now: Timestamp) -> Expr {
    Column::PurgeTime.lte(now.as_micros())
}

fn owned_by(name: &ServiceAccountName, project: &ProjectId) -> Expr {
    if name.project == *project {
        Column::ServiceAccountId.eq(name.service_account.as_str())
    } else {
        nothing()
    }
}
