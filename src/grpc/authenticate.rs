//! Nobody gets past without a credential, but to health and reflection.

use std::{
    convert::Infallible,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use tonic::{Status, body::Body, transport::server::TcpConnectInfo};
use tower::{Layer, Service};

use crate::{
    domain::token::ApiKey,
    ports::Credentials,
    service::{Session, Verifier},
};

use super::status::unauthenticated;

/// What anybody may call.
const OPEN: [&str; 2] = ["/grpc.health.v1.", "/grpc.reflection."];

#[derive(Debug)]
pub(super) struct Authenticate<C>(pub(super) Arc<Verifier<C>>);

impl<C> Clone for Authenticate<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S, C> Layer<S> for Authenticate<C> {
    type Service = Authenticated<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Authenticated { inner, verifier: self.0.clone() }
    }
}

#[derive(Debug)]
pub(super) struct Authenticated<S, C> {
    inner: S,
    verifier: Arc<Verifier<C>>,
}

impl<S: Clone, C> Clone for Authenticated<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), verifier: self.verifier.clone() }
    }
}

impl<S, C> Service<Request<Body>> for Authenticated<S, C>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    C: Credentials,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if OPEN.iter().any(|open| request.uri().path().starts_with(open)) {
            return Box::pin(self.inner.call(request));
        }
        // The clone takes the place of the service that is ready.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let verifier = self.verifier.clone();
        Box::pin(async move {
            match session(&verifier, &mut request).await {
                Ok(session) => {
                    request.extensions_mut().insert(session);
                    inner.call(request).await
                }
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

async fn session<C: Credentials>(
    verifier: &Verifier<C>,
    request: &mut Request<Body>,
) -> Result<Session, Status> {
    let peer = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
    let peer: Option<IpAddr> = peer.map(|peer| peer.ip());
    let api_key = bearer(request.headers()).ok_or_else(unauthenticated)?;
    // It has done its work: nothing further down gets to see it.
    request.headers_mut().remove(AUTHORIZATION);
    verifier.authenticate(api_key, peer).await?.ok_or_else(unauthenticated)
}

/// The API key of the one authorization header.
fn bearer(headers: &HeaderMap) -> Option<ApiKey> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    let (scheme, api_key) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| ApiKey::new(api_key.trim().to_owned()))
}
