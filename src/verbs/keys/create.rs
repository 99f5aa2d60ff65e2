//! CreateKey: a new key, its first secret, and its service account when none is named.

use domain::{
    Invalid,
    audit::Actor,
    describe,
    expiry::Expiry,
    id::{EnvironmentId, KeyId, ProjectId, ServiceAccountId},
    key::{Key, StoredSecret},
    labels::{Customer, Metadata, Tag},
    name::{KeyName, ServiceAccountName},
    project::Project,
    service_account::{ServiceAccount, generation},
    text::{DisplayName, ExternalId},
    time::Timestamp,
};
use ipnet::IpNet;

use crate::{
    ports::store::{Expect, Write},
    verbs::{
        Call, Error, FieldFault, Issued, Service,
        change::{Failed, Step, Target},
        service_accounts::creation_of as creation_of_account,
    },
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
        let again = |target| self.issued_before(target);
        self.once(call, ACTION, &name, || self.try_create_key(call, &new, &name), again).await
    }

    async fn try_create_key(&self, call: &Call, new: &NewKey, name: &KeyName) -> Result<Issued, Failed> {
        let now = self.clock.now();
        let project = self.load_project(&new.project).await?;
        let (head, expire_time) = check_new_key(&project, new, now)?;

        let mut expect = vec![Expect::ProjectUnchanged(project.id, project.revision)];
        let mut steps = Vec::new();
        let (service_account, account_generation) = match &new.service_account {
            Some(id) => {
                let owner = ServiceAccountName { project: new.project.clone(), service_account: id.clone() };
                let account = self.load_account(&owner).await?;
                expect.push(Expect::ServiceAccount(account.project, id.clone(), account.generation));
                (account.id, account.generation)
            }
            None => {
                let account = self.account_for(new, &call.actor, now);
                let owner = (account.id.clone(), account.generation);
                steps.push(creation_of_account(account));
                owner
            }
        };

        let (api_key, sealed) = self.new_secret(&head, name.key);
        let key = Key {
            id: name.key,
            project: new.project.clone(),
            service_account,
            account_generation,
            environment: new.environment.clone(),
            head,
            display_name: new.display_name.clone(),
            customers: new.customers.clone(),
            allowed_cidrs: new.allowed_cidrs.clone(),
            metadata: new.metadata.clone(),
            tags: new.tags.clone(),
            created_by: call.creator(),
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
        let mut view = self.view_key(key.clone(), now).await?;
        steps.push(creation_of(&key));
        let asked = steps.len() - 1;
        view.key.revision = match self.commit_together(call, expect, steps, asked).await {
            // It was there a moment ago: reading again tells that it is not.
            Err(Failed::For(Error::OwnerGone { .. })) => return Err(Failed::Stale),
            Err(Failed::For(Error::AlreadyExists { .. })) => {
                return Err(self.key_id_taken(name).await?.into());
            }
            committed => committed?[asked],
        };
        let api_key = (!call.validate_only).then_some(api_key);
        Ok(Issued { key: view, api_key, repeated: false })
    }

    fn account_for(&self, new: &NewKey, actor: &Actor, now: Timestamp) -> ServiceAccount {
        ServiceAccount {
            project: new.project.clone(),
            id: ServiceAccountId::generated(now, self.random.bytes()),
            generation: generation(self.random.bytes()),
            display_name: new.display_name.clone(),
            external_id: ExternalId::default(),
            metadata: Metadata::default(),
            created_by: actor.service_account().cloned(),
            create_time: now,
            update_time: now,
            disable_time: None,
            last_used_time: None,
            protected: false,
            implicit: true,
            revision: 0,
        }
    }

    /// Ids of keys are taken for all projects together: what is not there in its own project is nobody's business.
    async fn key_id_taken(&self, name: &KeyName) -> Result<Error, Error> {
        let here = self.store.key(&name.project, name.key).await?.is_some();
        let resource = if here { name.to_string() } else { format!("projects/-/keys/{}", name.key) };
        Ok(Error::AlreadyExists { resource })
    }

    /// The answer to a request that made or rotated the key `target` before.
    pub(in crate::verbs) async fn issued_before(&self, target: String) -> Result<Issued, Error> {
        let name: KeyName = target.parse().map_err(|_| Error::NotFound { resource: target })?;
        Ok(Issued { key: self.get_key(&name).await?, api_key: None, repeated: true })
    }
}

/// The step of a commit that creates `key`.
fn creation_of(key: &Key) -> Step {
    let name = KeyName { project: key.project.clone(), key: key.id };
    let target = Target {
        action: ACTION,
        project: key.project.clone(),
        name: name.to_string(),
        before: None,
        after: Some(describe::key(key)),
        time: key.create_time,
    };
    (target, vec![Write::InsertKey(key.clone())])
}

/// What only the project and the clock can tell of a new key: how its API keys begin, and its end.
fn check_new_key(
    project: &Project,
    new: &NewKey,
    now: Timestamp,
) -> Result<(String, Option<Timestamp>), Error> {
    if project.id.is_system() && !new.customers.is_empty() {
        return Err(Error::NotYetAvailable { field: "key.customers".to_owned() });
    }
    let environment = project.environments.get(&new.environment).ok_or_else(|| {
        let known: Vec<_> = project.environments.iter().map(|it| it.id.as_str()).collect();
        let why = Invalid::new(format!("must be one of the project's environments: {}", known.join(", ")));
        FieldFault::new("key.environment", &why)
    });
    let expire_time = new.expiry.resolve(now).map_err(|why| FieldFault::new(expiry_field(new.expiry), &why));
    match (environment, expire_time) {
        (Ok(environment), Ok(expire_time)) => Ok((project.head(environment), expire_time)),
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
