//! What Verify answers and why: an ordered table of checks, the first that fails decides.

use std::net::IpAddr;

use super::{
    Revision,
    digest::{Digest, Peppers},
    id::EnvironmentId,
    key::{Key, StoredSecret, is_past},
    labels::Customer,
    time::Timestamp,
    token::{Malformed, Token},
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
            Self::Malformed => "the text is no API key: it is damaged, cut off or mistyped",
            Self::NotFound => "no such API key",
            Self::Revoked => "the key is revoked",
            Self::Disabled => "the key is disabled",
            Self::Expired => "the key is expired",
            Self::OwnerDisabled => "the key's service account is disabled",
            Self::WrongEnvironment => "the key belongs to another environment",
            Self::IpNotAllowed => "the key may not be used from this address",
            Self::WrongCustomer => "the key does not work for this customer",
        }
    }
}

/// A key as Verify needs it: with what its owner adds.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub key: Key,
    pub owner_disabled: bool,
}

/// What the caller of Verify wants to know of an API key.
#[derive(Debug, Clone, Default)]
pub struct Question {
    pub environment: Option<EnvironmentId>,
    pub client_ip: Option<IpAddr>,
    pub customer: Option<Customer>,
}

/// The answer; `proof` is there when the API key was proven to be the key's.
#[derive(Debug, Clone)]
pub struct Decision {
    pub code: Code,
    pub proof: Option<Proof>,
    /// The state that it was decided on; unknown when nothing was looked up.
    pub revision: Option<Revision>,
}

#[derive(Debug, Clone)]
pub struct Proof {
    pub candidate: Candidate,
    pub secret_version: i32,
}

impl Decision {
    pub fn malformed(_why: Malformed) -> Self {
        Self {
            code: Code::Malformed,
            proof: None,
            revision: None,
        }
    }

    pub fn not_found(revision: Revision) -> Self {
        Self {
            code: Code::NotFound,
            proof: None,
            revision: Some(revision),
        }
    }
}

/// The living secret of `key` that `token` carries.
///
/// Every stored digest is compared, in constant time; a token whose prefix or environment tag is not
/// the key's own proves nothing.
pub fn prove<'k>(
    key: &'k Key,
    token: &Token<'_>,
    peppers: &Peppers,
    now: Timestamp,
) -> Option<&'k StoredSecret> {
    if token.head != key.head || key.deletion.is_some() {
        return None;
    }
    let mut proven = None;
    for secret in key.living_secrets(now) {
        let presented = peppers.digest_with(secret.pepper, key.id, &token.secret);
        if presented.is_some_and(|presented: Digest| presented.matches(&secret.digest)) {
            proven = Some(secret);
        }
    }
    proven
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
    Check {
        denies_with: Code::Revoked,
        passes: |it, _, _| it.key.revocation.is_none(),
    },
    Check {
        denies_with: Code::Disabled,
        passes: |it, _, _| it.key.disable_time.is_none(),
    },
    Check {
        denies_with: Code::Expired,
        passes: |it, _, now| !is_past(it.key.expire_time, now),
    },
    Check {
        denies_with: Code::OwnerDisabled,
        passes: |it, _, _| !it.owner_disabled,
    },
    Check {
        denies_with: Code::WrongEnvironment,
        passes: right_environment,
    },
    Check {
        denies_with: Code::IpNotAllowed,
        passes: allowed_address,
    },
    Check {
        denies_with: Code::WrongCustomer,
        passes: right_customer,
    },
];

fn right_environment(candidate: &Candidate, question: &Question, _now: Timestamp) -> bool {
    question
        .environment
        .as_ref()
        .is_none_or(|asked| *asked == candidate.key.environment)
}

/// A key with a list of networks needs an address in one of them; an IPv4 address that is mapped into
/// IPv6 counts as what it is.
fn allowed_address(candidate: &Candidate, question: &Question, _now: Timestamp) -> bool {
    let networks = &candidate.key.allowed_cidrs;
    networks.is_empty()
        || question.client_ip.is_some_and(|address| {
            let address = address.to_canonical();
            networks.iter().any(|network| network.contains(&address))
        })
}

fn right_customer(candidate: &Candidate, question: &Question, _now: Timestamp) -> bool {
    let customers = &candidate.key.customers;
    customers.is_empty()
        || question
            .customer
            .as_ref()
            .is_some_and(|customer| customers.contains(customer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_stand_in_the_order_of_the_codes() {
        assert!(CHECKS.is_sorted_by_key(|check| check.denies_with));
    }
}
