//! Ids of keys, projects, service accounts, roles and environments.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use super::{Invalid, base62, time::Timestamp};

/// A key's public id: a UUIDv7, written as 22 characters of base62.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Uuid);

impl KeyId {
    /// A new id, ordered by `now`; `random` makes it unique.
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    pub fn from_uuid(uuid: Uuid) -> Result<Self, Invalid> {
        if uuid.get_version_num() == 7 && uuid.get_variant() == uuid::Variant::RFC4122 {
            Ok(Self(uuid))
        } else {
            Err(Invalid::new("must be a UUIDv7"))
        }
    }

    pub fn as_uuid(self) -> Uuid {
        self.0
    }

    pub(super) fn from_base62(text: &[u8]) -> Option<Self> {
        Self::from_uuid(Uuid::from_u128(base62::decode(text)?)).ok()
    }

    pub(super) fn encode_into(self, text: &mut String) {
        base62::encode_into(text, self.0.as_u128(), base62::WIDTH_128);
    }
}

impl FromStr for KeyId {
    type Err = Invalid;

    /// Accepts base62, or the hyphenated form of a UUID.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.len() {
            base62::WIDTH_128 => Self::from_base62(text.as_bytes()),
            36 => Uuid::try_parse(text).ok().and_then(|uuid| Self::from_uuid(uuid).ok()),
            _ => None,
        }
        .ok_or_else(|| Invalid::new("must be a UUIDv7, written as 22 base62 characters or with hyphens"))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(base62::WIDTH_128);
        self.encode_into(&mut text);
        f.write_str(&text)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A string type whose values passed `check`.
macro_rules! checked_string {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $crate::id::read_string! {
            $(#[$doc])*
            $name, text => {
                $check(text)?;
                text.into()
            }
        }
    };
}
pub(super) use checked_string;

