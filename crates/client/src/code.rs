//! Why an API key is denied.

use std::fmt::{self, Display, Formatter};

use proto::Code;

/// Why an API key is denied. There is no value for "valid": that is [`Decision::Valid`](crate::Decision::Valid).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenialCode {
    /// The text is not an API key, or is damaged.
    Malformed,
    /// Unknown or deleted key, wrong or ended secret, or not this caller's project; the answer is the same for all.
    NotFound,
    /// Revoked for good.
    Revoked,
    /// Disabled until it is enabled again.
    Disabled,
    /// Its time of expiry has come.
    Expired,
    /// Its service account is disabled.
    OwnerDisabled,
    /// It belongs to another environment.
    WrongEnvironment,
    /// The bearer's address is in none of the key's networks, or was not sent.
    IpNotAllowed,
    /// It does not work for this customer.
    WrongCustomer,
    /// Its grants do not satisfy the permission or the endpoint.
    MissingPermission,
    /// A limit has too few tokens left.
    RateLimited,
    /// The balance is smaller than the cost.
    CreditsExhausted,
    /// A code of a newer server: a denial, too.
    Unknown(i32),
}

impl DenialCode {
    /// `None` for a valid API key.
    pub(crate) fn read(code: i32) -> Option<Self> {
        Some(match Code::try_from(code) {
            Ok(Code::Valid) => return None,
            Ok(Code::Malformed) => Self::Malformed,
            Ok(Code::NotFound) => Self::NotFound,
            Ok(Code::Revoked) => Self::Revoked,
            Ok(Code::Disabled) => Self::Disabled,
            Ok(Code::Expired) => Self::Expired,
            Ok(Code::OwnerDisabled) => Self::OwnerDisabled,
            Ok(Code::WrongEnvironment) => Self::WrongEnvironment,
            Ok(Code::IpNotAllowed) => Self::IpNotAllowed,
            Ok(Code::WrongCustomer) => Self::WrongCustomer,
            Ok(Code::MissingPermission) => Self::MissingPermission,
            Ok(Code::RateLimited) => Self::RateLimited,
            Ok(Code::CreditsExhausted) => Self::CreditsExhausted,
            Ok(Code::Unspecified) | Err(_) => Self::Unknown(code),
        })
    }

    /// The code's name in the contract, without its prefix: `RATE_LIMITED`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "MALFORMED",
            Self::NotFound => "NOT_FOUND",
            Self::Revoked => "REVOKED",
            Self::Disabled => "DISABLED",
            Self::Expired => "EXPIRED",
            Self::OwnerDisabled => "OWNER_DISABLED",
            Self::WrongEnvironment => "WRONG_ENVIRONMENT",
            Self::IpNotAllowed => "IP_NOT_ALLOWED",
            Self::WrongCustomer => "WRONG_CUSTOMER",
            Self::MissingPermission => "MISSING_PERMISSION",
            Self::RateLimited => "RATE_LIMITED",
            Self::CreditsExhausted => "CREDITS_EXHAUSTED",
            Self::Unknown(_) => "UNKNOWN",
        }
    }
}

impl Display for DenialCode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_unique_name_and_only_one_is_valid() {
        assert_eq!(DenialCode::read(Code::Valid as i32), None);
        for number in 2..=13 {
            let name = Code::try_from(number).unwrap().as_str_name();
            assert_eq!(format!("CODE_{}", DenialCode::read(number).unwrap()), name);
        }
        assert!(Code::try_from(14).is_err(), "a new code needs a value here");
    }

    #[test]
    fn an_unknown_code_is_a_denial() {
        for number in [0, 14, 9_999, -1] {
            assert_eq!(DenialCode::read(number), Some(DenialCode::Unknown(number)));
        }
    }
}
