//! Whatever answers questions.

use crate::{client::Client, decision::Decision, error::Error, question::Question, stream::VerifyStream};

/// Answers questions: a [`Client`], a [`VerifyStream`], or what a test puts in their place.
pub trait Verify {
    /// Decides about one API key.
    fn verify(&self, question: Question) -> impl Future<Output = Result<Decision, Error>> + Send;
}

impl Verify for Client {
    async fn verify(&self, question: Question) -> Result<Decision, Error> {
        Self::verify(self, question).await
    }
}

impl Verify for VerifyStream {
    async fn verify(&self, question: Question) -> Result<Decision, Error> {
        Self::verify(self, question).await
    }
}
