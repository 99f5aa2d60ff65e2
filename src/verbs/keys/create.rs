//! CreateKey: a new key, its first secret, and its service account when none is named.

use domain::{
    Invalid,
    access::Grant,
    expiry::Expiry,
    id::{EnvironmentId, KeyId, ProjectId, RoleId, ServiceAccountId, generation},
    key::{Key, StoredSecret},
    labels::{Customer, Metadata, Tag},
    name::{KeyName, ServiceAccountName},
    project::Project,
    service_account::ServiceAccount,
    text::{DisplayName, ExternalId},
    time::Timestamp,
};
use ipnet::IpNet;

use super::{
    grants::{check_projects, expect_roles},
    policy::expected_by_policy,
};

use crate::{
    ports::commits::Expect,
    verbs::{Call, Caller, Error, FieldFault, Issued, Service, attempt::AttemptError, service_accounts},
};

#[derive(Debug, Clone)]
pub struct NewKey {
    pub project: ProjectId,
    /// Generated when absent.
    pub id: Option<KeyId>,
    /// Made with the key when absent.
    pub service_account: Option<ServiceAccountId>,
    pub environment: EnvironmentId,
    pub display_name: DisplayName,
    pub roles: Vec<RoleId>,
    pub permissions: Vec<Grant>,
    pub customers: Vec<Customer>,
    pub allowed_cidrs: Vec<IpNet>,
    pub metadata: Metadata,
    pub tags: Vec<Tag>,
    pub expiry: Expiry,
}

const ACTION: &str = "keys.create";

impl Service {
    pub async fn create_key(&self, call: &Call, new: NewKey) -> Result<Issued, Error> {
        let id = new.id.unwrap_or_else(|| self.new_key_id(self.clock.now()));
        let name = KeyName { project: new.project.clone(), key: id };
        let again = |target| self.issued_before(&call.caller, target);
        self.once(call, ACTION, &name, || self.try_create_key(call, &new, &name), again).await
    }

    async fn try_create_key(
        &self,
        call: &Call,
        new: &NewKey,
        name: &KeyName,
    ) -> Result<Issued, AttemptError> {
        let now = self.clock.now();
        let project = self.load_project(&call.caller, &new.project).await?;
        let (token_prefix, expire_time) = check_new_key(&project, new, now)?;

        self.check_roles("key.roles", &new.project, &new.roles).await?;
        let mut expect = expect_roles(&new.project, &new.roles);
        let mut steps = Vec::new();
        let (service_account, account_generation) = match &new.service_account {
            Some(id) => {
                let owner = ServiceAccountName { project: new.project.clone(), service_account: id.clone() };
                let account: ServiceAccount = self.load(&call.caller, &owner).await?;
                expect.push(Expect::Owner(owner, account.generation));
                (account.id, account.generation)
            }
            None => {
                let account = self.account_for(new, call, now);
                let owner = (account.id.clone(), account.generation);
                steps.push(service_accounts::creation(account, now));
                owner
            }
        };

        let (api_key, sealed) = self.new_secret(&token_prefix, name.key);
        let key = Key {
            id: name.key,
            project: new.project.clone(),
            service_account,
            account_generation,
            environment: new.environment.clone(),
            token_prefix,
            display_name: new.display_name.clone(),
            roles: new.roles.clone(),
            permissions: new.permissions.clone(),
            customers: new.customers.clone(),
            allowed_cidrs: new.allowed_cidrs.clone(),
            metadata: new.metadata.clone(),
            tags: new.tags.clone(),
            created_by: call.caller.service_account(),
            create_time: now,
            update_time: now,
            expire_time,
            last_used_time: None,
            disable_time: None,
            revocation: None,
            deletion: None,
            protected: false,
            secrets: vec![StoredSecret::new(1, sealed, now)],
            revision: 0,
        };
        // What Keystile creates by itself is a root key: a policy must not keep an operator from getting in.
        expect.extend(match call.caller.session() {
            Some(_) => expected_by_policy(&project, &key, false, None, now)?,
            None => vec![Expect::unchanged(project)],
        });
        let key = match self.try_create(call, ACTION, key, expect, steps, now).await {
            // It was there a moment ago: reading again finds that it is not.
            Err(AttemptError::Final(Error::OwnerGone { .. })) => return Err(AttemptError::Stale),
            Err(AttemptError::Final(Error::AlreadyExists { .. })) => {
                return Err(self.key_id_taken(name).await?.into());
            }
            created => created?,
        };
        let api_key = (!call.validate_only).then_some(api_key);
        Ok(Issued { key, api_key, repeated: false })
    }

    fn account_for(&self, new: &NewKey, call: &Call, now: Timestamp) -> ServiceAccount {
        ServiceAccount {
            project: new.project.clone(),
            id: ServiceAccountId::generated(now, self.random.bytes()),
            generation: generation(self.random.bytes()),
            display_name: new.display_name.clone(),
            external_id: ExternalId::default(),
            metadata: Metadata::default(),
            created_by: call.caller.service_account(),
            create_time: now,
            update_time: now,
            disable_time: None,
            last_used_time: None,
            protected: false,
            implicit: true,
            revision: 0,
        }
    }

    /// The ids of keys are unique over all projects. If the id is taken in another project, the error does not name that.
    async fn key_id_taken(&self, name: &KeyName) -> Result<Error, Error> {
        let here = self.store.key(&name.project, name.key).await?.is_some();
        let resource = if here { name.to_string() } else { format!("projects/-/keys/{}", name.key) };
        Ok(Error::AlreadyExists { resource })
    }

    /// The answer to a request that made or rotated the key `target` before.
    pub(in crate::verbs) async fn issued_before(
        &self,
        caller: &Caller,
        target: String,
    ) -> Result<Issued, Error> {
        Ok(Issued { key: self.get_made::<Key>(caller, target).await?, api_key: None, repeated: true })
    }
}

/// What depends on the project and the clock: the token prefix of a new key, and its expiry.
fn check_new_key(
    project: &Project,
    new: &NewKey,
    now: Timestamp,
) -> Result<(String, Option<Timestamp>), Error> {
    if project.id.is_system() {
        check_projects(&new.customers)?;
    }
    let environment = project.environments.get(&new.environment).ok_or_else(|| {
        let known: Vec<_> = project.environments.iter().map(|it| it.id.as_str()).collect();
        let why = Invalid::new(format!("must be one of the project's environments: {}", known.join(", ")));
        FieldFault::new("key.environment", &why)
    });
    let expire_time = new.expiry.resolve(now).map_err(|why| FieldFault::new(expiry_field(new.expiry), &why));
    match (environment, expire_time) {
        (Ok(environment), Ok(expire_time)) => Ok((project.token_prefix(environment), expire_time)),
        (environment, expire_time) => {
            Err(Error::Invalid(environment.err().into_iter().chain(expire_time.err()).collect()))
        }
    }
}

pub(super) fn expiry_field(expiry: Expiry) -> &'static str {
    match expiry {
        Expiry::In(_) => "key.ttl",
        Expiry::At(_) | Expiry::Never => "key.expire_time",
    }
}
