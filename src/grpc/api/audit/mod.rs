//! AuditService on the wire.

mod watch;

use std::{sync::Arc, time::Duration};

use domain::{
    Invalid,
    query::{event_filter, event_order},
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::{
    grpc::{
        api::services::audit_service_server::AuditService,
        transport::{caller::StreamCaller, limits},
        wire::{faults::Faults, paging::PageRequest},
    },
    ports::Credentials,
    verbs::{ChainRequest, Error, ListEvents, Service, Verifier},
};

use super::call::caller;
use watch::{Events, Watch};

#[derive(Debug)]
pub(in crate::grpc) struct AuditApi<C> {
    pub(in crate::grpc) service: Service,
    pub(in crate::grpc) verifier: Arc<Verifier<C>>,
    pub(in crate::grpc) stop: CancellationToken,
}

#[tonic::async_trait]
impl<C: Credentials> AuditService for AuditApi<C> {
    async fn list_audit_events(
        &self,
        request: Request<proto::ListAuditEventsRequest>,
    ) -> Result<Response<proto::ListAuditEventsResponse>, Status> {
        let caller = caller(&request);
        let request = request.into_inner();
        let wanted = PageRequest {
            listing: format!("events\n{}\n{}\n{}", request.parent, request.filter, request.order_by),
            size: request.page_size,
            token: &request.page_token,
        };
        let listing = self.service.list_audit_events(&caller, listing(&request, &wanted)?).await?;
        let (audit_events, next_page_token) = wanted.cut(listing, Into::into);
        Ok(Response::new(proto::ListAuditEventsResponse { audit_events, next_page_token }))
    }

    async fn verify_audit_chain(
        &self,
        request: Request<proto::VerifyAuditChainRequest>,
    ) -> Result<Response<proto::VerifyAuditChainResponse>, Status> {
        let caller = caller(&request);
        // A caller that may not verify the chain learns nothing of what else is wrong.
        Service::check_may_verify_chain(&caller)?;
        let chain = chain(request.get_ref(), limits::patience(request.metadata()))?;
        let report = self.service.verify_audit_chain(&caller, chain).await?;
        Ok(Response::new(proto::VerifyAuditChainResponse {
            intact: report.fault.is_none(),
            complete: report.complete,
            checked_through_revision: report.through,
            checked_events: i64::try_from(report.checked).unwrap_or(i64::MAX),
            head_revision: report.head.revision,
            head_hash: report.head.hash.to_vec(),
            first_broken_revision: report.fault.map_or(0, |fault| fault.revision),
            problem: report.fault.map_or(String::new(), |fault| fault.problem.to_owned()),
        }))
    }

    type WatchAuditEventsStream = Events;

    async fn watch_audit_events(
        &self,
        request: Request<proto::WatchAuditEventsRequest>,
    ) -> Result<Response<Events>, Status> {
        let watch = Watch {
            service: self.service.clone(),
            session: StreamCaller::of(&self.verifier, request.extensions())?,
            caller: caller(&request),
            stop: self.stop.clone(),
            wanted: request.into_inner().try_into()?,
        };
        Ok(Response::new(watch.events().await?))
    }
}

fn listing(request: &proto::ListAuditEventsRequest, wanted: &PageRequest<'_>) -> Result<ListEvents, Error> {
    let mut faults = Faults::default();
    let scope = faults.read("parent", &request.parent);
    let filter = faults.filter("filter", &request.filter, event_filter);
    let order = faults.take("order_by", event_order(&request.order_by));
    let page = wanted.page(&mut faults, order)?;
    let (Some(scope), Some(filter), Some(page)) = (scope, filter, page) else {
        return faults.finish(None);
    };
    faults.finish(Some(ListEvents { scope, filter, page }))
}

fn chain(request: &proto::VerifyAuditChainRequest, patience: Duration) -> Result<ChainRequest, Error> {
    let mut faults = Faults::default();
    let start = faults.not_negative("start_revision", request.start_revision);
    let end = faults.not_negative("end_revision", request.end_revision);
    if request.end_revision > 0 && request.start_revision > request.end_revision {
        faults.take::<()>("end_revision", Err(Invalid::new("must not be before start_revision")));
    }
    let (start, end) = faults.finish(start.zip(end))?;
    Ok(ChainRequest { start, end, patience })
}
