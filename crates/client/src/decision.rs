//! What Keystile decided, as types that cannot be mistaken for one another.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use http::StatusCode;
use proto::VerifyResponse;

use crate::code::DenialCode;

/// What Keystile decided about an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "only `Valid` lets its bearer in"]
pub enum Decision {
    /// Let its bearer in.
    Valid(Identity),
    /// Do not admit the request.
    Denied(Denial),
}

/// Who presents a valid API key, and what is known about the key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The key's name, `projects/{project}/keys/{key}`.
    pub key: String,
    /// The name of the service account that owns the key.
    pub service_account: String,
    /// The key's display name.
    pub display_name: String,
    /// The id of the key's environment.
    pub environment: String,
    /// The ids of the key's roles, sorted.
    pub roles: Vec<String>,
    /// What the key may do, by its roles and directly: sorted, each once.
    pub permissions: Vec<String>,
    /// The customers that the key works for; empty if it does not depend on the customer.
    pub customers: Vec<String>,
    /// The key's metadata.
    pub metadata: BTreeMap<String, String>,
    /// The key's tags.
    pub tags: Vec<String>,
    /// When the key expires, if ever.
    pub expire_time: Option<SystemTime>,
    /// The version of the secret that was presented.
    pub secret_version: i32,
    /// The key has a newer secret: its bearer should change to that one.
    pub secret_superseded: bool,
    /// What the decision rests on.
    pub basis: Basis,
}

/// Why an API key is denied, and what to answer to its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denial {
    /// The reason.
    pub code: DenialCode,
    /// What to answer over HTTP: 401, 403 or 429; 403 for what this client does not know.
    pub http_status: StatusCode,
    /// The reason in one English sentence; for people, its wording may change.
    pub message: String,
    /// When a retry may pass.
    pub retry_after: Option<Duration>,
    /// The key's name; empty if no key was found.
    pub key: String,
    /// The name of the service account that owns the key; empty if no key was found.
    pub service_account: String,
    /// What the decision rests on.
    pub basis: Basis,
}

/// What a decision rests on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Basis {
    /// The position in the change log; 0 for a malformed API key, which is decided by its text only.
    pub revision: i64,
    /// How long ago the node last knew that its data was current.
    pub age: Duration,
    /// The node cannot follow the change log at the moment, and decides from its cache.
    pub degraded: bool,
}

impl Decision {
    /// The identity of a valid API key.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Valid(identity) => Some(identity),
            Self::Denied(_) => None,
        }
    }

    /// What the decision rests on.
    pub fn basis(&self) -> Basis {
        match self {
            Self::Valid(identity) => identity.basis,
            Self::Denied(denial) => denial.basis,
        }
    }

    pub(crate) fn read(answer: VerifyResponse) -> Self {
        let basis = Basis {
            revision: answer.revision,
            age: answer.decision_age.and_then(|it| it.try_into().ok()).unwrap_or_default(),
            degraded: answer.degraded,
        };
        match DenialCode::read(answer.code) {
            Some(code) => Self::Denied(Denial {
                code,
                http_status: denied_status(answer.http_status),
                message: answer.message,
                retry_after: answer.retry_after.and_then(|it| it.try_into().ok()),
                key: answer.key,
                service_account: answer.service_account,
                basis,
            }),
            None => Self::Valid(Identity {
                key: answer.key,
                service_account: answer.service_account,
                display_name: answer.display_name,
                environment: answer.environment,
                roles: answer.roles,
                permissions: answer.permissions,
                customers: answer.customers,
                metadata: answer.metadata,
                tags: answer.tags,
                expire_time: answer.expire_time.and_then(|it| it.try_into().ok()),
                secret_version: answer.secret_version,
                secret_superseded: answer.secret_superseded,
                basis,
            }),
        }
    }
}

impl Denial {
    /// A denial with nothing but its code and status, for what answers in a client's place in a test.
    pub fn new(code: DenialCode, http_status: StatusCode) -> Self {
        Self {
            code,
            http_status,
            message: String::new(),
            retry_after: None,
            key: String::new(),
            service_account: String::new(),
            basis: Basis::default(),
        }
    }
}

/// A denial is never answered with a success, whatever the server says.
fn denied_status(http_status: i32) -> StatusCode {
    let status = u16::try_from(http_status).ok().and_then(|it| StatusCode::from_u16(it).ok());
    status.filter(StatusCode::is_client_error).unwrap_or(StatusCode::FORBIDDEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_never_has_a_success_status() {
        for (said, answered) in [(401, 401), (429, 429), (0, 403), (200, 403), (302, 403), (-1, 403)] {
            let answer = VerifyResponse { code: 9_999, http_status: said, ..Default::default() };
            let Decision::Denied(denial) = Decision::read(answer) else { panic!("{said} is a success") };
            assert_eq!(denial.http_status, answered);
        }
    }
}
