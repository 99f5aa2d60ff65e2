//! The metrics listener: one page, in the text format of Prometheus.

use std::{collections::VecDeque, time::Duration};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

use super::Metrics;

/// The version of the format, as Prometheus asks for it.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Most open connections. One more ends the oldest, so that a new scrape is always answered.
const MOST_CONNECTIONS: usize = 32;
/// How long one connection may last.
const LONGEST: Duration = Duration::from_secs(10);
/// Pause after a failure such as a lack of file descriptors, which would repeat at once.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves `/metrics` until `stop` resolves.
pub async fn serve(listener: TcpListener, metrics: Metrics, stop: impl Future<Output = ()>) {
    let page = Router::new()
        .route("/metrics", get(move || std::future::ready(page(&metrics))))
        .fallback((StatusCode::NOT_FOUND, "the metrics are at /metrics\n"));
    tokio::select! {
        biased;
        () = stop => {}
        () = answer(listener, page) => {}
    }
}

async fn answer(listener: TcpListener, page: Router) {
    let mut open = JoinSet::new();
    let mut oldest = VecDeque::with_capacity(MOST_CONNECTIONS);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(error = %error, "a connection to the metrics listener could not be accepted");
                sleep(PAUSE).await;
                continue;
            }
        };
        while open.try_join_next().is_some() {}
        oldest.retain(|connection: &AbortHandle| !connection.is_finished());
        if oldest.len() >= MOST_CONNECTIONS
            && let Some(connection) = oldest.pop_front()
        {
            connection.abort();
        }
        let service = TowerToHyperService::new(page.clone());
        // No keep-alive: an idle connection would take the place of another.
        let connection =
            http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
        oldest.push_back(open.spawn(async {
            // A failure concerns only the client.
            let _ = timeout(LONGEST, connection).await;
        }));
    }
}

fn page(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "the metrics cannot be encoded");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
