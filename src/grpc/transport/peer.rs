//! The other side of a connection, as the calls on it see it.

use std::{net::SocketAddr, ops::Deref, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{activity::Activity, connections::Connections, credential::ProvenCredential};

/// Each call has a clone of its connection's.
#[derive(Debug, Clone)]
pub(in crate::grpc) struct Peer(Arc<Shared>);

#[derive(Debug)]
pub(in crate::grpc) struct Shared {
    pub(in crate::grpc) address: Option<SocketAddr>,
    pub(in crate::grpc) proven: ProvenCredential,
    pub(in crate::grpc) activity: Arc<Activity>,
    pub(in crate::grpc) connections: Connections,
    /// Cancelled when the listener stops.
    pub(in crate::grpc) stop: CancellationToken,
}

impl Peer {
    pub(in crate::grpc) fn new(
        address: Option<SocketAddr>,
        activity: Arc<Activity>,
        connections: Connections,
        stop: CancellationToken,
    ) -> Self {
        Self(Arc::new(Shared { address, proven: ProvenCredential::default(), activity, connections, stop }))
    }
}

impl Deref for Peer {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
