//! VerifyAuditChain: whether the change log is as it was written.

use crate::{
    domain::{
        Revision,
        audit::{Fault, GENESIS, Head},
    },
    service::{Error, Service},
};

/// Which revisions to check, both included; 0 is the first, and the newest.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChainRequest {
    pub start: Revision,
    pub end: Revision,
}

#[derive(Debug, Clone, Copy)]
pub struct ChainReport {
    pub checked: u64,
    pub head: Head,
    pub fault: Option<Fault>,
}

const BATCH: u64 = 1000;

impl Service {
    pub async fn verify_audit_chain(&self, request: ChainRequest) -> Result<ChainReport, Error> {
        let head = self.store.head().await?;
        let end = if request.end == 0 { head.revision } else { request.end.min(head.revision) };
        let mut previous = self.before(request.start.max(1)).await?;
        let mut checked = 0;
        let broken = |checked, fault| Ok(ChainReport { checked, head, fault: Some(fault) });
        while previous.revision < end {
            let events = self.store.events_from(previous.revision + 1, BATCH).await?;
            if events.is_empty() {
                let fault = Fault { revision: previous.revision + 1, problem: "the event is missing" };
                return broken(checked, fault);
            }
            for event in events.iter().take_while(|event| event.revision <= end) {
                if let Some(fault) = event.fault_after(&previous) {
                    return broken(checked, fault);
                }
                previous = event.head();
                checked += 1;
            }
            // A gap may leave only events beyond the end.
            if events.iter().all(|event| event.revision > end) {
                let fault = Fault { revision: previous.revision + 1, problem: "the event is missing" };
                return broken(checked, fault);
            }
        }
        if end == head.revision && previous != head {
            let fault =
                Fault { revision: head.revision, problem: "it is not the event that the log ends with" };
            return broken(checked, fault);
        }
        Ok(ChainReport { checked, head, fault: None })
    }

    /// What the event at `start` must follow.
    async fn before(&self, start: Revision) -> Result<Head, Error> {
        if start == 1 {
            return Ok(Head { revision: 0, hash: GENESIS });
        }
        let event = self.store.events_from(start - 1, 1).await?.pop().filter(|it| it.revision == start - 1);
        // When it is missing, its successor will not follow from this.
        Ok(event.map_or(Head { revision: start - 1, hash: GENESIS }, |event| event.head()))
    }
}
