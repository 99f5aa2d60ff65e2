//! Serving: all listeners and the work in the background, from the first call to the word "stop".

use std::{future::Future, io, sync::Arc};

use tokio::{net::TcpListener, task::JoinSet};
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
    App, Listeners, ServeError, Stopped, descriptors,
    drain::Running,
    housekeeping, metrics,
    readiness::Monitor,
    stop::{Stopper, Worker},
};

/// How one listener ended.
pub(super) type ServerEnd = (&'static str, Result<(), grpc::ServeError>);

impl App {
    /// Serves until `shutdown` resolves, then lets calls under way end, and writes down what is still to be written.
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
            Some(end) = running.servers.join_next() => Some(end),
        };
        let stopped = running.stop().await;
        match failure {
            None => Ok(stopped),
            Some(end) => Err(why(end)),
        }
    }

    async fn start(self, listeners: Listeners) -> Result<Running, ServeError> {
        let (queue, writer) = recorder::recorder(Arc::clone(&self.store) as _, Arc::clone(&self.clock));
        let metrics = Metrics::new();
        metrics::decisions(&metrics.meter(), queue.decisions());
        metrics::rewinds(&metrics.meter(), Arc::clone(&self.cache));
        let observer = Observer::new(&metrics.meter(), Arc::clone(&self.clock), traces(&self.traces)?);
        let observer = Arc::new(observer);
        let health = Health::new().await;
        // The database answered a moment ago.
        for subject in [Subject::Process, Subject::Verify, Subject::Admin] {
            health.set_ready(subject, true).await;
        }
        let Listeners { verify, admin, metrics: page } = listeners;
        let (closing, servers) = self.listen((verify, admin), queue, &health, &observer);
        let monitor = Monitor {
            store: Arc::clone(&self.store) as _,
            cache: Arc::clone(&self.cache),
            health: health.clone(),
        };
        let follower = Follower::new(self.cache, self.store.wakeups(), self.feed_poll);
        Ok(Running {
            closing,
            servers,
            observer,
            page: Worker::start("metrics", |stop| telemetry::serve(page, metrics, stop.told())),
            monitor: Worker::start("readiness", |stop| monitor.run(stop)),
            housekeeper: {
                let service = self.service.clone();
                Worker::start("housekeeping", |stop| housekeeping::keep(service, stop))
            },
            service: self.service,
            follower: Worker::start("follower", |stop| follower.run(stop.told())),
            writer: Worker::start("recorder", |stop| writer.run(stop.told())),
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
    ) -> (Stopper, JoinSet<ServerEnd>) {
        let verifier = Arc::new(Verifier::new(
            Arc::clone(&self.cache),
            Arc::clone(&self.clock),
            Arc::clone(&self.peppers),
            self.mark_key,
            Arc::new(queue),
        ));
        let (closing, stop) = Stopper::new();
        let [to_verify, to_admin] = Connections::of_two(descriptors::shares(self.database_connections));
        let verify = Listener { socket: verify, connections: to_verify };
        let admin = Listener { socket: admin, connections: to_admin };
        let mut servers = JoinSet::new();
        servers.spawn({
            let (verifier, health, stop) = (Arc::clone(&verifier), health.clone(), stop.clone());
            let observer = Arc::clone(observer);
            async move {
                let served = grpc::serve_verify(verify, verifier, &health, observer, stop.told()).await;
                ("verify", served)
            }
        });
        servers.spawn({
            let (service, health, observer) = (self.service.clone(), health.clone(), Arc::clone(observer));
            async move {
                let served =
                    grpc::serve_admin(admin, service, verifier, &health, observer, stop.told()).await;
                ("admin", served)
            }
        });
        (closing, servers)
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
        warn_if_open(listener)?;
    }
    Ok(())
}

fn traces(config: &TracesConfig) -> Result<Option<Traces>, TracesError> {
    let TracesConfig { collector, sampling } = config;
    let start = |collector: &String| Traces::start(collector, sampling.share, sampling.follows_callers);
    collector.as_ref().map(start).transpose()
}

fn warn_if_open(listener: &TcpListener) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().to_canonical().is_loopback() {
        warn!(listener.address = %address, "other machines reach this listener in plaintext, as KEYSTILE_INSECURE asks for");
    }
    Ok(())
}

fn why(end: Result<ServerEnd, tokio::task::JoinError>) -> ServeError {
    match end {
        Ok((listener, Err(source))) => ServeError::Listener { listener, source },
        Ok((listener, Ok(()))) => ServeError::Ended { listener },
        Err(failure) => ServeError::Broken(failure),
    }
}
