//! Whether this node wants traffic, as the standard health service tells it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::watch;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};
use tonic_health::{
    ServingStatus,
    pb::{
        HealthCheckRequest, HealthCheckResponse,
        health_server::{self, HealthServer},
    },
    server::{HealthReporter, HealthService, WatchStream},
};

/// What the health of this node is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The process, under the empty name.
    Process,
    /// `VerifyService`, which may do without the database for a while.
    Verify,
    /// The other services, which may not.
    Admin,
}

impl Subject {
    const ALL: [Self; 3] = [Self::Process, Self::Verify, Self::Admin];

    /// The names under which it is asked for.
    pub fn services(self) -> &'static [&'static str] {
        match self {
            Self::Process => &[""],
            Self::Verify => &["keystile.v1.VerifyService"],
            Self::Admin => &[
                "keystile.v1.AuditService",
                "keystile.v1.KeyService",
                "keystile.v1.ProjectService",
                "keystile.v1.ServiceAccountService",
            ],
        }
    }
}

/// Nothing is ready until it is told to be.
#[derive(Debug, Clone)]
pub struct Health {
    reporter: HealthReporter,
    ending: watch::Sender<bool>,
}

impl Health {
    pub async fn new() -> Self {
        let health = Self { reporter: HealthReporter::new(), ending: watch::Sender::new(false) };
        for subject in Subject::ALL {
            health.set_ready(subject, false).await;
        }
        health
    }

    pub async fn set_ready(&self, subject: Subject, ready: bool) {
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in subject.services() {
            self.reporter.set_service_status(*service, status).await;
        }
    }

    /// Not ready for good: whoever watches is told so, and then let go, or no drain would ever be complete.
    pub async fn end(&self) {
        for subject in Subject::ALL {
            self.set_ready(subject, false).await;
        }
        self.ending.send_replace(true);
    }

    pub(in crate::grpc) fn server(&self) -> HealthServer<HealthApi> {
        HealthServer::new(HealthApi {
            service: HealthService::from_health_reporter(self.reporter.clone()),
            ending: self.ending.subscribe(),
        })
    }
}

#[derive(Debug)]
pub(in crate::grpc) struct HealthApi {
    service: HealthService,
    ending: watch::Receiver<bool>,
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
        let mut ending = self.ending.clone();
        let watched = self.service.watch(request).await?;
        Ok(watched.map(|statuses| Watch {
            statuses,
            end: Box::pin(async move {
                // An error means that nobody is left to say it.
                let _ = ending.wait_for(|ending| *ending).await;
            }),
        }))
    }
}

/// Every status until the end, the last one included.
pub(in crate::grpc) struct Watch {
    statuses: WatchStream,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
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
