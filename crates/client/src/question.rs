//! What is asked about an API key.

use std::net::IpAddr;

use proto::{Endpoint, VerifyRequest};

/// A question about one API key. Each method beyond [`Question::new`] narrows it.
///
/// `Debug` does not show the API key.
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
}

impl Question {
    /// Is this API key good? It is the text as it was presented, without a scheme such as `Bearer`.
    pub fn new(api_key: impl Into<String>) -> Self {
        Self { message: VerifyRequest { api_key: api_key.into(), ..VerifyRequest::default() } }
    }

    /// It must belong to this environment.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.message.environment = environment.into();
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

    /// It must satisfy this permission expression.
    ///
    /// A server that does not decide permissions yet refuses the question (`NOT_YET_AVAILABLE`).
    pub fn permission(mut self, expression: impl Into<String>) -> Self {
        self.message.permission = expression.into();
        self
    }

    /// It must be allowed to call this: an HTTP method and path, or an empty method and `/package.Service/Method`.
    ///
    /// A server that does not decide endpoints yet refuses the question (`NOT_YET_AVAILABLE`).
    pub fn endpoint(mut self, method: impl Into<String>, path: impl Into<String>) -> Self {
        self.message.endpoint = Some(Endpoint { method: method.into(), path: path.into() });
        self
    }

    /// The decision must rest on this revision or a newer one, such as that of a change just made.
    pub fn min_revision(mut self, revision: i64) -> Self {
        self.message.min_revision = revision;
        self
    }

    pub(crate) fn into_message(self) -> VerifyRequest {
        self.message
    }
}
