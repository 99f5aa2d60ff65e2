//! The client: what may be asked of Keystile, one way or another.

use std::fmt::{self, Debug, Formatter};

use crate::{
    batch,
    calls::{Calls, Stub},
    decision::Decision,
    error::Error,
    question::Question,
    stream::VerifyStream,
};

/// Asks Keystile about API keys.
///
/// One is enough for a process: clones share its connections, each of which carries any number of calls at once.
#[derive(Clone)]
pub struct Client(Calls);

impl Client {
    pub(crate) fn new(calls: Calls) -> Self {
        Self(calls)
    }

    /// Decides about one API key.
    ///
    /// A call that fails because Keystile is unavailable is repeated once, within the deadline.
    pub async fn verify(&self, question: Question) -> Result<Decision, Error> {
        let send = |mut stub: Stub, request| async move { stub.verify(request).await };
        Ok(Decision::read(self.0.call(question.into_message()?, send).await?))
    }

    /// Decides about many API keys, each by itself; the answers are in the order of the questions.
    ///
    /// It makes one call for each 1,000 questions or 3 MiB of them, one after the other. When a call fails, each of its
    /// questions has that error. If the error concerns every call, such as a credential that is refused, no further
    /// call is made, and the remaining questions have the error too.
    pub async fn verify_batch(
        &self,
        questions: impl IntoIterator<Item = Question>,
    ) -> Vec<Result<Decision, Error>> {
        batch::verify(&self.0, questions).await
    }

    /// Opens a stream of questions when it is first asked; see [`VerifyStream`].
    ///
    /// A stream costs the least per question, but its answers come in order: a question that has to be read from the
    /// database holds up the ones behind it. Where latency matters more than throughput, ask the client itself.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn stream(&self) -> VerifyStream {
        VerifyStream::new(self.0.clone())
    }
}

impl Debug for Client {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("nodes", &self.0.nodes().len())
            .field("deadline", &self.0.deadline())
            .finish_non_exhaustive()
    }
}
