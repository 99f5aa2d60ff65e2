//! The listening sockets, bound before anything else, so that a port in use is reported at once.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::net::TcpListener;

use crate::config::ListenConfig;

/// All listeners, bound.
#[derive(Debug)]
pub struct Listeners {
    pub verify: TcpListener,
    pub admin: TcpListener,
    pub metrics: TcpListener,
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: cannot listen on {address}: {source}")]
pub struct BindError {
    pub variable: &'static str,
    pub address: SocketAddr,
    pub source: io::Error,
}

impl Listeners {
    pub async fn bind(config: &ListenConfig) -> Result<Self, BindError> {
        Ok(Self {
            verify: bind("KEYSTILE_VERIFY_LISTEN", config.verify).await?,
            admin: bind("KEYSTILE_ADMIN_LISTEN", config.admin).await?,
            metrics: bind("KEYSTILE_METRICS_LISTEN", config.metrics).await?,
        })
    }
}

/// The address at which this machine reaches a listener: loopback for one that listens on every address.
pub fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

async fn bind(variable: &'static str, address: SocketAddr) -> Result<TcpListener, BindError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| BindError { variable, address, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_reached_through_loopback() {
        for (listener, reached) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.7:1", "10.0.0.7:1")]
        {
            let listener: SocketAddr = listener.parse().unwrap();
            assert_eq!(reachable(listener).to_string(), reached);
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_reported_with_its_variable() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let free = "127.0.0.1:0".parse().unwrap();
        let admin = taken.local_addr().unwrap();
        let config = ListenConfig { verify: free, admin, metrics: free, insecure: false };
        let fault = Listeners::bind(&config).await.unwrap_err().to_string();
        let start = format!("KEYSTILE_ADMIN_LISTEN: cannot listen on {}: ", config.admin);
        assert!(fault.starts_with(&start), "{fault}");
    }
}
