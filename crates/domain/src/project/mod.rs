//! The project: the tenant that owns everything below it.

mod key_policy;

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Invalid, Revision,
    id::{EnvironmentId, KeyId, ProjectId, checked_string, shaped},
    name::ProjectName,
    resource::{Kind, Resource},
    text::DisplayName,
    time::{DAY, Timestamp},
};

pub use key_policy::{KeyPolicy, PolicyField};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    pub id: ProjectId,
    pub display_name: DisplayName,
    pub prefix: Prefix,
    pub environments: Environments,
    /// How long a deleted key can be brought back.
    pub retention: Retention,
    /// What its keys must comply with.
    pub key_policy: KeyPolicy,
    /// The protected key that the project was born with.
    pub system_key: KeyId,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
    pub revision: Revision,
}

impl Project {
    /// What every API key of `environment` begins with, as in `acme_live`.
    pub fn token_prefix(&self, environment: &Environment) -> String {
        format!("{}_{}", self.prefix, environment.tag)
    }
}

impl Resource for Project {
    const KIND: Kind = Kind("projects");
    type Name = ProjectName;

    fn name(&self) -> ProjectName {
        ProjectName(self.id.clone())
    }

    fn project(&self) -> &ProjectId {
        &self.id
    }

    fn revision(&self) -> Revision {
        self.revision
    }

    fn describe(&self) -> Value {
        let environment = |it: &Environment| json!({ "id": it.id.as_str(), "tag": it.tag.as_str() });
        json!({
            "display_name": self.display_name.as_str(),
            "prefix": self.prefix.as_str(),
            "environments": self.environments.iter().map(environment).collect::<Vec<_>>(),
            "deleted_key_retention_seconds": self.retention.as_duration().as_secs(),
            "key_policy": self.key_policy.describe(),
            "system_key": self.system_key.to_string(),
        })
    }
}

checked_string! {
    /// What a project's API keys begin with.
    Prefix, prefix
}

impl Prefix {
    /// That of the system project, whose API keys are the credentials of Keystile's own callers.
    pub fn system() -> Self {
        Self("keystile".into())
    }

    /// For a tenant's project: any but the system project's, which people and secret scanners know it by.
    pub fn for_tenant(self) -> Result<Self, Invalid> {
        if self == Self::system() {
            return Err(Invalid::new(format!("must not be {self}, which is reserved for projects/system")));
        }
        Ok(self)
    }
}

checked_string! {
    /// How an environment shows in API keys.
    EnvironmentTag, environment_tag
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub id: EnvironmentId,
    pub tag: EnvironmentTag,
}

/// The environments of a project: at least one, no id and no tag twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environments(Vec<Environment>);

impl Environments {
    const MOST: usize = 20;

    pub fn get(&self, id: &EnvironmentId) -> Option<&Environment> {
        self.0.iter().find(|environment| environment.id == *id)
    }

    pub fn first(&self) -> &Environment {
        &self.0[0]
    }

    pub fn iter(&self) -> impl Iterator<Item = &Environment> {
        self.0.iter()
    }

    /// The environments that `next` no longer has with the same tag: no key may be in them.
    pub fn dropped_in<'a>(&'a self, next: &'a Self) -> impl Iterator<Item = &'a Environment> {
        self.0.iter().filter(|old| next.get(&old.id).is_none_or(|new| new.tag != old.tag))
    }
}

impl TryFrom<Vec<Environment>> for Environments {
    type Error = Invalid;

    fn try_from(list: Vec<Environment>) -> Result<Self, Invalid> {
        if list.is_empty() || list.len() > Self::MOST {
            return Err(Invalid::new(format!("must have 1 to {} entries", Self::MOST)));
        }
        for (at, environment) in list.iter().enumerate() {
            if list[..at].iter().any(|other| other.id == environment.id) {
                return Err(Invalid::new(format!("contains the id {} twice", environment.id)));
            }
            if list[..at].iter().any(|other| other.tag == environment.tag) {
                return Err(Invalid::new(format!("contains the tag {} twice", environment.tag)));
            }
        }
        Ok(Self(list))
    }
}

impl Default for Environments {
    fn default() -> Self {
        let environment = |id: &str, tag: &str| Environment {
            id: id.parse().expect("a default id is valid"),
            tag: tag.parse().expect("a default tag is valid"),
        };
        Self(vec![
            environment("production", "live"),
            environment("staging", "stage"),
            environment("development", "dev"),
        ])
    }
}

/// How long deleted keys are kept: up to ten years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention(Duration);

impl Retention {
    pub fn as_duration(self) -> Duration {
        self.0
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self(30 * DAY)
    }
}

impl TryFrom<Duration> for Retention {
    type Error = Invalid;

    fn try_from(span: Duration) -> Result<Self, Invalid> {
        if span > 3650 * DAY {
            return Err(Invalid::new("must be at most 3650 days"));
        }
        // Whole seconds: what the database holds.
        Ok(Self(Duration::from_secs(span.as_secs())))
    }
}

fn lower_or_digit(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn prefix(text: &str) -> Result<(), Invalid> {
    if text.len() >= 2 && shaped(text, 16, |byte| byte.is_ascii_lowercase(), lower_or_digit) {
        return Ok(());
    }
    Err(Invalid::new("must be 2 to 16 lower-case letters and digits, and begin with a letter"))
}

fn environment_tag(text: &str) -> Result<(), Invalid> {
    if shaped(text, 10, |byte| byte.is_ascii_lowercase(), lower_or_digit) {
        return Ok(());
    }
    Err(Invalid::new("must be 1 to 10 lower-case letters and digits, and begin with a letter"))
}

#[cfg(test)]
mod tests;
