//! ExplainVerify: every check of a verification, and how it comes out.

use crate::{
    domain::{
        decision::{Candidate, Code, Outcome, Question, checked_codes, explain, prove},
        id::ProjectId,
        key::Key,
        name::KeyName,
        token::{ApiKey, Token},
    },
    service::{Error, Service},
};

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
    pub checks: Vec<(Code, Outcome)>,
}

impl Service {
    pub async fn explain_verify(&self, request: &ExplainVerify) -> Result<Explanation, Error> {
        self.load_project(&request.project).await?;
        let key = match &request.subject {
            Subject::Key(name) => self.load_key(name).await?,
            Subject::ApiKey(api_key) => match self.proven_key(&request.project, api_key).await? {
                Ok(key) => key,
                Err(code) => return Ok(Explanation::ends_at(code)),
            },
        };
        if key.deletion.is_some() {
            return Ok(Explanation::ends_at(Code::NotFound));
        }
        let owner = self
            .store
            .service_account(&key.project, &key.service_account)
            .await?;
        let candidate = Candidate {
            key,
            owner_disabled: owner.is_none_or(|it| it.disable_time.is_some()),
        };
        Ok(Explanation::of(&explain(
            &candidate,
            &request.question,
            self.clock.now(),
        )))
    }

    /// The key of `project` that `api_key` proves, or the code that a Verify would answer.
    async fn proven_key(
        &self,
        project: &ProjectId,
        api_key: &ApiKey,
    ) -> Result<Result<Key, Code>, Error> {
        let Ok(token) = Token::parse(api_key) else {
            return Ok(Err(Code::Malformed));
        };
        let key = self.store.key(project, token.id).await?;
        let proven =
            key.filter(|key| prove(key, &token, &self.peppers, self.clock.now()).is_some());
        Ok(proven.ok_or(Code::NotFound))
    }
}

/// The checks that come before those of a proven key.
const IDENTITY: [Code; 2] = [Code::Malformed, Code::NotFound];

impl Explanation {
    fn of(checks: &[(Code, Outcome)]) -> Self {
        let failed = checks
            .iter()
            .find(|(_, outcome)| *outcome == Outcome::Failed);
        let identity = IDENTITY.map(|code| (code, Outcome::Passed));
        Self {
            code: failed.map_or(Code::Valid, |(code, _)| *code),
            checks: identity.iter().chain(checks).copied().collect(),
        }
    }

    fn ends_at(code: Code) -> Self {
        let outcome = |check: Code| match check.cmp(&code) {
            std::cmp::Ordering::Less => Outcome::Passed,
            std::cmp::Ordering::Equal => Outcome::Failed,
            std::cmp::Ordering::Greater => Outcome::NotReached,
        };
        Self {
            code,
            checks: IDENTITY
                .into_iter()
                .chain(checked_codes())
                .map(|it| (it, outcome(it)))
                .collect(),
        }
    }
}
