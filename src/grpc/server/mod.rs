//! The two listeners.

mod front;

use std::{sync::Arc, time::Duration};

use proto::FILE_DESCRIPTOR_SET;
use tonic::{service::Routes, transport::Server};
use tonic_reflection::server::Builder as Reflection;
use tower::ServiceBuilder;

use crate::{
    grpc::wire::services::{
        audit_service_server::AuditServiceServer, key_service_server::KeyServiceServer,
        project_service_server::ProjectServiceServer,
        service_account_service_server::ServiceAccountServiceServer,
    },
    ports::Credentials,
    verbs::{Service, Verifier},
};

use super::{
    Health,
    api::{
        audit::AuditApi, keys::KeyApi, projects::ProjectApi, service_accounts::ServiceAccountApi,
        verify::VerifyApi,
    },
    transport::{
        authenticate::Authenticate,
        closing::Closing,
        incoming::Listener,
        limits::Limit,
        observe::{Observe, Observer},
    },
    wire::{services::verify_service_server::VerifyServiceServer, transport_status::LARGEST_PUBLIC},
};
use front::Front;

#[derive(Debug, thiserror::Error)]
#[error("a listener failed: {0}")]
pub struct ServeError(#[from] tonic::transport::Error);

/// Serves `VerifyService` until `shutdown` resolves and the calls in flight are answered.
pub async fn serve_verify<C: Credentials>(
    listener: impl Into<Listener>,
    verifier: Arc<Verifier<C>>,
    health: &Health,
    observer: Arc<Observer>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let routes = open_routes(health, &VERIFY);
    let (closer, closing) = Closing::new();
    let api = VerifyApi { verifier: verifier.clone(), closing: closing.clone() };
    let front = Front(Some(VerifyServiceServer::new(api)));
    serve(listener.into(), observer, front, routes, verifier, closing, closer.after(shutdown)).await
}

/// Serves everything else, in the same way.
pub async fn serve_admin<C: Credentials>(
    listener: impl Into<Listener>,
    service: Service,
    verifier: Arc<Verifier<C>>,
    health: &Health,
    observer: Arc<Observer>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (closer, closing) = Closing::new();
    let routes = open_routes(health, &ADMIN)
        .add_service(KeyServiceServer::new(KeyApi(service.clone())))
        .add_service(ProjectServiceServer::new(ProjectApi(service.clone())))
        .add_service(ServiceAccountServiceServer::new(ServiceAccountApi(service.clone())))
        .add_service(AuditServiceServer::new(AuditApi {
            service,
            verifier: verifier.clone(),
            closing: closing.clone(),
        }));
    serve(listener.into(), observer, Front(None), routes, verifier, closing, closer.after(shutdown)).await
}

pub(super) const VERIFY: [&str; 1] = ["keystile.v1.VerifyService"];
pub(super) const ADMIN: [&str; 4] = [
    "keystile.v1.AuditService",
    "keystile.v1.KeyService",
    "keystile.v1.ProjectService",
    "keystile.v1.ServiceAccountService",
];

/// How often a silent connection is asked whether it still lives, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(20);
/// What one connection may hold open or in pieces, so that no caller starves the others.
const MOST_STREAMS: u32 = 1024;
const MOST_PENDING_RESETS: usize = 64;
const LARGEST_HEADERS: u32 = 16 * 1024;

async fn serve<C: Credentials>(
    listener: Listener,
    observer: Arc<Observer>,
    front: Front<C>,
    routes: Routes,
    verifier: Arc<Verifier<C>>,
    closing: Closing,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let connections = listener.connections.clone();
    let incoming = listener.connections(closing.clone());
    let layers = ServiceBuilder::new()
        .layer(Observe(observer))
        .layer(Limit)
        .layer(Authenticate(verifier))
        .layer(front);
    let serving = Server::builder()
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PONG_WITHIN))
        .max_concurrent_streams(MOST_STREAMS)
        .http2_max_pending_accept_reset_streams(Some(MOST_PENDING_RESETS))
        .http2_max_local_error_reset_streams(Some(MOST_PENDING_RESETS))
        .http2_max_header_list_size(LARGEST_HEADERS)
        .layer(layers)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, shutdown);
    tokio::select! {
        served = serving => Ok(served?),
        never = connections.watch(closing) => never,
    }
}

/// Health, and reflection on `services`.
fn open_routes(health: &Health, services: &[&str]) -> Routes {
    let reflection = || {
        services
            .iter()
            .chain(&["grpc.health.v1.Health"])
            .fold(Reflection::configure(), |reflection, name| reflection.with_service_name(*name))
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // What the details of errors are made of, so that clients can print them.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = reflection().build_v1().expect("the descriptors are our own");
    let v1alpha = reflection().build_v1alpha().expect("the descriptors are our own");
    Routes::new(health.server().max_decoding_message_size(LARGEST_PUBLIC))
        .add_service(v1.max_decoding_message_size(LARGEST_PUBLIC))
        .add_service(v1alpha.max_decoding_message_size(LARGEST_PUBLIC))
}
