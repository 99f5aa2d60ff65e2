//! Whether this node wants traffic, as the standard health service tells it.

use tonic_health::{
    ServingStatus,
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};

/// The services that the health of this node speaks for, besides the empty name for all of it.
const SERVICES: [&str; 6] = [
    "",
    "keystile.v1.AuditService",
    "keystile.v1.KeyService",
    "keystile.v1.ProjectService",
    "keystile.v1.ServiceAccountService",
    "keystile.v1.VerifyService",
];

/// Not ready until it is told to be.
#[derive(Debug, Clone)]
pub struct Health(HealthReporter);

impl Health {
    pub async fn new() -> Self {
        let health = Self(HealthReporter::new());
        health.set_ready(false).await;
        health
    }

    pub async fn set_ready(&self, ready: bool) {
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in SERVICES {
            self.0.set_service_status(service, status).await;
        }
    }

    /// Ends every Watch under way: each is a call that would otherwise outlast any drain.
    pub async fn end(&self) {
        let mut reporter = self.0.clone();
        for service in SERVICES {
            reporter.clear_service_status(service).await;
        }
    }

    pub(super) fn server(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.0.clone()))
    }
}
