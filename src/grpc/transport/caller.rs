//! The caller of a stream, checked again as long as the stream lasts.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Extensions;
use tonic::Status;

use crate::{
    grpc::wire::status::unauthenticated,
    ports::{Credentials, Moment},
    schedule::Schedule,
    verbs::{Error, Session, Verifier},
};

use super::authorize::{Denied, Required, allows};

/// How often to check the caller while nothing else happens on the stream.
const EVERY: Duration = Duration::from_millis(500);

pub(in crate::grpc) struct StreamCaller<C> {
    verifier: Arc<Verifier<C>>,
    session: Arc<Session>,
    /// The permission that the method needs.
    required: &'static str,
    /// Under way since something happened that may have ended the session.
    renewal: Option<Renewal>,
    checks: Schedule,
}

type Renewal = Pin<Box<dyn Future<Output = Result<Option<Session>, Error>> + Send>>;

/// Why the stream may not go on.
#[derive(Debug)]
pub(in crate::grpc) enum Unproven {
    /// The credential is no longer valid.
    Refused,
    /// The credential is valid, but does not have the permission any more.
    Denied(Denied),
    /// Whether it still is cannot be found out, so it may be at the next check.
    Unknown(Error),
}

impl<C: Credentials> StreamCaller<C> {
    /// The caller of the request that has these `extensions`.
    pub(in crate::grpc) fn of(verifier: &Arc<Verifier<C>>, extensions: &Extensions) -> Result<Self, Status> {
        let session = extensions.get::<Arc<Session>>().ok_or_else(unauthenticated)?;
        let Required(required) = extensions.get().ok_or_else(unauthenticated)?;
        let (verifier, session) = (verifier.clone(), session.clone());
        Ok(Self { verifier, session, required, renewal: None, checks: Schedule::every(EVERY) })
    }

    /// Ready at once as long as nothing happened that may have ended the session; else the session is renewed first.
    pub(in crate::grpc) fn poll_check(
        &mut self,
        context: &mut Context<'_>,
        moment: Moment,
    ) -> Poll<Result<(), Unproven>> {
        if self.renewal.is_none() && self.verifier.is_still_valid(&self.session, moment) {
            return Poll::Ready(Ok(()));
        }
        let renewal = self.renewal.get_or_insert_with(|| {
            let (verifier, session) = (self.verifier.clone(), self.session.clone());
            Box::pin(async move { verifier.renew(&session).await })
        });
        let renewed = ready!(renewal.as_mut().poll(context));
        self.renewal = None;
        // A session that was renewed just now is valid for this check, even while the log cannot be followed.
        Poll::Ready(match renewed {
            Ok(Some(session)) if !allows(&session, self.required) => {
                Err(Unproven::Denied(Denied(self.required)))
            }
            Ok(Some(session)) => {
                self.session = Arc::new(session);
                Ok(())
            }
            Ok(None) => Err(Unproven::Refused),
            Err(error) => Err(Unproven::Unknown(error)),
        })
    }

    pub(in crate::grpc) async fn check(&mut self) -> Result<(), Unproven> {
        let moment = self.verifier.moment();
        poll_fn(|context| self.poll_check(context, moment)).await
    }

    /// Ready when it is time to check although nothing happens on the stream.
    pub(in crate::grpc) fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.checks.poll_next(context)
    }

    pub(in crate::grpc) async fn due(&mut self) {
        self.checks.next().await;
    }

    /// Notes a use of the caller's key.
    pub(in crate::grpc) fn note_use(&self, moment: Moment) {
        self.verifier.note_session(&self.session, moment);
    }

    pub(in crate::grpc) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub(in crate::grpc) fn verifier(&self) -> &Arc<Verifier<C>> {
        &self.verifier
    }
}

impl From<Unproven> for Status {
    fn from(unproven: Unproven) -> Self {
        match unproven {
            Unproven::Refused => unauthenticated(),
            Unproven::Denied(denied) => denied.into(),
            Unproven::Unknown(error) => error.into(),
        }
    }
}

impl<C> fmt::Debug for StreamCaller<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamCaller").field("renewing", &self.renewal.is_some()).finish_non_exhaustive()
    }
}
