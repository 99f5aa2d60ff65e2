//! LookupKey: the key behind a pasted API key, its masked form, or an id.

use domain::{
    Invalid,
    credential::Credential,
    id::KeyId,
    key::Key,
    name::{KeyName, Scope},
    token::{ApiKey, Token, unmask},
};

use crate::verbs::{Caller, Error, KeyView, Service};

#[derive(Debug)]
pub struct LookupKey {
    pub scope: Scope,
    pub lookup: Lookup,
}

#[derive(Debug)]
pub enum Lookup {
    ApiKey(ApiKey),
    Masked(String),
    Id(KeyId),
}

#[derive(Debug)]
pub struct Found {
    pub key: KeyView,
    /// The living secret that the API key carries.
    pub secret_version: Option<i32>,
}

impl Service {
    pub async fn lookup_key(&self, caller: &Caller, request: &LookupKey) -> Result<Found, Error> {
        let now = self.clock.now();
        let token = match &request.lookup {
            Lookup::ApiKey(api_key) => Some(
                Token::parse(api_key)
                    .map_err(|why| Error::invalid("api_key", &Invalid::new(why.to_string())))?,
            ),
            Lookup::Masked(_) | Lookup::Id(_) => None,
        };
        let id = match &request.lookup {
            Lookup::Id(id) => *id,
            Lookup::Masked(text) => unmask(text)
                .map_err(|why| Error::invalid("masked_api_key", &Invalid::new(why.to_string())))?,
            Lookup::ApiKey(_) => token.as_ref().expect("it was parsed above").id,
        };
        let key = match &request.scope {
            Scope::All => {
                let key = self.store.key_in_any_project(id).await?;
                self.unless_purged(key)
                    .filter(|key| caller.may_act_on(&key.project))
                    .ok_or_else(|| Error::NotFound { resource: format!("projects/-/keys/{id}") })?
            }
            Scope::Project(project) => {
                self.load_project(caller, project).await?;
                self.load::<Key>(caller, &KeyName { project: project.clone(), key: id }).await?
            }
        };
        let secret_version = token.and_then(|token| {
            let credential = Credential::new(&key, false)?;
            credential.prove(&token, &self.peppers, now).map(|secret| secret.version)
        });
        Ok(Found { key: self.view(caller, key, now).await?, secret_version })
    }
}
