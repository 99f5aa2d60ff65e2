//! The service behind the guard.

use std::{
    fmt::{self, Debug, Formatter},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, request::Parts};
use tonic::server::NamedService;
use tower_service::Service;

use super::{
    Settings,
    key_source::{self, Presented},
    outage::Outage,
    refusal::{Refusal, is_grpc},
};
use crate::{
    client::Client,
    decision::{Decision, Denial, Identity},
    error::Error,
    verify::Verify,
};

/// A service behind a [`Guard`](crate::Guard).
#[derive(Clone)]
pub struct Guarded<S, V = Client> {
    inner: S,
    verifier: V,
    settings: Arc<Settings>,
    outage: Arc<Outage>,
}

impl<S, V> Guarded<S, V> {
    pub(super) fn new(inner: S, verifier: V, settings: Arc<Settings>, outage: Arc<Outage>) -> Self {
        Self { inner, verifier, settings, outage }
    }
}

impl<S, V, B, R> Service<Request<B>> for Guarded<S, V>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    V: Verify + Clone + Send + Sync + 'static,
    B: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready is used; its clone need not be.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let (verifier, settings, outage) =
            (self.verifier.clone(), self.settings.clone(), self.outage.clone());
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match let_in(&verifier, &settings, &outage, &parts).await {
                Ok(identity) => {
                    key_source::remove(&mut parts.headers, &settings.sources);
                    parts.extensions.insert(identity);
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(refused) => Ok(refused.into_response(is_grpc(&parts.headers))),
            }
        })
    }
}

/// Why a request is not admitted.
enum Refused {
    Unasked(Refusal),
    Denied(Denial),
    Undecided(Error),
}

async fn let_in<V: Verify>(
    verifier: &V,
    settings: &Settings,
    outage: &Outage,
    request: &Parts,
) -> Result<Arc<Identity>, Refused> {
    let api_key = match key_source::presented(&request.headers, &settings.sources) {
        Presented::One(api_key) => api_key,
        Presented::Nothing => return Err(Refused::Unasked(Refusal::no_api_key())),
        Presented::Several => return Err(Refused::Unasked(Refusal::several_api_keys())),
    };
    let answer = verifier.verify(settings.ask(request, api_key)).await;
    match &answer {
        Ok(_) => outage.decided(),
        // Keystile answers, and anyone can send such a request: neither an outage nor a line in the log.
        Err(error) if error.concerns_the_request() => {}
        Err(error) => outage.undecided(error),
    }
    match answer {
        Ok(Decision::Valid(identity)) => Ok(Arc::new(identity)),
        Ok(Decision::Denied(denial)) => Err(Refused::Denied(denial)),
        Err(error) => Err(Refused::Undecided(error)),
    }
}

impl Refused {
    fn into_response<R: Default>(self, grpc: bool) -> Response<R> {
        match self {
            Self::Unasked(refusal) => refusal.into_response(grpc),
            Self::Denied(denial) => {
                let mut response = Refusal::denied(&denial).into_response(grpc);
                response.extensions_mut().insert(denial);
                response
            }
            Self::Undecided(error) => {
                let mut response = Refusal::undecided(&error).into_response(grpc);
                response.extensions_mut().insert(error);
                response
            }
        }
    }
}

/// A tonic service stays one behind the guard.
impl<S: NamedService, V> NamedService for Guarded<S, V> {
    const NAME: &'static str = S::NAME;
}

impl<S, V> Debug for Guarded<S, V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}
