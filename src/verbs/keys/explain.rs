//! ExplainVerify: every check of a verification, and how it comes out.

use domain::{
    access::Access,
    credential::Credential,
    decision::{Case, Code, Question, checked_codes},
    explain::{Explained, Outcome, explain, would_help},
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
                    return Ok(Explanation::ends_at(Code::NotFound));
                };
                let question = &request.question;
                let case = Case { policy: &credential.policy, access: &access, question, now };
                self.explain(&request.project, case).await
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
            return Ok(Explanation::ends_at(Code::Malformed));
        };
        if let Some(judgement) = judge_unread(&presented) {
            return Ok(Explanation::ends_at(judgement.code));
        }
        let key = self.store.key(&request.project, presented.id()).await?;
        let known = self.known(key).await?;
        let known = known.as_ref().map(|(credential, access)| (credential, access));
        let prover = self.prover();
        let judgement = judge(&prover, known, &presented, question, now);
        match known {
            Some((credential, access)) if judgement.secret.is_some() => {
                let case = Case { policy: &credential.policy, access, question, now };
                self.explain(&request.project, case).await
            }
            _ => Ok(Explanation::ends_at(judgement.code)),
        }
    }

    async fn explain(&self, project: &ProjectId, case: Case<'_>) -> Result<Explanation, Error> {
        let explained = explain(case, &[]);
        let lacks = |it: &Explained| it.code == Code::MissingPermission && it.outcome == Outcome::Failed;
        if !explained.iter().any(lacks) {
            return Ok(Explanation::of(explained));
        }
        // Few at a time, because roles may be large; of all roles, those that would help.
        const PORTION: u64 = 50;
        let order = Order { by: RoleOrder::CreateTime, descending: false };
        let (mut after, mut helpful) = (None, Vec::new());
        loop {
            let page = Page { size: PORTION, order, after };
            let roles = self.store.roles(project, &Filter::everything(), page).await?;
            let Some(last) = roles.last() else { break };
            after = Some(cursor(last, RoleOrder::CreateTime));
            helpful.extend(roles.into_iter().filter(|role| would_help(case, role)));
        }
        Ok(Explanation::of(explain(case, &helpful)))
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
    fn of(checks: Vec<Explained>) -> Self {
        let failed = checks.iter().find(|it| it.outcome == Outcome::Failed);
        let code = failed.map_or(Code::Valid, |it| it.code);
        let identity = IDENTITY.map(|code| explained(code, Outcome::Passed));
        Self { code, checks: identity.into_iter().chain(checks).collect() }
    }

    fn ends_at(code: Code) -> Self {
        let outcome = |check: Code| match check.cmp(&code) {
            std::cmp::Ordering::Less => Outcome::Passed,
            std::cmp::Ordering::Equal => Outcome::Failed,
            std::cmp::Ordering::Greater => Outcome::NotReached,
        };
        let codes = IDENTITY.into_iter().chain(checked_codes());
        Self { code, checks: codes.map(|it| explained(it, outcome(it))).collect() }
    }
}

/// A check of the API key itself, of which no more is said than Verify says.
fn explained(code: Code, outcome: Outcome) -> Explained {
    let detail = match (code, outcome) {
        (_, Outcome::NotReached) => "",
        (Code::Malformed, Outcome::Passed) => "the text has the form of an API key",
        (Code::NotFound, Outcome::Passed) => "the API key belongs to the key",
        (_, Outcome::Passed) => "",
        (failed, Outcome::Failed) => failed.message(),
    };
    Explained { code, outcome, detail: detail.to_owned() }
}
