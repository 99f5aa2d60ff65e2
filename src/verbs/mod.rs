//! What Keystile does: one file a verb, each from domain values to domain values.

mod allowance;
mod attempt;
mod audit;
mod bootstrap;
mod call;
mod change;
mod commit;
mod creator;
mod error;
mod grant;
mod housekeeping;
mod keys;
mod listing;
mod managed;
mod peppers;
mod projects;
mod removal;
mod roles;
mod service_accounts;
mod session;
mod step;
mod tasks;
mod upgrade;
mod verify;

use std::sync::Arc;

use crate::ports::{AdminStore, Changes, Clock, Random};

pub use audit::{ChainReport, ChainRequest, EventBatch, EventView, ListEvents};
pub use bootstrap::RootKey;
pub use call::{Call, Caller, Repeatable};
pub use creator::Creator;
pub use error::{Error, FieldFault, Lacking};
pub use housekeeping::Round;
pub use keys::{
    CountKeys, ExplainVerify, Explanation, Found, Issued, KeyPatch, KeyView, ListKeys, Lookup, LookupKey,
    NewKey, Subject,
};
pub use listing::Listing;
pub use peppers::{PepperReview, PepperUsage};
pub use projects::{CreatedProject, NewProject, ProjectPatch};
pub use roles::{ListRoles, NewRole, RolePatch, RoleView};
pub use service_accounts::{AccountPatch, AccountView, ListAccounts, NewServiceAccount};
pub use session::Session;
pub use upgrade::Upgraded;
pub use verify::{Decision, Miss, Proof, Verifier, VerifyRequest};

use domain::{
    digest::{Peppers, Secret},
    id::KeyId,
    judge::Prover,
    key::Sealed,
    mark::MarkKey,
    time::Timestamp,
    token::{self, ApiKey},
};
use tasks::Tasks;
use tokio::sync::Notify;

/// The verbs of the admin side.
#[derive(Debug, Clone)]
pub struct Service {
    store: Arc<dyn AdminStore>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    peppers: Arc<Peppers>,
    changes: Arc<dyn Changes>,
    /// Changes that are being made, whether or not their callers still wait.
    tasks: Tasks,
    /// Wakes housekeeping when there is work that need not wait for its next round.
    left_over: Arc<Notify>,
}

impl Service {
    pub fn new(
        store: Arc<dyn AdminStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        peppers: Arc<Peppers>,
        changes: Arc<dyn Changes>,
    ) -> Self {
        Self { store, clock, random, peppers, changes, tasks: Tasks::default(), left_over: Arc::default() }
    }

    /// Resolves once a call has left a removal to housekeeping.
    pub async fn left_over(&self) {
        self.left_over.notified().await;
    }

    /// Waits for the changes that are being made, once no more are asked for.
    pub async fn settled(&self) {
        self.tasks.settled().await;
    }

    /// A fresh secret for the key `id`: the API key to hand out, and what is kept of it.
    fn new_secret(&self, token_prefix: &str, id: KeyId) -> (ApiKey, Sealed) {
        let secret = Secret::new(self.random.bytes());
        let sealed = Sealed { digest: self.peppers.digest(id, &secret), pepper: self.peppers.newest() };
        (token::issue(token_prefix, id, &secret), sealed)
    }

    /// Nothing was proven here before, so any key of marks will do.
    fn prover(&self) -> Prover {
        Prover { peppers: self.peppers.clone(), mark_key: MarkKey::new(&self.random.bytes()) }
    }

    fn new_key_id(&self, now: Timestamp) -> KeyId {
        KeyId::new(now, self.random.bytes())
    }
}
