//! Networks, as requests write them.

use std::{net::IpAddr, str::FromStr};

use domain::Invalid;
use ipnet::IpNet;

/// A network; a single address counts as one of its own.
#[derive(PartialEq)]
pub(super) struct Network(pub(super) IpNet);

impl FromStr for Network {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let network = match text.split_once('/') {
            // The address is read by itself first: leading zeros, which may mean octal, are refused in it.
            Some((address, _)) => address.parse::<IpAddr>().ok().and_then(|_| text.parse().ok()),
            None => text.parse::<IpAddr>().ok().map(IpNet::from),
        };
        let Some(network) = network else {
            return Err(Invalid::new("must be a network such as 10.0.0.0/8, or a single address"));
        };
        let network = unmapped(network);
        if network != network.trunc() {
            return Err(Invalid::new(format!(
                "is not a network address: write {} for the network, or {} for the one address",
                network.trunc(),
                network.addr()
            )));
        }
        Ok(Self(network))
    }
}

/// IPv4 networks that are written as mapped into IPv6 count as what they are.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(six) = network else {
        return network;
    };
    let four = six.addr().to_ipv4_mapped().zip(six.prefix_len().checked_sub(96));
    four.and_then(|(address, length)| IpNet::new(address.into(), length).ok()).unwrap_or(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_accepted_in_common_notations() {
        for (text, expected) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("192.0.2.7/32", "192.0.2.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().0.to_string(), expected);
        }
        for text in
            ["", "10.0.0.0/33", "example.com", "10.0.0", "010.0.0.0/8", "192.168.010.0/24", "010.0.0.1"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_network_with_host_bits_is_refused() {
        for (text, network, address) in [
            ("10.0.0.1/8", "10.0.0.0/8", "10.0.0.1"),
            ("192.0.2.7/0", "0.0.0.0/0", "192.0.2.7"),
            ("2001:db8::1/32", "2001:db8::/32", "2001:db8::1"),
            ("::ffff:10.0.0.1/104", "10.0.0.0/8", "10.0.0.1"),
        ] {
            let why = text.parse::<Network>().map(|network| network.0).unwrap_err();
            let expected = format!(
                "is not a network address: write {network} for the network, or {address} for the one address"
            );
            assert_eq!(why.to_string(), expected, "{text}");
        }
    }
}
