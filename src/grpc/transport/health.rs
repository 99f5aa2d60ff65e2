//! The standard health service: whether this node wants traffic.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Request, Response, Status};
use tonic_health::{
    ServingStatus,
    pb::{
        HealthCheckRequest, HealthCheckResponse,
        health_server::{self, HealthServer},
    },
    server::{HealthReporter, HealthService, WatchStream},
};

use super::methods::{ADMIN_ONLY_SERVICES, VERIFY_SERVICES};

/// What a health status is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The process, under the empty name.
    Process,
    /// The verify listener's services, which can do without the database for a while.
    Verify,
    /// The services of only the admin listener, which cannot.
    Admin,
}

impl Subject {
    const ALL: [Self; 3] = [Self::Process, Self::Verify, Self::Admin];

    /// The names of the services that it represents.
    pub fn services(self) -> &'static [String] {
        match self {
            Self::Process => &NO_NAME,
            Self::Verify => &VERIFY_SERVICES,
            Self::Admin => &ADMIN_ONLY_SERVICES,
        }
    }
}

static NO_NAME: [String; 1] = [String::new()];

/// Nothing is ready until [`Health::set_ready`] says so.
#[derive(Debug, Clone)]
pub struct Health {
    reporter: HealthReporter,
    /// Ends all watches.
    end: CancellationToken,
}

impl Health {
    pub async fn new() -> Self {
        let health = Self { reporter: HealthReporter::new(), end: CancellationToken::new() };
        for subject in Subject::ALL {
            health.set_ready(subject, false).await;
        }
        health
    }

    pub async fn set_ready(&self, subject: Subject, ready: bool) {
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in subject.services() {
            self.reporter.set_service_status(service, status).await;
        }
    }

    /// Sets everything to not ready for good. Watches send that and end, because an open one would hold up the drain.
    pub async fn end(&self) {
        for subject in Subject::ALL {
            self.set_ready(subject, false).await;
        }
        self.end.cancel();
    }

    pub(in crate::grpc) fn server(&self) -> HealthServer<HealthApi> {
        HealthServer::new(HealthApi {
            service: HealthService::from_health_reporter(self.reporter.clone()),
            end: self.end.clone(),
        })
    }
}

#[derive(Debug)]
pub(in crate::grpc) struct HealthApi {
    service: HealthService,
    end: CancellationToken,
}

#[tonic::async_trait]
impl health_server::Health for HealthApi {
    type WatchStream = Watch;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.service.check(request).await
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Watch>, Status> {
        let watched = self.service.watch(request).await?;
        Ok(watched.map(|statuses| Watch { statuses, end: Box::pin(self.end.clone().cancelled_owned()) }))
    }
}

/// The statuses until the end, the last one included.
pub(in crate::grpc) struct Watch {
    statuses: WatchStream,
    end: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Stream for Watch {
    type Item = Result<HealthCheckResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.statuses).poll_next(context) {
            Poll::Pending => self.end.as_mut().poll(context).map(|()| None),
            status => status,
        }
    }
}
