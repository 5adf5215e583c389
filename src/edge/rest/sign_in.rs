//! How often somebody may try a password: to log in, or to make an account. Each try costs a hash.
//!
//! One address has so many tries in all, so that a list of emails gets nobody further, and fewer for each email that it
//! logs in with. An IPv6 client commands a whole network of addresses, which counts as one.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use super::{Failure, rate::RateLimit};
use crate::config::Limits;

/// The bits of an IPv6 address that name the client's network.
const NETWORK: u128 = !0 << 64;

pub(super) struct SignIns {
    by_address: RateLimit<IpAddr>,
    by_email: RateLimit<(IpAddr, String)>,
}

impl SignIns {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            by_address: per_minute(limits.auth_per_minute),
            by_email: per_minute(limits.login_per_minute),
        }
    }

    /// Counts a try to make an account.
    pub(super) fn register(&self, from: IpAddr) -> Result<(), Failure> {
        self.by_address.take(network(from)).map_err(too_many)
    }

    /// Counts a try to log in.
    pub(super) fn log_in(&self, from: IpAddr, email: &str) -> Result<(), Failure> {
        let network = network(from);
        // An email that has had its tries costs no hash, so it costs the address none of its own either.
        self.by_email
            .take((network, email.to_owned()))
            .and_then(|()| self.by_address.take(network))
            .map_err(too_many)
    }
}

fn per_minute<K: std::hash::Hash + Eq>(tries: u32) -> RateLimit<K> {
    RateLimit::new(f64::from(tries) / 60.0, tries)
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
    }
}

fn too_many(wait: Duration) -> Failure {
    Failure::rate_limited("Too many tries to log in or to register", wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_counts_as_one_address_and_an_ipv4_address_as_itself() {
        let of = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
