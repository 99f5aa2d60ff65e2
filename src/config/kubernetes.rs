//! The variables that Kubernetes sets in every pod for a Service whose name begins with `keystile`.
//!
//! Its names become ours: a Service `keystile` yields `KEYSTILE_PORT`, and `keystile-admin` yields
//! `KEYSTILE_ADMIN_SERVICE_HOST`. Only what the kubelet itself writes is recognised: the variables of one
//! Service share an address, and each has a value of a fixed form. So a misspelt setting is still a fault.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};

use super::environment::Environment;

/// The Services with variables among ours.
pub(super) struct Services<'a>(Vec<Service<'a>>);

struct Service<'a> {
    /// The Service's name as variables have it: upper case, with `_` for `-`.
    name: &'a str,
    address: IpAddr,
}

const HOST: &str = "_SERVICE_HOST";

impl<'a> Services<'a> {
    pub(super) fn of(environment: &'a Environment) -> Self {
        let service = |(name, value): (&'a str, &'a OsStr)| {
            let name = name.strip_suffix(HOST).filter(|name| is_name(name))?;
            Some(Service { name, address: value.to_str()?.parse().ok()? })
        };
        Self(environment.iter().filter_map(service).collect())
    }

    /// Whether Kubernetes set this variable for one of them.
    pub(super) fn have(&self, variable: &str, value: &OsStr) -> bool {
        let Some(value) = value.to_str() else { return false };
        self.0.iter().any(|service| service.has(variable, value).is_some())
    }
}

impl Service<'_> {
    /// `Some` when it has, as the kubelet's `envvars` package writes them.
    fn has(&self, variable: &str, value: &str) -> Option<()> {
        let rest = variable.strip_prefix(self.name)?;
        if rest == HOST {
            return Some(());
        }
        if let Some(rest) = rest.strip_prefix("_SERVICE_PORT") {
            port(value)?;
            return holds(rest.is_empty() || rest.strip_prefix('_').is_some_and(is_name));
        }
        let rest = rest.strip_prefix("_PORT")?;
        if rest.is_empty() {
            return self.url(value).map(drop);
        }
        let (number, rest) = rest.strip_prefix('_')?.split_once('_')?;
        let number = port(number)?;
        let (protocol, part) = rest.split_once('_').unwrap_or((rest, ""));
        let protocol = PROTOCOLS.into_iter().find(|known| known.to_ascii_uppercase() == protocol)?;
        match part {
            "" => holds(self.url(value)? == (protocol, number)),
            "PROTO" => holds(value == protocol),
            "PORT" => holds(port(value)? == number),
            "ADDR" => holds(value.parse() == Ok(self.address)),
            _ => None,
        }
    }

    /// The protocol and port of a URL such as `tcp://10.0.0.1:50051` that leads to the Service.
    fn url(&self, text: &str) -> Option<(&'static str, u16)> {
        let (protocol, address) = text.split_once("://")?;
        let protocol = PROTOCOLS.into_iter().find(|known| *known == protocol)?;
        let address: SocketAddr = address.parse().ok()?;
        (address.ip() == self.address).then_some((protocol, address.port()))
    }
}

const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

fn holds(condition: bool) -> Option<()> {
    condition.then_some(())
}

/// A name of Kubernetes as variables have it; it has letters, digits and `-`, which is at neither end.
fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    !text.is_empty()
        && text.bytes().all(|byte| letter(byte) || byte == b'_')
        && !text.starts_with('_')
        && !text.ends_with('_')
}

/// A port, in decimal digits as it is printed.
fn port(text: &str) -> Option<u16> {
    let number: u16 = text.parse().ok()?;
    (number != 0 && number.to_string() == text).then_some(number)
}