/// A string type whose values are the results of `read`, which may fail, for `text`.
macro_rules! read_string {
    ($(#[$doc:meta])* $name:ident, $text:ident => $read:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            #[inline]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Invalid;

            fn from_str($text: &str) -> Result<Self, Self::Err> {
                Ok(Self($read))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(super) use read_string;

checked_string! {
    /// A project's id, as in `projects/{project}`.
    ProjectId, slug
}
checked_string! {
    /// A service account's id within its project.
    ServiceAccountId, slug
}
checked_string! {
    /// A role's id within its project.
    RoleId, slug
}
checked_string! {
    /// The id of one of a project's environments, such as `production`.
    EnvironmentId, environment_id
}

impl ProjectId {
    /// The built-in project, whose API keys are the credentials of Keystile's own callers.
    pub fn system() -> Self {
        Self("system".into())
    }

    pub fn is_system(&self) -> bool {
        self.as_str() == "system"
    }
}

impl ServiceAccountId {
    /// A generated id: a UUIDv7, hyphenated.
    pub fn generated(now: Timestamp, random: [u8; 10]) -> Self {
        Self(KeyId::new(now, random).0.hyphenated().to_string().into())
    }

    /// The account that owns a project's system key.
    pub fn of_system_key(project: &ProjectId) -> Self {
        Self(if project.is_system() { "root" } else { "system" }.into())
    }
}

/// Whether `text` is `first` followed by up to `most - 1` of `rest`.
pub(super) fn shaped(text: &str, most: usize, first: fn(u8) -> bool, rest: fn(u8) -> bool) -> bool {
    text.len() <= most && text.bytes().next().is_some_and(first) && text.bytes().all(rest)
}

fn lower_or_digit(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn lower_digit_or_hyphen(byte: u8) -> bool {
    lower_or_digit(byte) || byte == b'-'
}

fn slug(text: &str) -> Result<(), Invalid> {
    if shaped(text, 63, lower_or_digit, lower_digit_or_hyphen) && !text.ends_with('-') {
        return Ok(());
    }
    Err(Invalid::new("must be 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end"))
}

fn environment_id(text: &str) -> Result<(), Invalid> {
    if shaped(text, 31, |byte| byte.is_ascii_lowercase(), lower_digit_or_hyphen) {
        return Ok(());
    }
    Err(Invalid::new("must be 1 to 31 lower-case letters, digits and hyphens, and begin with a letter"))
}

/// Tells accounts apart that had the same id one after the other: drawn at random when one is created, 0 for those
/// from before there were generations.
pub type Generation = i64;

/// The generation that is made of `random` bytes; never 0.
pub fn generation(random: [u8; 8]) -> Generation {
    (i64::from_be_bytes(random) & Generation::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_reads_back_from_both_of_its_forms() {
        let id = KeyId::new(Timestamp::from_micros(1_800_000_000_000_000), [7; 10]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.as_uuid().hyphenated().to_string().parse(), Ok(id));
    }

    #[test]
    fn a_key_id_is_a_uuid_of_version_7_only() {
        assert!("936da01f-9abd-4d9d-80c7-02af85c822a8".parse::<KeyId>().is_err());
        assert!("01890a5d-ac96-774b-bcce-b302099a8057".parse::<KeyId>().is_ok());
        assert!("01890a5d-ac96-774b-0cce-b302099a8057".parse::<KeyId>().is_err(), "of another variant");
        assert!("0000000000000000000000".parse::<KeyId>().is_err());
        assert!("billing".parse::<KeyId>().is_err());
    }

    #[test]
    fn later_keys_have_greater_ids() {
        let early = KeyId::new(Timestamp::from_micros(1_000_000), [255; 10]);
        let late = KeyId::new(Timestamp::from_micros(2_000_000), [0; 10]);
        assert!(early < late && early.to_string() < late.to_string());
    }

    #[test]
    fn slugs_have_only_their_characters() {
        for good in ["a", "acme", "7-up", "a-b"] {
            assert!(good.parse::<ProjectId>().is_ok(), "{good}");
        }
        for bad in ["", "-", "a-", "-a", "Acme", "a_b", "a/b", &"a".repeat(64)] {
            assert!(bad.parse::<ProjectId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn generations_are_positive_and_keep_the_random_bits() {
        for (random, expected) in [
            ([0; 8], 1),
            ([0xff; 8], i64::MAX),
            ([0x80, 0, 0, 0, 0, 0, 0, 7], 7),
            ([0, 0, 0, 0, 0, 0, 1, 0], 256),
        ] {
            assert_eq!(generation(random), expected, "{random:?}");
        }
    }

    #[test]
    fn environment_ids_begin_with_a_letter() {
        for good in ["a", "qa", "production", "eu-1", "a-", &"a".repeat(31)] {
            assert!(good.parse::<EnvironmentId>().is_ok(), "{good}");
        }
        for bad in ["", "1a", "-a", "Qa", "a_b", "a b", &"a".repeat(32)] {
            assert!(bad.parse::<EnvironmentId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_is_shown_as_it_is_written() {
        let id = KeyId::new(Timestamp::from_micros(0), [1; 10]);
        assert_eq!(format!("{id:?}"), format!("KeyId({id})"));
    }

    #[test]
    fn the_owner_of_a_projects_system_key_has_a_fixed_name() {
        let acme: ProjectId = "acme".parse().unwrap();
        for (project, is_system, owner) in [(ProjectId::system(), true, "root"), (acme, false, "system")] {
            assert_eq!(project.is_system(), is_system);
            assert_eq!(ServiceAccountId::of_system_key(&project).as_str(), owner);
        }
    }

    #[test]
    fn a_generated_account_id_is_a_uuid_of_version_7() {
        let (now, random) = (Timestamp::from_micros(1_800_000_000_000_000), [7; 10]);
        let id = ServiceAccountId::generated(now, random);
        assert_eq!(id.as_str().parse(), Ok(KeyId::new(now, random)));
        assert_eq!(id.as_str().len(), 36);
    }
}
