//! A decision explained: how each check came out, what was asked, what the key has, and what would help.

use std::{fmt::Display, sync::Arc};

use super::{
    access::{Endpoint, Expression},
    decision::{Case, Code, Question, checks},
    id::RoleId,
    role::Role,
    token::conceal,
};

/// One check of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// What the check denies with.
    pub code: Code,
    pub outcome: Outcome,
    /// One sentence for people; empty if the check was not reached.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed,
    NotReached,
}

/// So many entries of a list are shown.
const SHOWN: usize = 10;

/// Roles of the project that would help. Only their ids, because roles may be large.
#[derive(Debug, Default)]
pub struct HelpfulRoles {
    /// They grant some of the permissions that the key lacks.
    granting: Vec<RoleId>,
    /// They allow the endpoint.
    allowing: Vec<RoleId>,
}

impl HelpfulRoles {
    /// Notes `role` if it would help.
    pub fn consider(&mut self, case: Case<'_>, role: &Role) {
        let Question { permission, endpoint, .. } = case.question;
        let gains = |expression: &Arc<Expression>| {
            let missing = expression.missing(case.access);
            missing.iter().any(|name| role.permissions.iter().any(|grant| grant.allows(name.as_str())))
        };
        if permission.as_ref().is_some_and(gains) {
            self.granting.push(role.id.clone());
        }
        let matches = |endpoint: &Endpoint| role.endpoints.iter().any(|pattern| pattern.matches(endpoint));
        if endpoint.as_ref().is_some_and(matches) {
            self.allowing.push(role.id.clone());
        }
    }
}

/// Each check of a proven key with how it came out, and what would help.
pub fn explain(case: Case<'_>, roles: &HelpfulRoles) -> Vec<Explained> {
    let mut failed = false;
    let explained = |(code, passes): (Code, bool)| {
        let outcome = match (failed, passes) {
            (true, _) => Outcome::NotReached,
            (false, true) => Outcome::Passed,
            (false, false) => Outcome::Failed,
        };
        failed |= !passes;
        let detail = match outcome {
            Outcome::NotReached => String::new(),
            Outcome::Passed | Outcome::Failed => detail(code, passes, case, roles),
        };
        Explained { code, outcome, detail }
    };
    checks(case).map(explained).collect()
}

fn detail(code: Code, passes: bool, case: Case<'_>, roles: &HelpfulRoles) -> String {
    match code {
        Code::Revoked if passes => "the key is not revoked".into(),
        Code::Revoked => "the key is revoked, which is final: create another key".into(),
        Code::Disabled if passes => "the key is not disabled".into(),
        Code::Disabled => "the key is disabled until EnableKey".into(),
        Code::Expired => expiry(passes, case),
        Code::OwnerDisabled if passes => "the key's service account is not disabled".into(),
        Code::OwnerDisabled => "the key's service account is disabled until EnableServiceAccount".into(),
        Code::WrongEnvironment => environment(passes, case),
        Code::IpNotAllowed => address(passes, case),
        Code::WrongCustomer => customer(passes, case),
        Code::MissingPermission => permitted(passes, case, roles),
        Code::Valid | Code::Malformed | Code::NotFound => String::new(),
    }
}

fn expiry(passes: bool, case: Case<'_>) -> String {
    match case.policy.expire_time() {
        None => "the key never expires".into(),
        Some(end) if passes => format!("the key expires at {end}"),
        Some(end) => format!("the key expired at {end}; UpdateKey can move its expire_time"),
    }
}

fn environment(passes: bool, case: Case<'_>) -> String {
    let own = &case.policy.profile().environment;
    match &case.question.environment {
        None => format!("no environment was asked for; the key belongs to {own}"),
        Some(_) if passes => format!("the key belongs to {own}, as asked"),
        Some(asked) => format!("{asked} was asked for, and the key belongs to {own}"),
    }
}

fn address(passes: bool, case: Case<'_>) -> String {
    let networks = &case.policy.restrictions().allowed_cidrs;
    match case.question.client_ip {
        _ if networks.is_empty() => "the key lists no networks, so it is valid from everywhere".into(),
        None => format!("the request has no client_ip, and the key is valid only from {}", list(networks)),
        Some(address) if passes => format!("{address} is in one of {}", list(networks)),
        Some(address) => format!("{address} is in none of {}", list(networks)),
    }
}

fn customer(passes: bool, case: Case<'_>) -> String {
    let customers = &case.policy.restrictions().customers;
    match &case.question.customer {
        _ if case.policy.profile().project.is_system() => {
            "the customers of a key of projects/system are the projects that it may act on".into()
        }
        _ if customers.is_empty() => "the key lists no customers, so it is valid for all".into(),
        None => format!("the request has no customer, and the key is valid only for {}", list(customers)),
        Some(asked) if passes => format!("the key is valid for {asked}"),
        Some(asked) => format!("the key is valid for {}, and not for {asked}", list(customers)),
    }
}

fn permitted(passes: bool, case: Case<'_>, roles: &HelpfulRoles) -> String {
    let question = case.question;
    let (roles_held, permissions) = (list(case.access.roles()), list(case.access.permissions()));
    let held = format!("the key holds the roles {roles_held} and has the permissions {permissions}");
    let parts: Vec<_> = [
        question.permission.as_ref().map(|expression| permission(expression, case, roles)),
        question.endpoint.as_ref().map(|it| endpoint(it, case, roles)),
    ]
    .into_iter()
    .flatten()
    .collect();
    match parts.as_slice() {
        [] => "no permission and no endpoint were asked for".into(),
        parts if passes => parts.join("; "),
        parts => format!("{}; {held}", parts.join("; ")),
    }
}

fn permission(expression: &Expression, case: Case<'_>, roles: &HelpfulRoles) -> String {
    let missing = expression.missing(case.access);
    let excluded = expression.excluded(case.access);
    if expression.is_allowed_by(case.access) {
        return format!("the key's permissions satisfy {expression}");
    }
    let mut text = format!("the key's permissions do not satisfy {expression}");
    if !missing.is_empty() {
        text += &format!(": it lacks {}", list(&missing));
        text += &helpful("grant some of that", &roles.granting);
    }
    if !excluded.is_empty() {
        let also = if missing.is_empty() { ": it" } else { ", and" };
        text += &format!("{also} has {}, under a NOT", list(&excluded));
    }
    text
}

fn endpoint(endpoint: &Endpoint, case: Case<'_>, roles: &HelpfulRoles) -> String {
    let path = match endpoint.path() {
        Ok(path) => path,
        Err(ambiguity) => {
            return format!("the path is ambiguous, and so denied to every key: it {ambiguity}");
        }
    };
    // A path may have an API key in it.
    let asked = conceal(&format!("{} {path}", endpoint.method()));
    let asked = asked.trim_start();
    if case.access.allows_endpoint(endpoint) {
        return format!("a role allows {asked}");
    }
    let helpful = helpful("allow it", &roles.allowing);
    format!("no role of the key allows {asked}{helpful}")
}

/// Roles of the project that would help.
fn helpful(how: &str, roles: &[RoleId]) -> String {
    if roles.is_empty() { String::new() } else { format!(" (roles that {how}: {})", list(roles)) }
}

/// The first entries of a list.
fn list(entries: &[impl Display]) -> String {
    if entries.is_empty() {
        return "(none)".into();
    }
    let shown: Vec<_> = entries.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = entries.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests;
