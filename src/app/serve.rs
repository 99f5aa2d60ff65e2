//! Serving: starts the listeners and the background work, and stops them in order.

use std::{future::Future, io, sync::Arc};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    cache::Follower,
    config::TracesConfig,
    grpc::{self, Connections, Health, Listener, Observer, Subject},
    recorder::{self, Queue},
    telemetry::{self, Metrics, Traces, TracesError},
    verbs::Verifier,
};

use super::{
    App, Listeners, ServeError, Stopped, descriptors, housekeeping, metrics,
    readiness::Monitor,
    servers::Servers,
    shutdown::Running,
    worker::{Stage, Worker, Workers},
};

impl App {
    /// Serves until `shutdown` resolves, then waits for calls under way, and records what is still to be recorded.
    pub async fn serve(
        self,
        listeners: Listeners,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Stopped, ServeError> {
        announce(&listeners, self.database_kind)?;
        let mut running = self.start(listeners).await?;
        let failure = tokio::select! {
            biased;
            () = shutdown => None,
            failure = running.servers.failure() => Some(failure),
        };
        let stopped = running.stop().await;
        failure.map_or(Ok(stopped), Err)
    }

    async fn start(self, listeners: Listeners) -> Result<Running, ServeError> {
        let (queue, writer) = recorder::recorder(Arc::clone(&self.store) as _, Arc::clone(&self.clock));
        let metrics = Metrics::new();
        metrics::decisions(&metrics.meter(), queue.decisions());
        metrics::rewinds(&metrics.meter(), Arc::clone(&self.cache));
        let observer = Observer::new(&metrics.meter(), Arc::clone(&self.clock), traces(&self.traces)?);
        let observer = Arc::new(observer);
        let health = Health::new().await;
        // The database has just answered.
        for subject in [Subject::Process, Subject::Verify, Subject::Admin] {
            health.set_ready(subject, true).await;
        }
        let Listeners { verify, admin, metrics: page } = listeners;
        let servers = self.listen((verify, admin), queue, &health, &observer);
        let monitor = Monitor {
            store: Arc::clone(&self.store) as _,
            cache: Arc::clone(&self.cache),
            health: health.clone(),
        };
        let follower = Follower::new(self.cache, self.store.wakeups(), self.feed_poll);
        let service = self.service.clone();
        let mut workers = Workers::default();
        workers.start(Stage::First, "readiness", |stop| monitor.run(stop));
        workers.start(Stage::AfterCalls, "housekeeping", |stop| housekeeping::run(service, stop));
        workers.start(Stage::AfterChanges, "follower", |stop| follower.run(stop.cancelled_owned()));
        workers.start(Stage::Last, "metrics", |stop| telemetry::serve(page, metrics, stop.cancelled_owned()));
        Ok(Running {
            servers,
            workers,
            writer: Worker::start("recorder", |stop| writer.run(stop.cancelled_owned())),
            service: self.service,
            observer,
            health,
            store: self.store,
            deadline: self.drain_deadline,
        })
    }

    fn listen(
        &self,
        (verify, admin): (TcpListener, TcpListener),
        queue: Queue,
        health: &Health,
        observer: &Arc<Observer>,
    ) -> Servers {
        let verifier = Arc::new(Verifier::new(
            Arc::clone(&self.cache),
            Arc::clone(&self.clock),
            Arc::clone(&self.peppers),
            self.mark_key,
            Arc::new(queue),
        ));
        let [to_verify, to_admin] = Connections::of_two(descriptors::shares(self.database_connections));
        let verify = Listener { socket: verify, connections: to_verify };
        let admin = Listener { socket: admin, connections: to_admin };
        let stop = CancellationToken::new();
        let mut servers = Servers::new(stop.clone());
        servers.spawn("verify", {
            let (verifier, health, stop) = (Arc::clone(&verifier), health.clone(), stop.clone());
            let observer = Arc::clone(observer);
            async move { grpc::serve_verify(verify, verifier, &health, observer, stop).await }
        });
        servers.spawn("admin", {
            let (service, health, observer) = (self.service.clone(), health.clone(), Arc::clone(observer));
            async move { grpc::serve_admin(admin, service, verifier, &health, observer, stop).await }
        });
        servers
    }
}

fn announce(listeners: &Listeners, database_kind: &str) -> io::Result<()> {
    let Listeners { verify, admin, metrics } = listeners;
    info!(
        version = env!("CARGO_PKG_VERSION"),
        listener.verify = %verify.local_addr()?,
        listener.admin = %admin.local_addr()?,
        listener.metrics = %metrics.local_addr()?,
        database.kind = database_kind,
        "serving"
    );
    for listener in [verify, admin, metrics] {
        warn_if_exposed(listener)?;
    }
    Ok(())
}

fn traces(config: &TracesConfig) -> Result<Option<Traces>, TracesError> {
    let TracesConfig { collector, sampling } = config;
    let start = |collector: &String| Traces::start(collector, sampling.share, sampling.follows_callers);
    collector.as_ref().map(start).transpose()
}

fn warn_if_exposed(listener: &TcpListener) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().to_canonical().is_loopback() {
        warn!(listener.address = %address, "this listener is reachable from other machines in plaintext (KEYSTILE_INSECURE)");
    }
    Ok(())
}
