//! Settings of a client.

use std::time::Duration;

use tonic::transport::{self, Endpoint};

use crate::{
    authorized::Authorized, calls::Calls, client::Client, credential::Credential, nodes::Nodes,
    retry::RetryBudget,
};

const DEADLINE: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

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
}

/// Settings of a [`Client`]; [`Client::builder`] begins one.
#[derive(Debug)]
#[must_use = "`connect` makes the client"]
pub struct Builder {
    credential: Credential,
    endpoints: Result<Vec<Endpoint>, BuildError>,
    deadline: Duration,
    keep_alive: Option<Duration>,
}

impl Builder {
    pub(crate) fn new(credential: Credential) -> Self {
        Self { credential, endpoints: Ok(Vec::new()), deadline: DEADLINE, keep_alive: Some(KEEP_ALIVE) }
    }

    /// Adds a node's verify listener: a URL such as `http://127.0.0.1:50051`, or an [`Endpoint`] with options of its
    /// own, such as TLS. Several are called in turn; a call that does not reach one is repeated at the next.
    pub fn endpoint<E>(mut self, endpoint: E) -> Self
    where
        E: TryInto<Endpoint>,
        E::Error: Into<transport::Error>,
    {
        self.endpoints = self.endpoints.and_then(|mut endpoints| {
            endpoints.push(endpoint.try_into().map_err(|error| BuildError::Endpoint(error.into()))?);
            Ok(endpoints)
        });
        self
    }

    /// How long a call may take, its retry included. Default: one second.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How often a connection is probed, so that one that was lost in silence is noticed; `None`: never.
    /// Default: every 20 seconds.
    pub fn keep_alive(mut self, interval: Option<Duration>) -> Self {
        self.keep_alive = interval;
        self
    }

    /// Makes the client. It connects when it is first used, and again whenever the connection was lost.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn connect(self) -> Result<Client, BuildError> {
        let endpoints = self.endpoints?;
        if endpoints.is_empty() {
            return Err(BuildError::NoEndpoint);
        }
        let mut channels = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            // A node that swallows packets leaves time to ask another one.
            let connect = endpoint.get_connect_timeout().unwrap_or(self.deadline / 2);
            let mut endpoint = endpoint
                .connect_timeout(connect)
                .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
                .map_err(BuildError::Endpoint)?;
            if let Some(interval) = self.keep_alive {
                endpoint = endpoint
                    .http2_keep_alive_interval(interval)
                    .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
                    .keep_alive_while_idle(true);
            }
            channels.push(Authorized::new(endpoint.connect_lazy(), self.credential.authorization().clone()));
        }
        let calls = Calls::new(Nodes::new(channels), self.deadline, RetryBudget::new());
        Ok(Client::new(calls))
    }
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No endpoint was given.
    #[error("no endpoint was given")]
    NoEndpoint,
    /// An endpoint is not a URL, or has options that do not fit.
    #[error("an endpoint is not usable")]
    Endpoint(#[source] transport::Error),
}
