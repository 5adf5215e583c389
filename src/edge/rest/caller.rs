//! What a request's headers say of who sends it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use collabflow_actors::{id::SessionId, node::Echo};
use warp::http::{
    HeaderMap,
    header::{AUTHORIZATION, ORIGIN},
};

use crate::config::{Config, EchoMode};

const SOCKET: &str = "X-Socket-Id";
const FORWARDED: &str = "X-Forwarded-For";

/// The token of `Authorization: Bearer`.
pub(in crate::edge) fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .trim()
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Who is left out of hearing of a task change. A page whose socket has not connected yet names `undefined`: what is no
/// socket's id is as good as absent.
pub(super) fn echo(headers: &HeaderMap, mode: EchoMode) -> Echo {
    let socket = || {
        let socket = headers.get(SOCKET)?.to_str().ok()?;
        socket.trim().parse::<SessionId>().ok()
    };
    match mode {
        EchoMode::Others => Echo::NotAuthor,
        EchoMode::All => Echo::All,
        EchoMode::Auto => match socket() {
            Some(id) => Echo::NotSocket(id),
            None if headers.contains_key(ORIGIN) => Echo::NotAuthor,
            None => Echo::All,
        },
    }
}

/// Where the client is: the peer, or, behind trusted proxies, the last address that no trusted proxy has.
pub(super) fn address(headers: &HeaderMap, peer: Option<SocketAddr>, config: &Config) -> IpAddr {
    let mut address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| {
        peer.ip().to_canonical()
    });
    let lines: Vec<&str> = headers
        .get_all(FORWARDED)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let hops = lines.iter().flat_map(|line| line.split(',')).map(hop);
    for hop in hops.collect::<Vec<_>>().into_iter().rev() {
        match hop {
            Some(hop) if config.trusts(address) => address = hop,
            _ => break,
        }
    }
    address
}

fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    text.parse()
        .or_else(|_| with_port())
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use warp::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let named = |(name, value): &(&'static str, &'static str)| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            (name, HeaderValue::from_static(value))
        };
        pairs.iter().map(named).collect()
    }

    #[test]
    fn a_token_is_what_follows_bearer() {
        assert_eq!(
            token(&headers(&[("Authorization", "Bearer a.b.c")])),
            Some("a.b.c")
        );
        assert_eq!(
            token(&headers(&[("Authorization", "bearer  a.b.c ")])),
            Some("a.b.c")
        );
        assert_eq!(token(&headers(&[("Authorization", "Basic YTpi")])), None);
        assert_eq!(token(&headers(&[])), None);
    }

    #[test]
    fn the_headers_say_who_is_left_out() {
        let id = SessionId::random();
        let mut all = headers(&[("Origin", "http://localhost:3000")]);
        assert_eq!(echo(&all, EchoMode::Auto), Echo::NotAuthor);
        all.insert(
            SOCKET,
            HeaderValue::from_str(&id.to_string()).expect("plain text"),
        );
        assert_eq!(echo(&all, EchoMode::Auto), Echo::NotSocket(id));
        assert_eq!(echo(&all, EchoMode::Others), Echo::NotAuthor);
        assert_eq!(echo(&all, EchoMode::All), Echo::All);
        assert_eq!(echo(&HeaderMap::new(), EchoMode::Auto), Echo::All);
        for unreadable in ["undefined", "null", "", "m\u{fc}ller"] {
            let value = HeaderValue::from_bytes(unreadable.as_bytes()).expect("a header");
            let mut all = HeaderMap::from_iter([(HeaderName::from_static("x-socket-id"), value)]);
            assert_eq!(echo(&all, EchoMode::Auto), Echo::All, "{unreadable}");
            all.insert(ORIGIN, HeaderValue::from_static("http://localhost:3000"));
            assert_eq!(echo(&all, EchoMode::Auto), Echo::NotAuthor, "{unreadable}");
        }
    }

    #[test]
    fn only_trusted_proxies_say_where_the_client_is() {
        let mut config = Config::defaults();
        config.trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")];
        let at = |peer: &str, pairs: &[(&'static str, &'static str)]| {
            let peer = SocketAddr::new(peer.parse().expect("an address"), 1);
            address(&headers(pairs), Some(peer), &config).to_string()
        };
        let forged = [("X-Forwarded-For", "6.6.6.6, 1.2.3.4, 10.0.0.2")];
        assert_eq!(at("10.0.0.1", &forged), "1.2.3.4");
        assert_eq!(at("9.9.9.9", &forged), "9.9.9.9");
        assert_eq!(
            at("10.0.0.1", &[("X-Forwarded-For", "1.2.3.4:80")]),
            "1.2.3.4"
        );
        assert_eq!(
            at("10.0.0.1", &[("X-Forwarded-For", "1.2.3.4, junk")]),
            "10.0.0.1"
        );
        assert_eq!(at("10.0.0.1", &[]), "10.0.0.1");
    }
}
