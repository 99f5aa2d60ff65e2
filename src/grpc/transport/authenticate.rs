//! Every call needs a credential, except those of health and reflection.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::{
    grpc::wire::status::unauthenticated,
    ports::Credentials,
    verbs::{Session, Verifier},
};

use super::{
    credential::{bearer, take},
    methods::is_public,
    peer::Peer,
};

pub(in crate::grpc) type ResponseFuture =
    Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

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
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = ResponseFuture>
        + Clone
        + Send
        + 'static,
    C: Credentials,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> ResponseFuture {
        if is_public(request.uri().path()) {
            return self.inner.call(request);
        }
        // Remove the header: nothing below may see the credential.
        let Some(credential) = take(request.headers_mut()) else { return refuse() };
        let Some(peer) = request.extensions().get::<Peer>() else { return refuse() };
        if let Some(session) = peer.proven.get(&credential) {
            let moment = self.verifier.moment();
            if self.verifier.is_still_valid(&session, moment) {
                self.verifier.note_session(&session, moment);
                request.extensions_mut().insert(session);
                return self.inner.call(request);
            }
        }
        let peer = peer.clone();
        let verifier = self.verifier.clone();
        // The service that was polled ready takes this call, its clone the next one.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            match session(&verifier, &credential, &peer).await {
                Ok(session) => {
                    peer.activity.note_authenticated();
                    peer.proven.set(credential, session.clone());
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
    credential: &HeaderValue,
    peer: &Peer,
) -> Result<Arc<Session>, Status> {
    let api_key = bearer(credential).ok_or_else(unauthenticated)?;
    let address = peer.address.map(|address| address.ip());
    let session = verifier.authenticate(api_key, address).await?;
    session.map(Arc::new).ok_or_else(unauthenticated)
}

fn refuse() -> ResponseFuture {
    Box::pin(std::future::ready(Ok(unauthenticated().into_http())))
}
