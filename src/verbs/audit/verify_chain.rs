//! VerifyAuditChain: whether the change log is as it was written.

use std::time::Duration;

use domain::{
    Revision,
    access::Projects,
    audit::{Event, Fault, GENESIS, Head},
};

use crate::verbs::{Caller, Error, Service};

/// Which revisions to check, both included; 0 is the first, and the newest.
#[derive(Debug, Clone, Copy)]
pub struct ChainRequest {
    pub start: Revision,
    pub end: Revision,
    /// How long it may take; at least one portion of the log is checked.
    pub patience: Duration,
}

#[derive(Debug, Clone, Copy)]
pub struct ChainReport {
    pub checked: u64,
    /// The last that was checked; 0 when there was none.
    pub through: Revision,
    /// Whether everything that was to be checked was, or a fault was found before.
    pub complete: bool,
    pub head: Head,
    pub fault: Option<Fault>,
}

/// Few enough that the largest events fit into memory together.
const BATCH: u64 = 100;

impl Service {
    /// The chain goes through the events of all projects, so the caller must be allowed to act on all of them.
    pub fn check_may_verify_chain(caller: &Caller) -> Result<(), Error> {
        if *caller.projects() == Projects::All {
            return Ok(());
        }
        Err(Error::ProjectDenied { project: Projects::All.to_string() })
    }

    pub async fn verify_audit_chain(
        &self,
        caller: &Caller,
        request: ChainRequest,
    ) -> Result<ChainReport, Error> {
        Self::check_may_verify_chain(caller)?;
        let latest = self.clock.uptime() + request.patience;
        let head = self.store.head().await?;
        let start = request.start.max(1);
        let end = if request.end == 0 { head.revision } else { request.end.min(head.revision) };
        let mut report = ChainReport { checked: 0, through: 0, complete: true, head, fault: None };
        if start > head.revision + 1 {
            return Err(Error::RevisionAhead { revision: start, head: head.revision });
        }
        if start > end.max(1) {
            return Ok(report);
        }
        if start == 1 {
            report.fault = self.before_the_first(caller).await?;
        }
        if report.fault.is_none() {
            self.check(caller, start, end, latest, &mut report).await?;
        }
        if report.complete && report.fault.is_none() && end == head.revision {
            report.fault = self.behind(caller, &head).await?;
        }
        Ok(report)
    }

    /// Checks each event up to `end`, and that the log ends with its head if that is where it ends.
    async fn check(
        &self,
        caller: &Caller,
        start: Revision,
        end: Revision,
        latest: Duration,
        report: &mut ChainReport,
    ) -> Result<(), Error> {
        let mut previous = self.before(caller, start).await?;
        while previous.revision < end {
            if report.checked > 0 && self.clock.uptime() >= latest {
                report.complete = false;
                return Ok(());
            }
            let mut events = self.log_from(caller, previous.revision + 1, BATCH).await?;
            // A gap may leave only events beyond the end.
            events.retain(|event| event.revision <= end);
            if events.is_empty() {
                report.fault =
                    Some(Fault { revision: previous.revision + 1, problem: "the event is missing" });
                return Ok(());
            }
            for event in events {
                report.checked += 1;
                report.through = event.revision;
                report.fault = event.fault_after(&previous);
                if report.fault.is_some() {
                    return Ok(());
                }
                previous = event.head();
            }
        }
        if end == report.head.revision && previous != report.head {
            report.fault = Some(Fault {
                revision: report.head.revision,
                problem: "the event is not the head of the log",
            });
        }
        Ok(())
    }

    async fn before_the_first(&self, caller: &Caller) -> Result<Option<Fault>, Error> {
        let first = self.log_from(caller, Revision::MIN, 1).await?.pop();
        Ok(first
            .filter(|event| event.revision < 1)
            .map(|event| Fault { revision: event.revision, problem: "the event precedes revision 1" }))
    }

    /// An event after the head was not written by a change, unless the head has moved meanwhile.
    async fn behind(&self, caller: &Caller, head: &Head) -> Result<Option<Fault>, Error> {
        let Some(event) = self.log_from(caller, head.revision + 1, 1).await?.pop() else {
            return Ok(None);
        };
        let head = self.store.head().await?;
        Ok((event.revision > head.revision).then_some(Fault {
            revision: event.revision,
            problem: "the event follows the head of the change log",
        }))
    }

    /// What the event at `start` must follow.
    async fn before(&self, caller: &Caller, start: Revision) -> Result<Head, Error> {
        if start == 1 {
            return Ok(Head { revision: 0, hash: GENESIS });
        }
        let event = self.log_from(caller, start - 1, 1).await?.pop().filter(|it| it.revision == start - 1);
        // When it is missing, its successor will not follow from this.
        Ok(event.map_or(Head { revision: start - 1, hash: GENESIS }, |event| event.head()))
    }

    /// Reads the log on behalf of a caller.
    async fn log_from(&self, _: &Caller, start: Revision, most: u64) -> Result<Vec<Event>, Error> {
        Ok(self.store.events_from(start, most).await?)
    }
}
