//! CreateProject: a project, the account that owns its protected system key, and that key.

use domain::{
    Invalid,
    id::{ProjectId, RoleId, ServiceAccountId, generation},
    key::{Key, StoredSecret},
    labels::{Customer, Metadata},
    name::{KeyName, ProjectName},
    project::{Environments, KeyPolicy, Prefix, Project, Retention},
    role::built_in,
    service_account::ServiceAccount,
    text::{DisplayName, ExternalId},
    token::ApiKey,
};

use crate::{
    ports::write::Write,
    verbs::{Call, Caller, Error, Issued, KeyView, Service, attempt::AttemptError, step::Step},
};

#[derive(Debug, Clone)]
pub struct NewProject {
    pub id: ProjectId,
    pub display_name: DisplayName,
    pub prefix: Prefix,
    pub environments: Environments,
    pub retention: Retention,
    pub key_policy: KeyPolicy,
}

#[derive(Debug)]
pub struct CreatedProject {
    pub project: Project,
    pub system_key: Issued,
}

const ACTION: &str = "projects.create";

impl Service {
    pub async fn create_project(&self, call: &Call, new: &NewProject) -> Result<CreatedProject, Error> {
        Self::check_may_create(&call.caller, &new.id)?;
        let name = ProjectName(new.id.clone());
        let again = |_| self.created_before(&call.caller, &new.id);
        let created = self.once(call, ACTION, &name, || self.try_create_project(call, new), again).await;
        match created {
            // A project that exists but is not found is being deleted.
            Err(Error::AlreadyExists { resource }) if self.store.project(&new.id).await?.is_none() => {
                Err(Error::DeletionUnderWay { resource })
            }
            created => created,
        }
    }

    /// A project that the caller may not act on is none that it may create.
    pub fn check_may_create(caller: &Caller, id: &ProjectId) -> Result<(), Error> {
        if caller.may_act_on(id) {
            return Ok(());
        }
        Err(Error::ProjectDenied { project: ProjectName(id.clone()).to_string() })
    }

    async fn try_create_project(
        &self,
        call: &Call,
        new: &NewProject,
    ) -> Result<CreatedProject, AttemptError> {
        let now = self.clock.now();
        let roles = built_in(&new.id, now);
        let exists = |id: &RoleId| roles.iter().any(|role| role.id == *id);
        if let Some(unknown) = new.key_policy.allowed_roles.iter().find(|id| !exists(id)) {
            let why = Invalid::new(format!("has {unknown}, which a new project does not have"));
            return Err(Error::invalid("project.key_policy.allowed_roles", &why).into());
        }
        let key_id = self.new_key_id(now);
        let mut project = Project {
            id: new.id.clone(),
            display_name: new.display_name.clone(),
            prefix: new.prefix.clone(),
            environments: new.environments.clone(),
            retention: new.retention,
            key_policy: new.key_policy.clone(),
            system_key: key_id,
            create_time: now,
            update_time: now,
            revision: 0,
        };
        let (api_key, account, key) = self.system_key(call, &project);
        // One event is for all of them: every project is born with the same roles, and the project names its system key.
        let mut creation = Step::create(ACTION, project.clone(), now);
        for role in roles {
            creation = creation.and(Write::insert(role));
        }
        let creation = creation.and(Write::insert(account)).and(Write::insert(key.clone()));
        let mut key: KeyView = self.view(&call.caller, key, now).await?;
        let revision = self.commit(call, Vec::new(), creation).await?;
        project.revision = revision;
        key.key.revision = revision;
        let api_key = (!call.validate_only).then_some(api_key);
        Ok(CreatedProject { project, system_key: Issued { key, api_key, repeated: false } })
    }

    async fn created_before(&self, caller: &Caller, id: &ProjectId) -> Result<CreatedProject, Error> {
        let project = self.load_project(caller, id).await?;
        let name = KeyName { project: id.clone(), key: project.system_key };
        let key = self.get_key(caller, &name).await?;
        Ok(CreatedProject { project, system_key: Issued { key, api_key: None, repeated: true } })
    }

    /// The key that a project is born with, and its owner.
    fn system_key(&self, call: &Call, project: &Project) -> (ApiKey, ServiceAccount, Key) {
        let now = project.create_time;
        let id = project.system_key;
        let environment = project.environments.first();
        let token_prefix = project.token_prefix(environment);
        let (api_key, sealed) = self.new_secret(&token_prefix, id);
        let account = ServiceAccount {
            project: project.id.clone(),
            id: ServiceAccountId::of_system_key(&project.id),
            generation: generation(self.random.bytes()),
            display_name: system_name(&project.id),
            external_id: ExternalId::default(),
            metadata: Metadata::default(),
            created_by: call.caller.service_account(),
            create_time: now,
            update_time: now,
            disable_time: None,
            last_used_time: None,
            protected: true,
            implicit: false,
            revision: 0,
        };
        let key = Key {
            id,
            project: project.id.clone(),
            service_account: account.id.clone(),
            account_generation: account.generation,
            environment: environment.id.clone(),
            token_prefix,
            display_name: system_name(&project.id),
            roles: vec![role_of_system_key(&project.id)],
            permissions: Vec::new(),
            customers: projects_of_system_key(&project.id),
            allowed_cidrs: Vec::new(),
            metadata: Metadata::default(),
            tags: Vec::new(),
            created_by: call.caller.service_account(),
            create_time: now,
            update_time: now,
            expire_time: None,
            last_used_time: None,
            disable_time: None,
            revocation: None,
            deletion: None,
            protected: true,
            secrets: vec![StoredSecret::new(1, sealed, now)],
            revision: 0,
        };
        (api_key, account, key)
    }
}

/// The key of the system project is the first credential, and may do everything; the others are their tenants' own.
fn role_of_system_key(project: &ProjectId) -> RoleId {
    let role = if project.is_system() { "root" } else { "privileged" };
    role.parse().expect("it is a valid id")
}

fn projects_of_system_key(project: &ProjectId) -> Vec<Customer> {
    if project.is_system() { vec![all_projects()] } else { Vec::new() }
}

/// What stands for all projects among the customers of a key of the system project.
pub(in crate::verbs) fn all_projects() -> Customer {
    "*".parse().expect("it is a valid customer")
}

fn system_name(project: &ProjectId) -> DisplayName {
    let name = if project.is_system() { "Root" } else { "System key" };
    name.parse().expect("it is a valid name")
}
