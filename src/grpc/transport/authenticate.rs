//! Nobody gets past without a credential, but to health and reflection.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use domain::token::ApiKey;
use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use subtle::ConstantTimeEq;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::{
    grpc::wire::status::unauthenticated,
    ports::Credentials,
    verbs::{Session, Verifier},
};

use super::connection::Peer;

/// What anybody may call.
pub(in crate::grpc) const OPEN: [&str; 2] = ["/grpc.health.v1.", "/grpc.reflection."];

/// What a call comes to.
pub(in crate::grpc) type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

#[derive(Debug)]
pub(in crate::grpc) struct Authenticate<C>(pub(in crate::grpc) Arc<Verifier<C>>);

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
pub(in crate::grpc) struct Authenticated<S, C> {
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
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answering>
        + Clone
        + Send
        + 'static,
    C: Credentials,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Answering {
        if OPEN.iter().any(|open| request.uri().path().starts_with(open)) {
            return self.inner.call(request);
        }
        // It has done its work here: nothing further down gets to see it.
        let Some(credential) = take_credential(request.headers_mut()) else { return refuse() };
        let Some(peer) = request.extensions().get::<Peer>() else { return refuse() };
        if let Some(session) = peer.remembered.get(&credential)
            && self.verifier.goes_on(&session, self.verifier.moment())
        {
            request.extensions_mut().insert(session);
            return self.inner.call(request);
        }
        let peer = peer.clone();
        let verifier = self.verifier.clone();
        // The clone takes the place of the service that is ready.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            match session(&verifier, &credential, &peer).await {
                Ok(session) => {
                    // From the first call on: connections without a caller are the first to make room.
                    peer.activity.let_in();
                    peer.remembered.set(credential, session.clone());
                    request.extensions_mut().insert(session);
                    inner.call(request).await
                }
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

/// When a stream looks whether its caller's session still stands: while it is idle, nothing else makes it look.
pub(in crate::grpc) fn looks() -> Interval {
    let mut looks = interval(Duration::from_millis(500));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

/// The credential that a connection's calls were last let in with: most connections have one caller.
#[derive(Debug, Default)]
pub(in crate::grpc) struct Remembered(ArcSwapOption<Proven>);

#[derive(Debug)]
struct Proven {
    credential: HeaderValue,
    session: Arc<Session>,
}

impl Remembered {
    fn get(&self, credential: &HeaderValue) -> Option<Arc<Session>> {
        let proven = self.0.load();
        // Behind a proxy, it may be another caller's.
        let proven =
            proven.as_ref().filter(|it| it.credential.as_bytes().ct_eq(credential.as_bytes()).into());
        proven.map(|it| it.session.clone())
    }

    fn set(&self, mut credential: HeaderValue, session: Arc<Session>) {
        credential.set_sensitive(true);
        self.0.store(Some(Arc::new(Proven { credential, session })));
    }
}

async fn session<C: Credentials>(
    verifier: &Verifier<C>,
    credential: &HeaderValue,
    peer: &Peer,
) -> Result<Arc<Session>, Status> {
    let api_key = bearer(credential).ok_or_else(unauthenticated)?;
    let address = peer.address.map(|address| address.ip());
    let session = verifier.authenticate(api_key, address).await?;
    session.map(Arc::new).ok_or_else(unauthenticated)
}

fn refuse() -> Answering {
    Box::pin(std::future::ready(Ok(unauthenticated().into_http())))
}

/// The one authorization header; two are none.
fn take_credential(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let alone = headers.get_all(AUTHORIZATION).iter().nth(1).is_none();
    headers.remove(AUTHORIZATION).filter(|_| alone)
}

fn bearer(credential: &HeaderValue) -> Option<ApiKey> {
    let (scheme, api_key) = credential.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| ApiKey::new(api_key.trim().to_owned()))
}
