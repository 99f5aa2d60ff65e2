//! ExplainVerify: every check of a verification, and how it comes out.

use domain::{
    access::Access,
    credential::Credential,
    decision::{Case, Code, Question, checked_codes},
    explain::{Explained, HelpfulRoles, Outcome, explain},
    filter::Filter,
    id::ProjectId,
    judge::{judge, judge_unread},
    key::Key,
    name::KeyName,
    page::{Order, Page},
    query::RoleOrder,
    time::Timestamp,
    token::{ApiKey, Presented},
};

use crate::verbs::{Caller, Error, Service, roles::cursor};

#[derive(Debug)]
pub struct ExplainVerify {
    pub project: ProjectId,
    pub subject: Subject,
    pub question: Question,
}

#[derive(Debug)]
pub enum Subject {
    ApiKey(ApiKey),
    /// As if the API key were known to be the key's.
    Key(KeyName),
}

#[derive(Debug)]
pub struct Explanation {
    pub code: Code,
    pub checks: Vec<Explained>,
}

impl Service {
    pub async fn explain_verify(
        &self,
        caller: &Caller,
        request: &ExplainVerify,
    ) -> Result<Explanation, Error> {
        self.load_project(caller, &request.project).await?;
        let now = self.clock.now();
        match &request.subject {
            Subject::ApiKey(api_key) => self.explain_api_key(request, api_key, now).await,
            Subject::Key(name) => {
                let known = self.known(Some(self.load(caller, name).await?)).await?;
                let Some((credential, access)) = known else {
                    return Ok(Explanation::ends_at(Code::NotFound, &request.subject));
                };
                let question = &request.question;
                let case = Case { policy: &credential.policy, access: &access, question, now };
                self.explain(request, case).await
            }
        }
    }

    async fn explain_api_key(
        &self,
        request: &ExplainVerify,
        api_key: &ApiKey,
        now: Timestamp,
    ) -> Result<Explanation, Error> {
        let question = &request.question;
        let Ok(presented) = Presented::new(api_key.clone()) else {
            return Ok(Explanation::ends_at(Code::Malformed, &request.subject));
        };
        if let Some(judgement) = judge_unread(&presented) {
            return Ok(Explanation::ends_at(judgement.code, &request.subject));
        }
        let key = self.store.key(&request.project, presented.id()).await?;
        let known = self.known(key).await?;
        let known = known.as_ref().map(|(credential, access)| (credential, access));
        let prover = self.prover();
        let judgement = judge(&prover, known, &presented, question, now);
        match known {
            Some((credential, access)) if judgement.secret.is_some() => {
                let case = Case { policy: &credential.policy, access, question, now };
                self.explain(request, case).await
            }
            _ => Ok(Explanation::ends_at(judgement.code, &request.subject)),
        }
    }

    async fn explain(&self, request: &ExplainVerify, case: Case<'_>) -> Result<Explanation, Error> {
        let explained = explain(case, &HelpfulRoles::default());
        let lacks = |it: &Explained| it.code == Code::MissingPermission && it.outcome == Outcome::Failed;
        if !explained.iter().any(lacks) {
            return Ok(Explanation::of(explained, &request.subject));
        }
        // Few at a time, because roles may be large.
        const PORTION: u64 = 50;
        let order = Order { by: RoleOrder::CreateTime, descending: false };
        let (mut after, mut helpful) = (None, HelpfulRoles::default());
        loop {
            let page = Page { size: PORTION, order, after };
            let roles = self.store.roles(&request.project, &Filter::everything(), page).await?;
            let Some(last) = roles.last() else { break };
            after = Some(cursor(last, RoleOrder::CreateTime));
            roles.iter().for_each(|role| helpful.consider(case, role));
        }
        Ok(Explanation::of(explain(case, &helpful), &request.subject))
    }

    /// `key` as a Verify would read it now, and what it may do.
    async fn known(&self, key: Option<Key>) -> Result<Option<(Credential, Access)>, Error> {
        let Some(key) = key else { return Ok(None) };
        let owner = self.store.service_account(&key.project, &key.service_account).await?;
        let Some(owner) = owner.filter(|it| it.owns(&key)) else { return Ok(None) };
        let Some(credential) = Credential::new(&key, owner.disable_time.is_some()) else { return Ok(None) };
        let roles = self.store.roles_named(&key.project, &key.roles).await?;
        Ok(Some((credential, Access::of(&roles, &key.permissions))))
    }
}

/// The checks that come before those of a proven key.
const IDENTITY: [Code; 2] = [Code::Malformed, Code::NotFound];

impl Explanation {
    fn of(checks: Vec<Explained>, subject: &Subject) -> Self {
        let failed = checks.iter().find(|it| it.outcome == Outcome::Failed);
        let code = failed.map_or(Code::Valid, |it| it.code);
        let identity = IDENTITY.map(|code| identity(code, Outcome::Passed, subject));
        Self { code, checks: identity.into_iter().chain(checks).collect() }
    }

    fn ends_at(code: Code, subject: &Subject) -> Self {
        let outcome = |check: Code| match check.cmp(&code) {
            std::cmp::Ordering::Less => Outcome::Passed,
            std::cmp::Ordering::Equal => Outcome::Failed,
            std::cmp::Ordering::Greater => Outcome::NotReached,
        };
        let codes = IDENTITY.into_iter().chain(checked_codes());
        Self { code, checks: codes.map(|it| identity(it, outcome(it), subject)).collect() }
    }
}

/// A check of what `subject` is. Of an API key no more is said than Verify says.
fn identity(code: Code, outcome: Outcome, subject: &Subject) -> Explained {
    let detail = match (code, outcome, subject) {
        (_, Outcome::NotReached, _) => "",
        (Code::Malformed, Outcome::Passed, Subject::ApiKey(_)) => "the text has the form of an API key",
        (Code::Malformed, Outcome::Passed, Subject::Key(_)) => "the key was named, so no API key was read",
        (Code::NotFound, Outcome::Passed, Subject::ApiKey(_)) => "the API key belongs to the key",
        (Code::NotFound, Outcome::Passed, Subject::Key(_)) => "the key and its service account exist",
        (Code::NotFound, Outcome::Failed, Subject::Key(_)) => "the key or its service account is deleted",
        (_, Outcome::Passed, _) => "",
        (failed, Outcome::Failed, _) => failed.message(),
    };
    Explained { code, outcome, detail: detail.to_owned() }
}
