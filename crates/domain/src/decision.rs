//! The codes of Verify, and the ordered table of checks that decides between them: the first that fails.

use std::net::IpAddr;

use super::{id::EnvironmentId, key::is_past, labels::Customer, policy::Policy, time::Timestamp};

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
}

impl Code {
    pub const ALL: [Self; 10] = [
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
            Self::WrongEnvironment | Self::IpNotAllowed | Self::WrongCustomer => 403,
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
        }
    }
}

/// What the caller of Verify wants to know of an API key.
#[derive(Debug, Clone, Default)]
pub struct Question {
    pub environment: Option<EnvironmentId>,
    pub client_ip: Option<IpAddr>,
    pub customer: Option<Customer>,
}

/// The code of the first check that `policy` fails, or [`Code::Valid`].
pub fn decide(policy: &Policy, question: &Question, now: Timestamp) -> Code {
    CHECKS
        .iter()
        .find(|check| !(check.passes)(policy, question, now))
        .map_or(Code::Valid, |check| check.denies_with)
}

/// Each check with how it came out.
pub fn explain(policy: &Policy, question: &Question, now: Timestamp) -> Vec<(Code, Outcome)> {
    let mut failed = false;
    let mut outcomes = Vec::with_capacity(CHECKS.len());
    for check in CHECKS {
        let outcome = if failed {
            Outcome::NotReached
        } else if (check.passes)(policy, question, now) {
            Outcome::Passed
        } else {
            failed = true;
            Outcome::Failed
        };
        outcomes.push((check.denies_with, outcome));
    }
    outcomes
}

/// What the checks of a proven key deny with, in their order.
pub fn checked_codes() -> impl Iterator<Item = Code> {
    CHECKS.iter().map(|check| check.denies_with)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed,
    NotReached,
}

struct Check {
    denies_with: Code,
    passes: fn(&Policy, &Question, Timestamp) -> bool,
}

/// Every check of a proven key, in the order of the codes.
const CHECKS: &[Check] = &[
    Check { denies_with: Code::Revoked, passes: |it, _, _| !it.restrictions().revoked },
    Check { denies_with: Code::Disabled, passes: |it, _, _| !it.restrictions().disabled },
    Check { denies_with: Code::Expired, passes: |it, _, now| !is_past(it.expire_time(), now) },
    Check { denies_with: Code::OwnerDisabled, passes: |it, _, _| !it.restrictions().owner_disabled },
    Check { denies_with: Code::WrongEnvironment, passes: right_environment },
    Check { denies_with: Code::IpNotAllowed, passes: allowed_address },
    Check { denies_with: Code::WrongCustomer, passes: right_customer },
];

fn right_environment(policy: &Policy, question: &Question, _now: Timestamp) -> bool {
    question.environment.as_ref().is_none_or(|asked| *asked == policy.profile().environment)
}

/// A key with a list of networks needs an address in one of them; an IPv4 address that is mapped into
/// IPv6 counts as IPv4.
fn allowed_address(policy: &Policy, question: &Question, _now: Timestamp) -> bool {
    let networks = &policy.restrictions().allowed_cidrs;
    networks.is_empty()
        || question.client_ip.is_some_and(|address| {
            let address = address.to_canonical();
            networks.iter().any(|network| network.contains(&address))
        })
}

fn right_customer(policy: &Policy, question: &Question, _now: Timestamp) -> bool {
    let customers = &policy.restrictions().customers;
    customers.is_empty() || question.customer.as_ref().is_some_and(|customer| customers.contains(customer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_in_its_place() {
        assert!(Code::ALL.iter().enumerate().all(|(at, code)| *code as usize == at));
    }

    #[test]
    fn checks_stand_in_the_order_of_the_codes() {
        assert!(CHECKS.is_sorted_by_key(|check| check.denies_with));
    }
}
