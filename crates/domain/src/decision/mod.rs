//! The codes of Verify, and the ordered table of checks that decides between them: the first that fails.

use std::{net::IpAddr, sync::Arc};

use super::{
    access::{Access, Ambiguity, Endpoint, Expression},
    id::EnvironmentId,
    key::is_past,
    labels::Customer,
    policy::Policy,
    time::Timestamp,
};

/// The codes, in the order in which they are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    Valid,
    Malformed,
    NotFound,
    Revoked,
    Disabled,
    Expired,
    OwnerDisabled,
    WrongEnvironment,
    IpNotAllowed,
    WrongCustomer,
    MissingPermission,
}

impl Code {
    pub const ALL: [Self; 11] = [
        Self::Valid,
        Self::Malformed,
        Self::NotFound,
        Self::Revoked,
        Self::Disabled,
        Self::Expired,
        Self::OwnerDisabled,
        Self::WrongEnvironment,
        Self::IpNotAllowed,
        Self::WrongCustomer,
        Self::MissingPermission,
    ];

    /// What a gateway should answer its own caller.
    pub fn http_status(self) -> i32 {
        match self {
            Self::Valid => 200,
            Self::Malformed
            | Self::NotFound
            | Self::Revoked
            | Self::Disabled
            | Self::Expired
            | Self::OwnerDisabled => 401,
            Self::WrongEnvironment | Self::IpNotAllowed | Self::WrongCustomer | Self::MissingPermission => {
                403
            }
        }
    }

    pub fn message(self) -> &'static str {
        match self {
            Self::Valid => "the API key is valid",
            Self::Malformed => "the text is not an API key: it is mistyped, truncated or damaged",
            Self::NotFound => "no such API key",
            Self::Revoked => "the key is revoked",
            Self::Disabled => "the key is disabled",
            Self::Expired => "the key is expired",
            Self::OwnerDisabled => "the key's service account is disabled",
            Self::WrongEnvironment => "the key belongs to another environment",
            Self::IpNotAllowed => "the key is not valid from this address",
            Self::WrongCustomer => "the key is not valid for this customer",
            Self::MissingPermission => "the key does not have the permission, or may not call the endpoint",
        }
    }
}

/// What the caller of Verify asks about an API key.
#[derive(Debug, Clone, Default)]
pub struct Question {
    pub environment: Option<EnvironmentId>,
    pub client_ip: Option<IpAddr>,
    pub customer: Option<Customer>,
    pub permission: Option<Arc<Expression>>,
    pub endpoint: Option<Endpoint>,
}

impl Question {
    /// Why the path of the endpoint is denied whatever the key may do.
    pub fn ambiguity(&self) -> Option<Ambiguity> {
        self.endpoint.as_ref().and_then(|endpoint| endpoint.path().err())
    }
}

/// What a decision rests on: the key, what it may do, and the question.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    pub policy: &'a Policy,
    pub access: &'a Access,
    pub question: &'a Question,
    pub now: Timestamp,
}

/// The code of the first check that `case` fails, or [`Code::Valid`].
pub fn decide(case: Case<'_>) -> Code {
    CHECKS.iter().find(|check| !(check.passes)(case)).map_or(Code::Valid, |check| check.denies_with)
}

/// What each check of a proven key denies with, and whether `case` passes it, in their order.
pub(super) fn checks(case: Case<'_>) -> impl Iterator<Item = (Code, bool)> {
    CHECKS.iter().map(move |check| (check.denies_with, (check.passes)(case)))
}

/// What the checks of a proven key deny with, in their order.
pub fn checked_codes() -> impl Iterator<Item = Code> {
    CHECKS.iter().map(|check| check.denies_with)
}

struct Check {
    denies_with: Code,
    passes: fn(Case<'_>) -> bool,
}

/// Every check of a proven key, in the order of the codes.
const CHECKS: &[Check] = &[
    Check { denies_with: Code::Revoked, passes: |it| !it.policy.restrictions().revoked },
    Check { denies_with: Code::Disabled, passes: |it| !it.policy.restrictions().disabled },
    Check { denies_with: Code::Expired, passes: |it| !is_past(it.policy.expire_time(), it.now) },
    Check { denies_with: Code::OwnerDisabled, passes: |it| !it.policy.restrictions().owner_disabled },
    Check { denies_with: Code::WrongEnvironment, passes: right_environment },
    Check { denies_with: Code::IpNotAllowed, passes: allowed_address },
    Check { denies_with: Code::WrongCustomer, passes: right_customer },
    Check { denies_with: Code::MissingPermission, passes: permitted },
];

fn right_environment(Case { policy, question, .. }: Case<'_>) -> bool {
    question.environment.as_ref().is_none_or(|asked| *asked == policy.profile().environment)
}

/// A key with a list of networks needs an address in one of them; an IPv4 address that is mapped into
/// IPv6 counts as IPv4.
fn allowed_address(Case { policy, question, .. }: Case<'_>) -> bool {
    let networks = &policy.restrictions().allowed_cidrs;
    networks.is_empty()
        || question.client_ip.is_some_and(|address| {
            let address = address.to_canonical();
            networks.iter().any(|network| network.contains(&address))
        })
}

fn right_customer(Case { policy, question, .. }: Case<'_>) -> bool {
    let customers = &policy.restrictions().customers;
    // Those of a key of the system project are the projects that it may act on.
    policy.profile().project.is_system()
        || customers.is_empty()
        || question.customer.as_ref().is_some_and(|customer| customers.contains(customer))
}

/// What is not asked for is not missing; if both a permission and an endpoint are, both are needed.
fn permitted(Case { access, question, .. }: Case<'_>) -> bool {
    question.permission.as_ref().is_none_or(|expression| expression.is_allowed_by(access))
        && question.endpoint.as_ref().is_none_or(|endpoint| access.allows_endpoint(endpoint))
}

#[cfg(test)]
mod tests;
