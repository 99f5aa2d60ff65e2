//! Replicas: processes on one database, and a caller of each with the same credential.

use std::time::Duration;

use keystile::store::Location;
use proto::{
    Code, ListAuditEventsRequest, RevokeKeyRequest, VerifyRequest, VerifyResponse, WatchAuditEventsRequest,
    watch_audit_events_response::Content,
};
use testkit::database::Database;
use tokio::time::{sleep, timeout};
use tonic::Status;

use crate::home::{Caller, Home, Serving};

/// A generous limit for background work of a replica, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) replicas: Vec<Serving>,
    pub(crate) callers: Vec<Caller>,
}

impl Cluster {
    /// With the project `acme`.
    pub(crate) async fn start(database: &Database, number: usize, settings: &[(&str, &str)]) -> Self {
        Self::start_at(&database.location, number, settings).await
    }

    pub(crate) async fn start_at(location: &Location, number: usize, settings: &[(&str, &str)]) -> Self {
        let mut home = Home::at(location);
        for (name, value) in settings {
            home = home.with(name, value);
        }
        let mut replicas = vec![home.serve().await];
        let root = replicas[0].root().await;
        replicas[0].caller(&root).create_project().await;
        while replicas.len() < number {
            replicas.push(home.serve().await);
        }
        let callers = replicas.iter().map(|it| it.caller(&root)).collect();
        Self { replicas, callers }
    }

    pub(crate) async fn stop(self) {
        for replica in self.replicas {
            replica.stop().await;
        }
    }
}

impl Caller {
    pub(crate) async fn verified(&self, api_key: &str) -> Result<VerifyResponse, Status> {
        let request = VerifyRequest { api_key: api_key.into(), ..Default::default() };
        self.verifier().verify(request).await.map(tonic::Response::into_inner)
    }

    /// Verifies until the code is as expected.
    pub(crate) async fn wait_for_code(&self, api_key: &str, code: Code) {
        self.wait_for_response(api_key, |answer| answer.as_ref().is_ok_and(|answer| answer.code() == code))
            .await;
    }

    /// Verifies until the response is as wanted, and returns all responses until then.
    pub(crate) async fn wait_for_response(
        &self,
        api_key: &str,
        wanted: impl Fn(&Result<VerifyResponse, Status>) -> bool,
    ) -> Vec<Result<VerifyResponse, Status>> {
        let mut seen = Vec::new();
        let asking = timeout(PATIENCE, async {
            loop {
                let answer = self.verified(api_key).await;
                let done = wanted(&answer);
                seen.push(answer);
                if done {
                    return;
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
        if asking.await.is_err() {
            panic!("the response stays {:?}", seen.last());
        }
        seen
    }

    /// Revokes a key, and returns the revision.
    pub(crate) async fn revoke_at(&self, name: &str) -> i64 {
        let request = RevokeKeyRequest { name: name.into(), ..Default::default() };
        self.keys().revoke_key(request).await.unwrap().into_inner().key.unwrap().revision
    }

    /// The newest revision in the database.
    pub(crate) async fn head(&self) -> i64 {
        let request =
            ListAuditEventsRequest { parent: "projects/-".into(), page_size: 1, ..Default::default() };
        let listed = self.audit().list_audit_events(request).await.unwrap();
        listed.into_inner().audit_events[0].revision
    }

    /// Waits for this many seconds by the server's clock, by counting its heartbeats.
    pub(crate) async fn heartbeats(&self, seconds: usize) {
        let second = Some(prost_types::Duration { seconds: 1, nanos: 0 });
        let request = WatchAuditEventsRequest {
            parent: "projects/nobody".into(),
            after_revision: self.head().await,
            heartbeat_interval: second,
        };
        let mut watch = self.audit().watch_audit_events(request).await.unwrap().into_inner();
        // The first heartbeat comes at once.
        for _ in 0..=seconds {
            let message = watch.message().await.unwrap().unwrap();
            assert!(matches!(message.content, Some(Content::Heartbeat(_))));
        }
    }
}
