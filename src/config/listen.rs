//! The addresses of the listeners.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::settings::Settings;
use super::values::boolean;

/// The addresses to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenConfig {
    /// `KEYSTILE_VERIFY_LISTEN`: IP address and port of the Verify listener; port 0 lets the system choose.
    pub verify: SocketAddr,
    /// `KEYSTILE_ADMIN_LISTEN`: IP address and port of the admin listener; port 0 lets the system choose.
    pub admin: SocketAddr,
    /// `KEYSTILE_METRICS_LISTEN`: IP address and port of the metrics listener; port 0 lets the system choose.
    pub metrics: SocketAddr,
    /// `KEYSTILE_INSECURE`: `true` allows plaintext on addresses that other machines reach.
    pub insecure: bool,
}

const VERIFY: &str = "KEYSTILE_VERIFY_LISTEN";
const ADMIN: &str = "KEYSTILE_ADMIN_LISTEN";
const METRICS: &str = "KEYSTILE_METRICS_LISTEN";

impl ListenConfig {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let config = Self {
            verify: settings.value(VERIFY, loopback(50051), address),
            admin: settings.value(ADMIN, loopback(50052), address),
            metrics: settings.value(METRICS, loopback(9464), address),
            insecure: settings.value("KEYSTILE_INSECURE", false, boolean),
        };
        let all = [(VERIFY, config.verify), (ADMIN, config.admin), (METRICS, config.metrics)];
        for (at, (name, address)) in all.into_iter().enumerate() {
            if !config.insecure && !address.ip().to_canonical().is_loopback() {
                settings.fault(
                    name,
                    format!(
                        "{address} is reachable from other machines, and TLS is not available yet: {CURE}"
                    ),
                );
            }
            let taken = all[..at].iter().find(|(_, other)| *other == address && address.port() != 0);
            if let Some((other, _)) = taken {
                settings
                    .fault(name, format!("{address} is also the address in {other}: choose another port"));
            }
        }
        config
    }
}

const CURE: &str = "put a TLS proxy in front and set KEYSTILE_INSECURE=true, or listen on 127.0.0.1";

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is not an IP address and port, such as 127.0.0.1:50051 or [::1]:50051")
    })
}
