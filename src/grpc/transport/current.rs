//! The caller of a call, proven and authorised again whenever something happened that may have ended its session.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use http::Extensions;
use tonic::Status;

use crate::{
    grpc::wire::status::unauthenticated,
    ports::{Credentials, Moment},
    verbs::{Error, Session, Verifier},
};

use super::permissions::{Denied, Required, allows};

/// The session that was proven again when the request was complete. Empty if the one of the headers was still valid.
#[derive(Debug, Clone, Default)]
pub(super) struct Renewed(pub(super) Arc<OnceLock<Arc<Session>>>);

/// The caller's session, as it was proven last.
pub(in crate::grpc) fn session(extensions: &Extensions) -> Option<&Arc<Session>> {
    extensions.get::<Renewed>().and_then(|renewed| renewed.0.get()).or_else(|| extensions.get())
}

pub(super) struct CurrentCaller<C> {
    verifier: Arc<Verifier<C>>,
    session: Arc<Session>,
    /// The permission that the method needs.
    required: &'static str,
    /// Under way since something happened that may have ended the session.
    renewal: Option<Renewal>,
}

type Renewal = Pin<Box<dyn Future<Output = Result<Option<Session>, Error>> + Send>>;

/// Why the call may not go on.
#[derive(Debug)]
pub(in crate::grpc) enum Unproven {
    /// The credential is no longer valid.
    Refused,
    /// The credential is valid, but does not have the permission any more.
    Denied(Denied),
    /// Whether it still is cannot be found out, so it may be at the next check.
    Unknown(Error),
}

impl<C: Credentials> CurrentCaller<C> {
    /// The caller of the request that has these `extensions`.
    pub(super) fn of(verifier: &Arc<Verifier<C>>, extensions: &Extensions) -> Result<Self, Status> {
        let session = session(extensions).ok_or_else(unauthenticated)?;
        let Required(required) = extensions.get().ok_or_else(unauthenticated)?;
        Ok(Self { verifier: verifier.clone(), session: session.clone(), required, renewal: None })
    }

    /// Ready at once as long as nothing happened that may have ended the session; else the session is renewed first.
    pub(super) fn poll_check(
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
}

impl<C> CurrentCaller<C> {
    pub(super) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub(super) fn verifier(&self) -> &Arc<Verifier<C>> {
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

impl<C> fmt::Debug for CurrentCaller<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurrentCaller").field("renewing", &self.renewal.is_some()).finish_non_exhaustive()
    }
}
