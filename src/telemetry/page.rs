//! The listener for metrics: one page, for Prometheus and whoever reads its text.

use std::{future::Future, io};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use super::Metrics;

/// The version of the format, as Prometheus asks for it.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves `/metrics` until `stop` resolves.
pub async fn serve(
    listener: TcpListener,
    metrics: Metrics,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let page = Router::new()
        .route("/metrics", get(move || std::future::ready(page(&metrics))))
        .fallback((StatusCode::NOT_FOUND, "the metrics are at /metrics\n"));
    tokio::select! {
        biased;
        () = stop => Ok(()),
        ended = axum::serve(listener, page).into_future() => ended,
    }
}

fn page(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
