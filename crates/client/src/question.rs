//! What is asked about an API key.

use std::net::IpAddr;

use prost::Message;
use proto::{Endpoint, VerifyRequest};

use crate::error::Error;

/// The largest question in its encoded form; anything larger is no API key of Keystile, and is not sent.
const LARGEST: usize = 64 * 1024;

/// A question about one API key. Each method beyond [`Question::new`] narrows it.
///
/// `Debug` does not show the API key. Its memory is not wiped: the transport holds copies of it as well.
///
/// ```
/// use keystile_client::Question;
///
/// let question = Question::new("acme_live_…").environment("production").customer("customer-17");
/// ```
#[derive(Debug, Clone)]
#[must_use = "a question is answered by `verify`"]
pub struct Question {
    message: VerifyRequest,
    /// Apart from the message, where an empty text would mean any environment.
    environment: Option<String>,
}

impl Question {
    /// Is this API key good? It is the text as it was presented, without a scheme such as `Bearer`.
    pub fn new(api_key: impl Into<String>) -> Self {
        let message = VerifyRequest { api_key: api_key.into(), ..VerifyRequest::default() };
        Self { message, environment: None }
    }

    /// It must belong to this environment. An empty text does not mean "any": the question is then answered with an
    /// error of the kind [`Refused`](crate::ErrorKind::Refused).
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// It must work for this customer.
    pub fn customer(mut self, customer: impl Into<String>) -> Self {
        self.message.customer = customer.into();
        self
    }

    /// Its bearer calls from this address, as seen by your own edge. Never pass on the leftmost entry of
    /// `X-Forwarded-For`: the client writes it.
    pub fn client_ip(mut self, address: IpAddr) -> Self {
        self.message.client_ip = address.to_string();
        self
    }

    /// Its permissions must satisfy this expression, such as `documents.read AND NOT documents.locked`.
    pub fn permission(mut self, expression: impl Into<String>) -> Self {
        self.message.permission = expression.into();
        self
    }

    /// One of its roles must allow this: an HTTP method and path, or an empty method and `/package.Service/Method`.
    pub fn endpoint(mut self, method: impl Into<String>, path: impl Into<String>) -> Self {
        self.message.endpoint = Some(Endpoint { method: method.into(), path: path.into() });
        self
    }

    /// The decision must rest on this revision or a newer one, such as that of a change just made.
    pub fn min_revision(mut self, revision: i64) -> Self {
        self.message.min_revision = revision;
        self
    }

    /// What is sent; an error if the server would not answer what is meant.
    pub(crate) fn into_message(self) -> Result<VerifyRequest, Error> {
        let Self { mut message, environment } = self;
        if let Some(environment) = environment {
            if environment.is_empty() {
                return Err(Error::invalid("environment", "must not be empty"));
            }
            message.environment = environment;
        }
        if message.encoded_len() > LARGEST {
            return Err(Error::invalid("", "the question is larger than 64 KiB"));
        }
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn an_empty_environment_is_not_sent_as_any() {
        let error = Question::new("key").environment("").into_message().unwrap_err();
        assert_eq!((error.kind(), error.violations()[0].field.as_str()), (ErrorKind::Refused, "environment"));
        assert!(!error.concerns_the_request());
        assert_eq!(Question::new("key").into_message().unwrap().environment, "");
        assert_eq!(Question::new("key").environment("live").into_message().unwrap().environment, "live");
    }

    #[test]
    fn a_too_large_question_is_not_sent() {
        Question::new("x".repeat(LARGEST - 8)).into_message().unwrap();
        let error = Question::new("x".repeat(LARGEST)).into_message().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.concerns_the_request(), "the bearer's input is too large");
    }
}
