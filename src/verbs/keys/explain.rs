//! ExplainVerify: every check of a verification, and how it comes out.

use domain::{
    candidate::Candidate,
    decision::{Code, Outcome, Question, checked_codes, explain},
    id::ProjectId,
    key::Key,
    name::KeyName,
    token::{ApiKey, Token},
};

use crate::verbs::{Caller, Error, Service};

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
    pub async fn explain_verify(
        &self,
        caller: &Caller,
        request: &ExplainVerify,
    ) -> Result<Explanation, Error> {
        self.load_project(caller, &request.project).await?;
        let token = match &request.subject {
            Subject::Key(_) => None,
            Subject::ApiKey(api_key) => match Token::parse(api_key) {
                Ok(token) => Some(token),
                Err(_) => return Ok(Explanation::ends_at(Code::Malformed)),
            },
        };
        let key = match (&request.subject, &token) {
            (Subject::Key(name), _) => Some(self.load(caller, name).await?),
            (_, Some(token)) => self.store.key(&request.project, token.id).await?,
            (_, None) => None,
        };
        let now = self.clock.now();
        let Some(candidate) = self.candidate(key).await? else {
            return Ok(Explanation::ends_at(Code::NotFound));
        };
        if token.is_some_and(|token| candidate.prove(&token, &self.peppers, now).is_none()) {
            return Ok(Explanation::ends_at(Code::NotFound));
        }
        Ok(Explanation::of(&explain(&candidate, &request.question, now)))
    }

    /// `key` as a Verify would see it now.
    async fn candidate(&self, key: Option<Key>) -> Result<Option<Candidate>, Error> {
        let Some(key) = key else { return Ok(None) };
        let owner = self.store.service_account(&key.project, &key.service_account).await?;
        let Some(owner) = owner.filter(|it| it.owns(&key)) else { return Ok(None) };
        Ok(Candidate::new(&key, owner.disable_time.is_some(), &[]))
    }
}

/// The checks that come before those of a proven key.
const IDENTITY: [Code; 2] = [Code::Malformed, Code::NotFound];

impl Explanation {
    fn of(checks: &[(Code, Outcome)]) -> Self {
        let failed = checks.iter().find(|(_, outcome)| *outcome == Outcome::Failed);
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
            checks: IDENTITY.into_iter().chain(checked_codes()).map(|it| (it, outcome(it))).collect(),
        }
    }
}
