//! The client, and its unary calls.

use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
    time::Duration,
};

use proto::verify_service_client::VerifyServiceClient;
use tokio::time::sleep;
use tonic::{
    Request, Response, Status,
    transport::{self, Endpoint},
};

use crate::{
    authorized::Authorized,
    batch,
    builder::{BuildError, Builder},
    credential::Credential,
    deadline::Deadline,
    decision::Decision,
    error::Error,
    nodes::Nodes,
    question::Question,
    retry::RetryBudget,
    stream::VerifyStream,
};

/// Asks Keystile about API keys.
///
/// One is enough for a process: clones share its connections, each of which carries any number of calls at once.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    nodes: Nodes,
    deadline: Duration,
    retries: RetryBudget,
}

impl Client {
    /// A client of one endpoint with the default settings; see [`Builder::endpoint`] and [`Builder::connect`].
    pub fn connect<E>(endpoint: E, credential: Credential) -> Result<Self, BuildError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<transport::Error>,
    {
        Self::builder(credential).endpoint(endpoint).connect()
    }

    /// Begins the settings of a client that calls with this credential.
    ///
    /// ```no_run
    /// # fn connect() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// use keystile_client::{Client, Credential};
    ///
    /// let keystile = Client::builder(Credential::from_file("/run/secrets/keystile")?)
    ///     .endpoint("http://10.0.0.1:50051")
    ///     .endpoint("http://10.0.0.2:50051")
    ///     .deadline(Duration::from_millis(250))
    ///     .connect()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(credential: Credential) -> Builder {
        Builder::new(credential)
    }

    pub(crate) fn new(nodes: Nodes, deadline: Duration, retries: RetryBudget) -> Self {
        Self(Arc::new(Shared { nodes, deadline, retries }))
    }

    /// Decides about one API key.
    ///
    /// A call that fails because Keystile is unavailable is repeated once, within the deadline.
    pub async fn verify(&self, question: Question) -> Result<Decision, Error> {
        let send = |mut stub: Stub, request| async move { stub.verify(request).await };
        Ok(Decision::read(self.call(question.into_message(), send).await?))
    }

    /// Decides about many API keys, each by itself; the answers are in the order of the questions.
    ///
    /// It makes one call for each 1,000 questions, one after the other. When a call fails, each of its questions has
    /// that error.
    pub async fn verify_batch(
        &self,
        questions: impl IntoIterator<Item = Question>,
    ) -> Vec<Result<Decision, Error>> {
        batch::verify(self, questions).await
    }

    /// Opens a stream of questions when it is first asked; see [`VerifyStream`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn stream(&self) -> VerifyStream {
        VerifyStream::new(self.clone())
    }

    /// Sends `message`, and once more if Keystile was unavailable.
    pub(crate) async fn call<Q, A, F>(
        &self,
        message: Q,
        send: impl Fn(Stub, Request<Q>) -> F,
    ) -> Result<A, Error>
    where
        Q: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let deadline = Deadline::after(self.0.deadline);
        let attempt = async |message: Q| {
            let node = self.0.nodes.next();
            let mut request = Request::new(message);
            request.set_timeout(deadline.left());
            let sent = async { Ok(send(node.stub(), request).await?.into_inner()) };
            let outcome = deadline.bound(sent).await;
            node.record(&outcome);
            if outcome.is_ok() {
                self.0.retries.deposit();
            }
            outcome
        };
        let error = match attempt(message.clone()).await {
            Err(error) => error,
            answered => return answered,
        };
        match self.0.retries.retry(&error, deadline.left()) {
            Some(wait) => {
                sleep(wait).await;
                attempt(message).await
            }
            None => Err(error),
        }
    }

    pub(crate) fn nodes(&self) -> &Nodes {
        &self.0.nodes
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.0.deadline
    }

    pub(crate) fn retries(&self) -> &RetryBudget {
        &self.0.retries
    }
}

/// One node, with the credential.
pub(crate) type Stub = VerifyServiceClient<Authorized>;

impl Debug for Client {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("nodes", &self.0.nodes.len())
            .field("deadline", &self.0.deadline)
            .finish_non_exhaustive()
    }
}
