//! The filters and orders of listings, parsed from a caller's text.

use super::{
    Invalid, Revision,
    access::Permission,
    filter::{Comparison, Filter, FilterError, Operator, Weighed, parse},
    id::{EnvironmentId, RoleId},
    key::State,
    labels::Tag,
    name::ServiceAccountName,
    page::Order,
    text,
    time::Timestamp,
};

/// A comparison of a column with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyTest {
    State(State),
    Environment(EnvironmentId),
    ServiceAccount(ServiceAccountName),
    DisplayName(String),
    /// Each of these begins a word of the display name. They are in lower case; there is at least one.
    NameWords(Vec<String>),
    Tag(Tag),
    /// The key holds this role.
    Role(RoleId),
    /// The key has this permission, directly or through a role.
    Permission(Permission),
    /// The key does not comply with its project's policy.
    ViolatesPolicy,
    Time(KeyTime, Relation, Timestamp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyTime {
    Create,
    Update,
    Expire,
    LastUsed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrder {
    CreateTime,
    DisplayName,
    LastUsedTime,
    ExpireTime,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountTest {
    Disabled,
    DisplayName(String),
    ExternalId(String),
    CreateTime(Relation, Timestamp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountOrder {
    CreateTime,
    DisplayName,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleTest {
    BuiltIn,
    DisplayName(String),
    CreateTime(Relation, Timestamp),
    UpdateTime(Relation, Timestamp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleOrder {
    CreateTime,
    DisplayName,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventTest {
    /// The name of a service account of the system project.
    Actor(ServiceAccountName),
    Action(String),
    Target(String),
    Time(Relation, Timestamp),
    Revision(Relation, Revision),
}

impl Weighed for KeyTest {
    fn weight(&self) -> usize {
        match self {
            Self::NameWords(words) => words.len(),
            // Each looks through all roles of the project.
            Self::Permission(_) => 10,
            _ => 1,
        }
    }
}

impl Weighed for AccountTest {}

impl Weighed for RoleTest {}

impl Weighed for EventTest {}

pub fn key_filter(text: &str) -> Result<Filter<KeyTest>, FilterError> {
    parse(text, |it| match it.field {
        "state" => equal(it, KeyTest::State(state(it.value)?)),
        "environment" => equal(it, KeyTest::Environment(read(it.value)?)),
        "service_account" => equal(it, KeyTest::ServiceAccount(read(it.value)?)),
        "display_name" if it.operator == Operator::Has => name_words(it.value),
        "display_name" => equal(it, KeyTest::DisplayName(text::normal(it.value).into())),
        "tags" if it.operator == Operator::Has => Ok(Filter::Test(KeyTest::Tag(read(it.value)?))),
        "tags" => Err("tags supports only :".into()),
        "roles" if it.operator == Operator::Has => Ok(Filter::Test(KeyTest::Role(read(it.value)?))),
        "roles" => Err("roles supports only :".into()),
        "permissions" if it.operator == Operator::Has => {
            Ok(Filter::Test(KeyTest::Permission(read(it.value)?)))
        }
        "permissions" => Err("permissions supports only :".into()),
        "violates_policy" => flag(it, KeyTest::ViolatesPolicy),
        "create_time" => compare(it, |by, time| KeyTest::Time(KeyTime::Create, by, time)),
        "update_time" => compare(it, |by, time| KeyTest::Time(KeyTime::Update, by, time)),
        "expire_time" => compare(it, |by, time| KeyTest::Time(KeyTime::Expire, by, time)),
        "last_used_time" => compare(it, |by, time| KeyTest::Time(KeyTime::LastUsed, by, time)),
        _ => Err(unknown(
            it.field,
            "state, environment, service_account, display_name, tags, roles, permissions, violates_policy, \
             create_time, update_time, expire_time, last_used_time",
        )),
    })
}

pub fn account_filter(text: &str) -> Result<Filter<AccountTest>, FilterError> {
    parse(text, |it| match it.field {
        "state" => match it.value {
            "DISABLED" => equal(it, AccountTest::Disabled),
            "ACTIVE" => Ok(Filter::Not(Box::new(equal(it, AccountTest::Disabled)?))),
            _ => Err("state must be ACTIVE or DISABLED".into()),
        },
        "display_name" => equal(it, AccountTest::DisplayName(text::normal(it.value).into())),
        "external_id" => equal(it, AccountTest::ExternalId(text::normal(it.value).into())),
        "create_time" => compare(it, AccountTest::CreateTime),
        _ => Err(unknown(it.field, "state, display_name, external_id, create_time")),
    })
}

pub fn role_filter(text: &str) -> Result<Filter<RoleTest>, FilterError> {
    parse(text, |it| match it.field {
        "built_in" => flag(it, RoleTest::BuiltIn),
        "display_name" => equal(it, RoleTest::DisplayName(text::normal(it.value).into())),
        "create_time" => compare(it, RoleTest::CreateTime),
        "update_time" => compare(it, RoleTest::UpdateTime),
        _ => Err(unknown(it.field, "built_in, display_name, create_time, update_time")),
    })
}

pub fn event_filter(text: &str) -> Result<Filter<EventTest>, FilterError> {
    parse(text, |it| match it.field {
        "actor" => {
            let name: ServiceAccountName = read(it.value)?;
            if !name.project.is_system() {
                return Err("actor must be a service account of projects/system".into());
            }
            equal(it, EventTest::Actor(name))
        }
        "action" => equal(it, EventTest::Action(it.value.to_owned())),
        "target" => equal(it, EventTest::Target(it.value.to_owned())),
        "event_time" => compare(it, EventTest::Time),
        "revision" => compare(it, EventTest::Revision),
        _ => Err(unknown(it.field, "actor, action, target, event_time, revision")),
    })
}

pub fn key_order(text: &str) -> Result<Order<KeyOrder>, Invalid> {
    order(
        text,
        &[
            ("create_time", KeyOrder::CreateTime),
            ("display_name", KeyOrder::DisplayName),
            ("last_used_time", KeyOrder::LastUsedTime),
            ("expire_time", KeyOrder::ExpireTime),
        ],
    )
}

pub fn account_order(text: &str) -> Result<Order<AccountOrder>, Invalid> {
    order(text, &[("create_time", AccountOrder::CreateTime), ("display_name", AccountOrder::DisplayName)])
}

pub fn role_order(text: &str) -> Result<Order<RoleOrder>, Invalid> {
    order(text, &[("create_time", RoleOrder::CreateTime), ("display_name", RoleOrder::DisplayName)])
}

/// Events are ordered only by revision, the newest first by default.
pub fn event_order(text: &str) -> Result<Order<()>, Invalid> {
    order(if text.is_empty() { "revision desc" } else { text }, &[("revision", ())])
}

fn order<K: Copy>(text: &str, fields: &[(&'static str, K)]) -> Result<Order<K>, Invalid> {
    let mut words = text.split_whitespace();
    let field = words.next().unwrap_or(fields[0].0);
    let descending = match words.next() {
        None | Some("asc") => Some(false),
        Some("desc") => Some(true),
        Some(_) => None,
    };
    fields
        .iter()
        .find(|(name, _)| *name == field)
        .zip(descending)
        .filter(|_| words.next().is_none())
        .map(|((_, by), descending)| Order { by: *by, descending })
        .ok_or_else(|| {
            let known: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
            Invalid::new(format!("must be one of {}, optionally followed by \" desc\"", known.join(", ")))
        })
}

/// Every word of `text` must begin a word of the name.
fn name_words(text: &str) -> Result<Filter<KeyTest>, String> {
    let words: Vec<_> = text::words(&text::normal(text)).collect();
    if words.is_empty() {
        Err(format!("{text:?} contains no letter or digit"))
    } else {
        Ok(Filter::Test(KeyTest::NameWords(words)))
    }
}

fn equal<T>(comparison: Comparison<'_>, test: T) -> Result<Filter<T>, String> {
    match comparison.operator {
        Operator::Equal => Ok(Filter::Test(test)),
        Operator::NotEqual => Ok(Filter::Not(Box::new(Filter::Test(test)))),
        _ => Err(format!("{} supports only = and !=", comparison.field)),
    }
}

/// A field that is true or false.
fn flag<T>(comparison: Comparison<'_>, test: T) -> Result<Filter<T>, String> {
    let Comparison { field, value, .. } = comparison;
    let equal = equal(comparison, test)?;
    match value {
        "true" => Ok(equal),
        "false" => Ok(Filter::Not(Box::new(equal))),
        _ => Err(format!("{field} must be true or false")),
    }
}

fn compare<V, T>(comparison: Comparison<'_>, test: impl Fn(Relation, V) -> T) -> Result<Filter<T>, String>
where
    V: std::str::FromStr,
    V::Err: ToString,
{
    let value = read(comparison.value)?;
    let relation = match comparison.operator {
        Operator::Equal => Relation::Equal,
        Operator::NotEqual => {
            return Ok(Filter::Not(Box::new(Filter::Test(test(Relation::Equal, value)))));
        }
        Operator::Less => Relation::Less,
        Operator::LessOrEqual => Relation::LessOrEqual,
        Operator::Greater => Relation::Greater,
        Operator::GreaterOrEqual => Relation::GreaterOrEqual,
        Operator::Has => return Err(format!("{} does not support :", comparison.field)),
    };
    Ok(Filter::Test(test(relation, value)))
}

fn read<V: std::str::FromStr>(text: &str) -> Result<V, String>
where
    V::Err: ToString,
{
    text.parse().map_err(|why: V::Err| format!("{text:?} {}", why.to_string()))
}

fn state(text: &str) -> Result<State, String> {
    State::ALL
        .into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| format!("{text:?} must be one of {}", State::ALL.map(State::as_str).join(", ")))
}

fn unknown(field: &str, known: &str) -> String {
    format!("unknown field {field:?}: a filter can name {known}")
}

#[cfg(test)]
mod tests;
