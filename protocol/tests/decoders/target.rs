//! The list of the targets.

/// Calls the macro `$each` with every target, by its name and its function.
macro_rules! for_each_target {
    ($each:ident) => {
        $each! {
            engine_packet => crate::packet::engine_packet,
            polling_payload => crate::packet::polling_payload,
            socket_packet => crate::packet::socket_packet,
            plain_message => crate::packet::plain_message,
            request_query => crate::packet::request_query,
            client_event => crate::event::client_event,
            rest_body => crate::body::rest_body,
            values => crate::value::values,
        }
    };
}
