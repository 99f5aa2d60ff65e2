//! The command line's health check, over the standard health service.

use std::{net::SocketAddr, time::Duration};

use tokio::time::timeout;
use tonic::transport::Endpoint;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{config::ListenConfig, grpc::Subject};

use super::reachable;

/// Asks each listener whether its services are ready.
pub async fn check_health(listen: &ListenConfig) -> Result<(), Unhealthy> {
    for (listener, address, subject) in
        [("verify", listen.verify, Subject::Verify), ("admin", listen.admin, Subject::Admin)]
    {
        let address = reachable(address);
        let answer = match timeout(PATIENCE, ask(address, subject)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        answer.map_err(|why| Unhealthy { listener, address, why })?;
    }
    Ok(())
}

/// The first listener that is not ready.
#[derive(Debug, thiserror::Error)]
#[error("the {listener} listener at {address} is not ready: {why}")]
pub struct Unhealthy {
    pub listener: &'static str,
    pub address: SocketAddr,
    pub why: String,
}

/// For each listener.
const PATIENCE: Duration = Duration::from_millis(1500);

async fn ask(address: SocketAddr, subject: Subject) -> Result<(), String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| error.to_string())?;
    // The outer error says only "transport error".
    let channel = endpoint.connect().await.map_err(|error| root_cause(&error))?;
    let mut client = HealthClient::new(channel);
    for service in subject.services() {
        let answer = client
            .check(HealthCheckRequest { service: service.clone() })
            .await
            .map_err(|status| format!("{} ({:?})", status.message(), status.code()))?;
        let status = answer.into_inner().status();
        if status != ServingStatus::Serving {
            return Err(format!("{service} is {}", status.as_str_name()));
        }
    }
    Ok(())
}

fn root_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root_cause)
}
