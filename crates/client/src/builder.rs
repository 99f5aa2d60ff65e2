//! Settings of a client.

use std::{net::IpAddr, time::Duration};

use http::Uri;
use tonic::transport::{self, Endpoint};

use crate::{
    authorized::Authorized, calls::Calls, client::Client, credential::Credential, nodes::Nodes,
    retry::RetryBudget,
};

const DEADLINE: Duration = Duration::from_secs(1);
/// Of single calls in a row, when nothing succeeds any more.
const RETRIES: u32 = 10;
const LONGEST_DEADLINE: Duration = Duration::from_secs(3_600);
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
    ///     .allow_plaintext(true)
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
    plaintext: bool,
}

impl Builder {
    pub(crate) fn new(credential: Credential) -> Self {
        Self {
            credential,
            endpoints: Ok(Vec::new()),
            deadline: DEADLINE,
            keep_alive: Some(KEEP_ALIVE),
            plaintext: false,
        }
    }

    /// Adds a node's verify listener: a URL such as `https://keystile.internal`, or an [`Endpoint`] with options of its
    /// own, such as a root certificate. Several are called in turn; a call that does not reach one is repeated at the
    /// next.
    ///
    /// `https://` needs the crate's feature `tls`. `http://` is for hosts on loopback; see
    /// [`allow_plaintext`](Self::allow_plaintext) for others.
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

    /// Allows `http://` to hosts that are not on loopback: the credential and the API keys then cross the network
    /// unencrypted. Default: `false`.
    pub fn allow_plaintext(mut self, allowed: bool) -> Self {
        self.plaintext = allowed;
        self
    }

    /// How long a call may take, its retry included; at most one hour. Default: one second.
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
        if self.deadline.is_zero() || self.deadline > LONGEST_DEADLINE {
            return Err(BuildError::Deadline);
        }
        let mut channels = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            check_scheme(endpoint.uri(), self.plaintext)?;
            // Adds TLS with the system's root certificates to an `https://` endpoint that has no TLS of its own.
            let endpoint = Endpoint::new(endpoint).map_err(BuildError::Endpoint)?;
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
        let calls = Calls::new(Nodes::new(channels), self.deadline, RetryBudget::of(RETRIES));
        Ok(Client::new(calls))
    }
}

/// Without its own TLS support, tonic would call `https://` in plaintext.
fn check_scheme(uri: &Uri, plaintext: bool) -> Result<(), BuildError> {
    match uri.scheme_str() {
        Some("https") if cfg!(feature = "tls") => Ok(()),
        Some("https") => Err(BuildError::NoTls(uri.clone())),
        Some("http") if plaintext || is_loopback(uri) => Ok(()),
        Some("http") => Err(BuildError::Plaintext(uri.clone())),
        _ => Err(BuildError::Scheme(uri.clone())),
    }
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address: IpAddr| address.is_loopback())
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
    /// An endpoint begins with `https://`, and the crate's feature `tls` is off.
    #[error("{0} needs the feature `tls` of keystile-client")]
    NoTls(Uri),
    /// An endpoint begins with `http://`, is not on loopback, and [`Builder::allow_plaintext`] does not allow that.
    #[error("{0} would send API keys unencrypted to another machine; use https:// or allow_plaintext")]
    Plaintext(Uri),
    /// An endpoint begins with neither `http://` nor `https://`.
    #[error("{0} begins with neither http:// nor https://")]
    Scheme(Uri),
    /// The deadline is zero, or longer than an hour.
    #[error("the deadline must be above zero, and at most one hour")]
    Deadline,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> Builder {
        Client::builder(Credential::new("keystile_live_SECRET").unwrap())
    }

    #[tokio::test]
    async fn plaintext_is_limited_to_loopback_by_default() {
        for url in ["http://127.0.0.1:50051", "http://127.1.2.3", "http://[::1]:50051", "http://LOCALHOST:1"]
        {
            builder().endpoint(url).connect().unwrap();
        }
        for url in ["http://10.0.0.1:50051", "http://localhost.example.com", "http://[::2]:1", "http://node"]
        {
            let error = builder().endpoint(url).connect().unwrap_err();
            assert!(matches!(error, BuildError::Plaintext(_)), "{url}: {error:?}");
            builder().endpoint(url).allow_plaintext(true).connect().unwrap();
        }
    }

    #[tokio::test]
    async fn other_schemes_are_refused() {
        for url in ["ftp://127.0.0.1", "127.0.0.1:50051", "unix:///run/keystile"] {
            builder().endpoint("http://127.0.0.1").endpoint(url).connect().unwrap_err();
        }
    }

    #[cfg(not(feature = "tls"))]
    #[tokio::test]
    async fn https_is_refused_where_it_would_be_plaintext() {
        for plaintext in [false, true] {
            let https = builder().endpoint("https://127.0.0.1:50051").allow_plaintext(plaintext);
            assert!(matches!(https.connect().unwrap_err(), BuildError::NoTls(_)));
        }
    }

    #[cfg(feature = "tls")]
    #[tokio::test]
    async fn https_begins_with_a_tls_handshake() {
        use tokio::{io::AsyncReadExt, net::TcpListener};

        const HANDSHAKE: u8 = 22;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let client = builder().endpoint(url).connect().unwrap();
        tokio::spawn(async move { client.verify(crate::Question::new("key")).await });
        let (mut connection, _) = listener.accept().await.unwrap();
        assert_eq!(connection.read_u8().await.unwrap(), HANDSHAKE);
    }

    #[tokio::test]
    async fn a_deadline_is_between_zero_and_an_hour() {
        for deadline in [Duration::ZERO, Duration::MAX, LONGEST_DEADLINE + Duration::from_nanos(1)] {
            let built = builder().endpoint("http://127.0.0.1").deadline(deadline).connect();
            assert!(matches!(built.unwrap_err(), BuildError::Deadline), "{deadline:?}");
        }
        builder().endpoint("http://127.0.0.1").deadline(LONGEST_DEADLINE).connect().unwrap();
    }
}
