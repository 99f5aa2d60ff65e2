//! WatchAuditEvents: the change log as a stream.

use std::{collections::VecDeque, pin::Pin, sync::Arc, time::Duration};

use domain::{Invalid, Revision, name::Scope};
use futures_util::{Stream, stream};
use proto::{
    AuditEvent, Heartbeat, WatchAuditEventsRequest, WatchAuditEventsResponse,
    watch_audit_events_response::Content,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{
    grpc::{
        transport::caller::StreamCaller,
        wire::{faults::Faults, status},
    },
    ports::{Credentials, StoreError, changes::Rewinds},
    schedule::Schedule,
    verbs::{Caller, Error, FieldFault, Service},
};

pub(in crate::grpc) type Events =
    Pin<Box<dyn Stream<Item = Result<WatchAuditEventsResponse, Status>> + Send>>;

pub(in crate::grpc) struct Watch<C> {
    pub(in crate::grpc) service: Service,
    pub(in crate::grpc) session: StreamCaller<C>,
    pub(in crate::grpc) caller: Caller,
    pub(in crate::grpc) stop: CancellationToken,
    pub(in crate::grpc) wanted: Wanted,
}

/// What the caller asks for.
#[derive(Debug)]
pub(in crate::grpc) struct Wanted {
    scope: Scope,
    after: Revision,
    heartbeat: Duration,
}

impl TryFrom<WatchAuditEventsRequest> for Wanted {
    type Error = Error;

    fn try_from(request: WatchAuditEventsRequest) -> Result<Self, Error> {
        let mut faults = Faults::default();
        let scope = faults.read("parent", &request.parent);
        let after = faults.not_negative("after_revision", request.after_revision);
        let heartbeat = match &request.heartbeat_interval {
            Some(span) => faults.duration("heartbeat_interval", span),
            None => Some(Duration::from_secs(5)),
        };
        let (Some(scope), Some(after), Some(heartbeat)) = (scope, after, heartbeat) else {
            return faults.finish(None);
        };
        let wanted = faults.finish(Some(Self { scope, after, heartbeat }))?;
        if !(Duration::from_secs(1)..=Duration::from_secs(60)).contains(&wanted.heartbeat) {
            let why = Invalid::new("must be 1 second to 1 minute");
            return Err(Error::Invalid(vec![FieldFault::new("heartbeat_interval", &why)]));
        }
        Ok(wanted)
    }
}

impl<C: Credentials> Watch<C> {
    pub(in crate::grpc) async fn events(self) -> Result<Events, Error> {
        self.service.check_scope(&self.caller, &self.wanted.scope)?;
        // Before the log is read, so that no rewind is missed.
        let rewinds = self.service.rewinds().number;
        self.service.check_is_reached(self.wanted.after).await?;
        let heartbeats = Schedule::every(self.wanted.heartbeat);
        let state = State { watch: self, rewinds, heartbeats, unsent: VecDeque::new() };
        Ok(Box::pin(stream::unfold(Some(state), |state| async {
            let mut state = state?;
            match state.next().await {
                Ok(content) => Some((Ok(WatchAuditEventsResponse { content: Some(content) }), Some(state))),
                Err(status) => Some((Err(status), None)),
            }
        })))
    }
}

/// How long to wait when too many others read.
const OVERLOADED: Duration = Duration::from_millis(500);

struct State<C> {
    watch: Watch<C>,
    /// How often the log was known to have gone backwards.
    rewinds: u64,
    heartbeats: Schedule,
    unsent: VecDeque<AuditEvent>,
}

impl<C: Credentials> State<C> {
    async fn next(&mut self) -> Result<Content, Status> {
        let content = self.content().await?;
        let session = &self.watch.session;
        session.note_use(session.verifier().moment());
        Ok(content)
    }

    async fn content(&mut self) -> Result<Content, Status> {
        loop {
            // What is not sent yet can be asked for again elsewhere.
            if self.watch.stop.is_cancelled() {
                return Err(status::closing());
            }
            self.check_caller().await?;
            self.check_log()?;
            if let Some(event) = self.unsent.pop_front() {
                return Ok(Content::Event(event));
            }
            let Watch { service, wanted, caller, session, stop } = &mut self.watch;
            if service.position() > wanted.after {
                let batch = match service.next_events(caller, &wanted.scope, wanted.after).await {
                    // A watcher can wait.
                    Err(Error::Store(StoreError::Overloaded(_))) => {
                        sleep(OVERLOADED).await;
                        continue;
                    }
                    batch => batch?,
                };
                wanted.after = batch.up_to;
                self.unsent.extend(batch.events.into_iter().map(Into::into));
                continue;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(status::closing()),
                () = service.change_after(wanted.after) => {}
                () = self.heartbeats.next() => {
                    // The node may have moved on at this moment, and those events are not sent yet.
                    let revision = service.position().min(wanted.after);
                    return Ok(Content::Heartbeat(Heartbeat { revision }));
                }
                () = session.due() => {}
            }
        }
    }

    /// Fails when the caller may not watch any more. If it may act on other projects than before, what is not sent yet is read
    /// again on its behalf.
    async fn check_caller(&mut self) -> Result<(), Status> {
        let Watch { service, wanted, caller, session, .. } = &mut self.watch;
        let before = session.session().clone();
        session.check().await?;
        if Arc::ptr_eq(&before, session.session()) {
            return Ok(());
        }
        *caller = Caller::of(session.session(), std::mem::take(&mut caller.peer), "");
        service.check_scope(caller, &wanted.scope)?;
        // While the log cannot be followed each check proves the caller again, mostly with the same projects.
        if before.projects() != session.session().projects()
            && let Some(event) = self.unsent.front()
        {
            wanted.after = event.revision - 1;
            self.unsent.clear();
        }
        Ok(())
    }

    /// Fails when the log went backwards: it may have lost what was sent already, even if it has grown beyond that since, and
    /// what came in its place would never be sent. Only a watcher that has received nothing misses nothing.
    fn check_log(&mut self) -> Result<(), Error> {
        let (Rewinds { number, to }, after) = (self.watch.service.rewinds(), self.watch.wanted.after);
        if std::mem::replace(&mut self.rewinds, number) == number || after == 0 {
            return Ok(());
        }
        let ahead = after > to;
        let (revision, head) = (after, to);
        Err(if ahead {
            Error::RevisionAhead { revision, head }
        } else {
            Error::LogReplaced { revision, head }
        })
    }
}
