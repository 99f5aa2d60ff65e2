//! What Verify answers and why: an ordered table of checks, the first that fails decides.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{
    Revision, candidate::Candidate, id::EnvironmentId, key::is_past, labels::Customer, time::Timestamp,
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

/// The answer.
#[derive(Debug)]
pub struct Decision {
    pub code: Code,
    /// There when the API key was proven to be the key's.
    pub proof: Option<Proof>,
    /// The state that it was decided on; 0 when nothing was looked up.
    pub revision: Revision,
    /// How long ago that state was known to be the newest.
    pub age: Duration,
    /// The change log could not be followed of late.
    pub degraded: bool,
}

#[derive(Debug)]
pub struct Proof {
    pub candidate: Arc<Candidate>,
    pub secret_version: i32,
}

impl Decision {
    pub fn malformed() -> Self {
        Self { code: Code::Malformed, proof: None, revision: 0, age: Duration::ZERO, degraded: false }
    }
}

/// The first check that `candidate` fails, or [`Code::Valid`].
pub fn decide(candidate: &Candidate, question: &Question, now: Timestamp) -> Code {
    CHECKS
        .iter()
        .find(|check| !(check.passes)(candidate, question, now))
        .map_or(Code::Valid, |check| check.denies_with)
}

/// Each check with how it came out.
pub fn explain(candidate: &Candidate, question: &Question, now: Timestamp) -> Vec<(Code, Outcome)> {
    let mut failed = false;
    let mut outcomes = Vec::with_capacity(CHECKS.len());
    for check in CHECKS {
        let outcome = if failed {
            Outcome::NotReached
        } else if (check.passes)(candidate, question, now) {
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
    passes: fn(&Candidate, &Question, Timestamp) -> bool,
}

/// Every check of a proven key, in the order of the codes.
const CHECKS: &[Check] = &[
    Check { denies_with: Code::Revoked, passes: |it, _, _| !it.revoked },
    Check { denies_with: Code::Disabled, passes: |it, _, _| !it.disabled },
    Check { denies_with: Code::Expired, passes: |it, _, now| !is_past(it.expire_time(), now) },
    Check { denies_with: Code::OwnerDisabled, passes: |it, _, _| !it.owner_disabled },
    Check { denies_with: Code::WrongEnvironment, passes: right_environment },
    Check { denies_with: Code::IpNotAllowed, passes: allowed_address },
    Check { denies_with: Code::WrongCustomer, passes: right_customer },
];

fn right_environment(candidate: &Candidate, question: &Question, _now: Timestamp) -> bool {
    question.environment.as_ref().is_none_or(|asked| asked.as_str().as_bytes() == candidate.environment())
}

/// A key with a list of networks needs an address in one of them; an IPv4 address that is mapped into
/// IPv6 counts as what it is.
fn allowed_address(candidate: &Candidate, question: &Question, _now: Timestamp) -> bool {
    let networks = candidate.allowed_cidrs();
    networks.is_empty()
        || question.client_ip.is_some_and(|address| {
            let address = address.to_canonical();
            networks.iter().any(|network| network.contains(&address))
        })
}

fn right_customer(candidate: &Candidate, question: &Question, _now: Timestamp) -> bool {
    let customers = candidate.customers();
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
