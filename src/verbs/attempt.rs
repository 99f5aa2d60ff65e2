//! Attempts at a change: again when something came between, and not at all when the request was seen before.

use super::{Call, Error, Service};

/// How many attempts a change has when something else comes between each time.
const ATTEMPTS: u32 = 8;

/// Why an attempt at a change did not go through.
pub(super) enum AttemptError {
    /// Something came between: read again and try once more.
    Stale,
    Final(Error),
}

impl<E: Into<Error>> From<E> for AttemptError {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

/// Calls `attempt` until nothing came between, within reason.
pub(super) async fn until_settled<T, F>(resource: &impl ToString, attempt: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, AttemptError>>,
{
    for _ in 0..ATTEMPTS {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(AttemptError::Stale) => {}
            Err(AttemptError::Final(error)) => return Err(error),
        }
    }
    Err(Error::Conflict { resource: resource.to_string() })
}

impl Service {
    /// Calls `attempt` until nothing came between, within reason. If the request was seen before, nothing is attempted:
    /// `again` answers, from the name of what the first one was about.
    pub(super) async fn once<T, A, R>(
        &self,
        call: &Call,
        action: &str,
        resource: &impl ToString,
        attempt: impl Fn() -> A,
        again: impl Fn(String) -> R,
    ) -> Result<T, Error>
    where
        A: Future<Output = Result<T, AttemptError>>,
        R: Future<Output = Result<T, Error>>,
    {
        let (attempt, again) = (&attempt, &again);
        let once = || async move {
            if let Some(target) = self.repeated(call, action).await? {
                return Ok(again(target).await?);
            }
            match attempt().await {
                Err(AttemptError::Final(error @ (Error::Store(_) | Error::OutcomeUnknown { .. }))) => {
                    Err(AttemptError::Final(error))
                }
                // The error may be due to the change that the first call has made meanwhile.
                Err(AttemptError::Final(error)) => match self.repeated(call, action).await? {
                    Some(target) => Ok(again(target).await?),
                    None => Err(AttemptError::Final(error)),
                },
                settled => settled,
            }
        };
        until_settled(resource, once).await
    }

    /// The name of what the request was about when it was seen before.
    async fn repeated(&self, call: &Call, action: &str) -> Result<Option<String>, Error> {
        let Some(repeatable) = &call.repeatable else {
            return Ok(None);
        };
        match self.store.remembered(&repeatable.digest(&call.caller.actor, action)).await? {
            Some(seen) if seen.fingerprint == repeatable.fingerprint => {
                // The change may have been made at another node, or its outcome was not known here. The answer says that
                // it was made, so it must be known first.
                let head = self.store.head().await?;
                self.changes.made(head, &seen.target);
                Ok(Some(seen.target))
            }
            Some(_) => Err(Error::RequestIdReused { request_id: repeatable.request_id.clone() }),
            None => Ok(None),
        }
    }
}
