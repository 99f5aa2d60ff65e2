//! The first start, and root keys.

use domain::{
    expiry::Expiry,
    id::{ProjectId, RoleId, ServiceAccountId},
    labels::Metadata,
    name::KeyName,
    project::{Environments, KeyPolicy, Prefix, Retention},
    text::DisplayName,
    token::ApiKey,
};

use crate::verbs::{Call, Caller, Error, NewKey, NewProject, Service, projects::all_projects};

/// A key of the system project with the role `root` for all projects: it may do everything.
#[derive(Debug)]
pub struct RootKey {
    pub name: KeyName,
    pub api_key: ApiKey,
}

impl Service {
    /// Makes the system project when there is none, and answers with its root key that once.
    pub async fn bootstrap(&self) -> Result<Option<RootKey>, Error> {
        let system = ProjectId::system();
        if self.store.project(&system).await?.is_some() {
            return Ok(None);
        }
        let new = NewProject {
            id: system.clone(),
            display_name: name("Keystile"),
            prefix: Prefix::system(),
            environments: Environments::default(),
            retention: Retention::default(),
            key_policy: KeyPolicy::default(),
        };
        match self.create_project(&Call::own(), &new).await {
            Ok(created) => Ok(created.system_key.api_key.map(|api_key| RootKey {
                name: KeyName { project: system, key: created.project.system_key },
                api_key,
            })),
            // Another replica was first.
            Err(Error::AlreadyExists { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Mints one more root key; those before it stay.
    pub async fn mint_root_key(&self) -> Result<RootKey, Error> {
        if let Some(first) = self.bootstrap().await? {
            return Ok(first);
        }
        let project = ProjectId::system();
        let environment =
            self.load_project(&Caller::keystile(), &project).await?.environments.first().id.clone();
        let new = NewKey {
            id: None,
            service_account: Some(ServiceAccountId::of_system_key(&project)),
            environment,
            display_name: name("Root, minted at the command line"),
            roles: vec![root_role()],
            permissions: Vec::new(),
            customers: vec![all_projects()],
            allowed_cidrs: Vec::new(),
            metadata: Metadata::default(),
            tags: Vec::new(),
            expiry: Expiry::Never,
            project,
        };
        let issued = self.create_key(&Call::own(), new).await?;
        let key = issued.key.key;
        Ok(RootKey {
            name: KeyName { project: key.project, key: key.id },
            api_key: issued.api_key.expect("a new key comes with its API key"),
        })
    }
}

/// The role that may do everything.
pub(super) fn root_role() -> RoleId {
    "root".parse().expect("it is a valid id")
}

fn name(text: &str) -> DisplayName {
    text.parse().expect("it is a valid name")
}
