//! The caller of a stream, checked again as long as the stream lasts.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Extensions;
use tonic::Status;

use crate::{
    ports::{Credentials, Moment},
    schedule::Schedule,
    verbs::{Session, Verifier},
};

use super::current::{CurrentCaller, Unproven};

/// How often to check the caller while nothing else happens on the stream.
const EVERY: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(in crate::grpc) struct StreamCaller<C> {
    current: CurrentCaller<C>,
    checks: Schedule,
}

impl<C: Credentials> StreamCaller<C> {
    /// The caller of the request that has these `extensions`.
    pub(in crate::grpc) fn of(verifier: &Arc<Verifier<C>>, extensions: &Extensions) -> Result<Self, Status> {
        Ok(Self { current: CurrentCaller::of(verifier, extensions)?, checks: Schedule::every(EVERY) })
    }

    /// Ready at once as long as nothing happened that may have ended the session; else the session is renewed first.
    pub(in crate::grpc) fn poll_check(
        &mut self,
        context: &mut Context<'_>,
        moment: Moment,
    ) -> Poll<Result<(), Unproven>> {
        self.current.poll_check(context, moment)
    }

    pub(in crate::grpc) async fn check(&mut self) -> Result<(), Unproven> {
        let moment = self.verifier().moment();
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
        self.verifier().note_session(self.session(), moment);
    }

    pub(in crate::grpc) fn session(&self) -> &Arc<Session> {
        self.current.session()
    }

    pub(in crate::grpc) fn verifier(&self) -> &Arc<Verifier<C>> {
        self.current.verifier()
    }
}
