use proptest::prelude::*;

use super::*;

fn parse(query: &str) -> Query {
    Query::parse(query).expect("a known transport")
}

#[test]
fn the_parameters_of_the_stock_client_are_read() {
    let query = parse("EIO=4&transport=polling&t=PTeI1&sid=lv_VI97HAXpY6yYWAAAC");
    assert_eq!(query.transport, Transport::Polling);
    assert_eq!(query.sid.as_deref(), Some("lv_VI97HAXpY6yYWAAAC"));
    assert_eq!(query.check_protocol(), Ok(()));
    let query = parse("EIO=4&transport=websocket");
    assert_eq!(query.transport, Transport::Websocket);
    assert_eq!(query.sid, None);
}

#[test]
fn percent_and_plus_are_decoded() {
    let query = parse("%45IO=%34&transport=%70olling&sid=a%2Fb+c");
    assert_eq!(query.sid.as_deref(), Some("a/b c"));
    assert_eq!(query.check_protocol(), Ok(()));
}

#[test]
fn an_empty_sid_is_a_handshake() {
    assert_eq!(parse("EIO=4&transport=polling&sid=").sid, None);
    assert_eq!(parse("EIO=4&transport=polling&sid").sid, None);
}

#[test]
fn the_transport_is_checked_before_anything_else() {
    for query in [
        "",
        "EIO=4",
        "EIO=3&transport=webtransport",
        "transport=",
        "transport=Polling",
        "transport=abc&sid=x",
    ] {
        assert_eq!(
            Query::parse(query),
            Err(HandshakeError::UnknownTransport),
            "{query}"
        );
    }
}

#[test]
fn a_version_other_than_4_is_refused_when_it_is_asked_for() {
    for query in [
        "transport=polling",
        "EIO=3&transport=polling",
        "EIO=04&transport=polling",
        "EIO=&transport=polling",
    ] {
        assert_eq!(
            parse(query).check_protocol(),
            Err(HandshakeError::UnsupportedProtocol),
            "{query}"
        );
    }
}

#[test]
fn a_parameter_given_twice_matches_nothing() {
    assert_eq!(
        Query::parse("transport=polling&transport=polling"),
        Err(HandshakeError::UnknownTransport)
    );
    let query = parse("EIO=4&EIO=4&transport=polling&sid=a&sid=a");
    assert_eq!(
        query.check_protocol(),
        Err(HandshakeError::UnsupportedProtocol)
    );
    assert_eq!(query.sid.as_deref(), Some("a,a"));
}

#[test]
fn a_handshake_is_a_get_and_a_websocket_is_opened() {
    let polling = parse("EIO=4&transport=polling");
    let websocket = parse("EIO=4&transport=websocket");
    assert_eq!(polling.check_arrival("GET", Arrival::Request), Ok(()));
    assert_eq!(websocket.check_arrival("GET", Arrival::Upgrade), Ok(()));
    assert_eq!(
        polling.check_arrival("POST", Arrival::Request),
        Err(HandshakeError::BadMethod)
    );
    assert_eq!(
        websocket.check_arrival("PUT", Arrival::Request),
        Err(HandshakeError::BadMethod)
    );
    assert_eq!(
        websocket.check_arrival("GET", Arrival::Request),
        Err(HandshakeError::BadRequest)
    );
}

#[test]
fn errors_are_written_as_node_writes_them() {
    for (error, status, body) in [
        (
            HandshakeError::UnknownTransport,
            400,
            r#"{"code":0,"message":"Transport unknown"}"#,
        ),
        (
            HandshakeError::UnknownSession,
            400,
            r#"{"code":1,"message":"Session ID unknown"}"#,
        ),
        (
            HandshakeError::BadMethod,
            400,
            r#"{"code":2,"message":"Bad handshake method"}"#,
        ),
        (
            HandshakeError::BadRequest,
            400,
            r#"{"code":3,"message":"Bad request"}"#,
        ),
        (
            HandshakeError::Forbidden,
            403,
            r#"{"code":4,"message":"Forbidden"}"#,
        ),
        (
            HandshakeError::UnsupportedProtocol,
            400,
            r#"{"code":5,"message":"Unsupported protocol version"}"#,
        ),
    ] {
        assert_eq!((error.status(), error.body().as_str()), (status, body));
        assert_eq!(error.to_string(), error.message());
    }
}

proptest! {
    #[test]
    fn junk_never_panics(query in "([a-zA-Z%+&=;0-9]|transport=polling|EIO=4|\\PC){0,60}") {
        if let Ok(query) = Query::parse(&query) {
            let _ = query.check_protocol();
        }
    }

    #[test]
    fn a_sid_is_read_as_it_was_written(sid in "\\PC{1,40}") {
        let query: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("EIO", "4"), ("transport", "polling"), ("sid", &sid)])
            .finish();
        prop_assert_eq!(parse(&query).sid, Some(sid));
    }
}
