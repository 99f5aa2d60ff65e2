//! The two listeners: their services, and the layers that every call passes.

mod dispatch;

use std::{sync::Arc, time::Duration};

use proto::FILE_DESCRIPTOR_SET;
use tokio_util::sync::CancellationToken;
use tonic::{service::Routes, transport::Server};
use tonic_reflection::server::Builder as Reflection;
use tower::ServiceBuilder;

use crate::{
    ports::Credentials,
    verbs::{Service, Verifier},
};

use super::{
    api::{
        audit::AuditApi,
        callers::CallerApi,
        keys::KeyApi,
        projects::ProjectApi,
        roles::RoleApi,
        service_accounts::ServiceAccountApi,
        services::{
            audit_service_server::AuditServiceServer, caller_service_server::CallerServiceServer,
            key_service_server::KeyServiceServer, project_service_server::ProjectServiceServer,
            role_service_server::RoleServiceServer,
            service_account_service_server::ServiceAccountServiceServer,
            verify_service_server::VerifyServiceServer,
        },
        verify::VerifyApi,
    },
    transport::{
        authenticate::Authenticate,
        authorize::Authorize,
        health::Health,
        incoming::Listener,
        limits::Limit,
        methods::{ADMIN_SERVICES, VERIFY_SERVICES},
        observe::{Observe, Observer},
    },
    wire::transport_status::LARGEST_PUBLIC,
};
use dispatch::Dispatch;

#[derive(Debug, thiserror::Error)]
#[error("a listener failed: {0}")]
pub struct ServeError(#[from] tonic::transport::Error);

/// Serves `VerifyService` and `CallerService` until `stop` is cancelled and the calls in flight are answered. Dropped before, it ends all streams.
pub async fn serve_verify<C: Credentials>(
    listener: impl Into<Listener>,
    verifier: Arc<Verifier<C>>,
    health: &Health,
    observer: Arc<Observer>,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let stop = stop.child_token();
    let routes = public_routes(health, &VERIFY_SERVICES).add_service(CallerServiceServer::new(CallerApi));
    let api = VerifyApi { verifier: verifier.clone(), stop: stop.clone() };
    let dispatch = Dispatch(Some(VerifyServiceServer::new(api)));
    serve(listener.into(), observer, dispatch, routes, verifier, stop).await
}

/// Serves the other services, in the same way.
pub async fn serve_admin<C: Credentials>(
    listener: impl Into<Listener>,
    service: Service,
    verifier: Arc<Verifier<C>>,
    health: &Health,
    observer: Arc<Observer>,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let stop = stop.child_token();
    let routes = public_routes(health, &ADMIN_SERVICES)
        .add_service(CallerServiceServer::new(CallerApi))
        .add_service(KeyServiceServer::new(KeyApi(service.clone())))
        .add_service(ProjectServiceServer::new(ProjectApi(service.clone())))
        .add_service(RoleServiceServer::new(RoleApi(service.clone())))
        .add_service(ServiceAccountServiceServer::new(ServiceAccountApi(service.clone())))
        .add_service(AuditServiceServer::new(AuditApi {
            service,
            verifier: verifier.clone(),
            stop: stop.clone(),
        }));
    serve(listener.into(), observer, Dispatch(None), routes, verifier, stop).await
}

/// How often an idle connection gets a ping, and how long its answer may take.
const PING_EVERY: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(20);
/// The limits of one connection, so that no caller starves the others.
const MOST_STREAMS: u32 = 1024;
const MOST_PENDING_RESETS: usize = 64;
const LARGEST_HEADERS: u32 = 16 * 1024;

async fn serve<C: Credentials>(
    listener: Listener,
    observer: Arc<Observer>,
    dispatch: Dispatch<C>,
    routes: Routes,
    verifier: Arc<Verifier<C>>,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let connections = listener.connections.clone();
    // Streams run in tasks of their connections, which outlive this future.
    let _end_streams = stop.clone().drop_guard();
    let incoming = listener.connections(stop.clone());
    let layers = ServiceBuilder::new()
        .layer(Observe(observer))
        .layer(Limit)
        .layer(Authenticate(verifier.clone()))
        .layer(Authorize(verifier))
        .layer(dispatch);
    let serving = Server::builder()
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PONG_WITHIN))
        .max_concurrent_streams(MOST_STREAMS)
        .http2_max_pending_accept_reset_streams(Some(MOST_PENDING_RESETS))
        .http2_max_local_error_reset_streams(Some(MOST_PENDING_RESETS))
        .http2_max_header_list_size(LARGEST_HEADERS)
        .layer(layers)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    tokio::select! {
        served = serving => Ok(served?),
        never = connections.watch(stop) => never,
    }
}

/// Health, and reflection on `services`.
fn public_routes(health: &Health, services: &[String]) -> Routes {
    let reflection = || {
        services
            .iter()
            .map(String::as_str)
            .chain(["grpc.health.v1.Health"])
            .fold(Reflection::configure(), |reflection, name| reflection.with_service_name(name))
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // The messages in the details of errors, so that clients can print them.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = reflection().build_v1().expect("generated descriptors are valid");
    let v1alpha = reflection().build_v1alpha().expect("generated descriptors are valid");
    Routes::new(health.server().max_decoding_message_size(LARGEST_PUBLIC))
        .add_service(v1.max_decoding_message_size(LARGEST_PUBLIC))
        .add_service(v1alpha.max_decoding_message_size(LARGEST_PUBLIC))
}
