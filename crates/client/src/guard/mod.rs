//! A tower layer that lets only valid API keys in.

mod key_source;
mod outage;
mod refusal;
mod service;

use std::{
    fmt::{self, Debug, Formatter},
    net::IpAddr,
    sync::Arc,
};

use http::request::Parts;
use tower_layer::Layer;

pub use key_source::KeySource;
pub use service::Guarded;

use outage::Outage;

use crate::{client::Client, question::Question};

/// A layer that lets only requests with a valid API key in.
///
/// It takes the API key from the request, asks Keystile about it, and
///
/// - lets a valid one in: without the header that carried the API key, and with an
///   `Arc<`[`Identity`](crate::Identity)`>` in the request's extensions;
/// - answers 401, 403 or 429 to a denied one, as the decision says, with a [`Denial`](crate::Denial) in the response's
///   extensions;
/// - answers 401 without asking if there is no API key, or two different ones;
/// - answers 400 if Keystile refuses the question for a value of the request, such as a customer that cannot be one;
/// - answers 503 if there is no decision. What this begins with and its end are logged.
///
/// After 400 and 503 there is an [`Error`](crate::Error) in the response's extensions. A gRPC request is answered with
/// the status UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED, INVALID_ARGUMENT or UNAVAILABLE.
///
/// The same layer guards an axum router (see the [crate's page](crate)) and a tonic server:
///
/// ```no_run
/// # use keystile_client::{Client, Guard};
/// # async fn serve(keystile: Client, services: tonic::service::Routes) -> Result<(), tonic::transport::Error> {
/// use tonic::transport::Server;
///
/// let address = ([127, 0, 0, 1], 50053).into();
/// Server::builder().layer(Guard::new(keystile)).add_routes(services).serve(address).await
/// # }
/// ```
#[derive(Clone)]
pub struct Guard<V = Client> {
    verifier: V,
    settings: Arc<Settings>,
    outage: Arc<Outage>,
}

#[derive(Clone)]
struct Settings {
    sources: Vec<KeySource>,
    environment: Option<String>,
    narrow: Option<Arc<Narrow>>,
}

type Narrow = dyn Fn(&Parts, Question) -> Question + Send + Sync;

/// The address of a request's client, which a service puts into the request's extensions if it knows it. [`Guard`]
/// adds it to the question, so that API keys that are bound to networks work.
///
/// It is never taken from a header such as `X-Forwarded-For`: the client can write that itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl<V> Guard<V> {
    /// A guard that asks this verifier: a [`Client`], a [`VerifyStream`](crate::VerifyStream), or what a test puts in
    /// their place.
    ///
    /// Takes the API key from `authorization: Bearer` or from `x-api-key`.
    pub fn new(verifier: V) -> Self {
        let sources = vec![KeySource::bearer(), KeySource::header("x-api-key")];
        let settings = Arc::new(Settings { sources, environment: None, narrow: None });
        Self { verifier, settings, outage: Arc::default() }
    }

    /// Where to take the API key from, in place of the default.
    pub fn key_from(mut self, sources: impl IntoIterator<Item = KeySource>) -> Self {
        Arc::make_mut(&mut self.settings).sources = sources.into_iter().collect();
        self
    }

    /// Only lets API keys of this environment in.
    ///
    /// # Panics
    ///
    /// If `environment` is empty, such as a variable that is not set: that would let API keys of any environment in.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        let environment = environment.into();
        assert!(!environment.is_empty(), "the environment of a guard must not be empty");
        Arc::make_mut(&mut self.settings).environment = Some(environment);
        self
    }

    /// Adds to the question what the request says, such as its customer.
    ///
    /// ```no_run
    /// # use keystile_client::{Client, Guard};
    /// # fn guard(keystile: Client) -> Guard {
    /// Guard::new(keystile).question(|request, question| {
    ///     let customer = request.headers.get("x-customer").and_then(|it| it.to_str().ok());
    ///     question.customer(customer.unwrap_or_default())
    /// })
    /// # }
    /// ```
    pub fn question(mut self, narrow: impl Fn(&Parts, Question) -> Question + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.settings).narrow = Some(Arc::new(narrow));
        self
    }
}

impl Settings {
    /// What to ask about the API key of this request.
    fn ask(&self, request: &Parts, api_key: String) -> Question {
        let mut question = Question::new(api_key);
        if let Some(environment) = &self.environment {
            question = question.environment(environment);
        }
        if let Some(ClientAddress(address)) = request.extensions.get() {
            question = question.client_ip(*address);
        }
        match &self.narrow {
            Some(narrow) => narrow(request, question),
            None => question,
        }
    }
}

impl<S, V: Clone> Layer<S> for Guard<V> {
    type Service = Guarded<S, V>;

    fn layer(&self, inner: S) -> Guarded<S, V> {
        Guarded::new(inner, self.verifier.clone(), self.settings.clone(), self.outage.clone())
    }
}

impl<V> Debug for Guard<V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("sources", &self.settings.sources)
            .field("environment", &self.settings.environment)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "must not be empty")]
    fn an_empty_environment_is_refused() {
        let _guard = Guard::new(()).environment("");
    }
}
