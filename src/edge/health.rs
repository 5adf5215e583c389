//! `/healthz`: the process is alive. `/readyz`: it can do its work; each part that it needs is named.

use std::{collections::BTreeMap, iter, time::Duration};

use collabflow_actors::node::Node;
use tokio::time;
use warp::{
    Filter, Reply,
    filters::BoxedFilter,
    http::{Method, StatusCode},
    reply::Response,
};

use super::rejection::Failure;

/// A part that takes longer to answer is not ready.
const PING_MAX: Duration = Duration::from_secs(2);

/// Both routes. A server that is draining takes no new sessions, and is not ready for more.
#[must_use]
pub fn routes(
    node: Node,
    is_draining: impl Fn() -> bool + Clone + Send + Sync + 'static,
) -> BoxedFilter<(Response,)> {
    let alive = warp::path!("healthz")
        .and(warp::method())
        .map(|method: Method| {
            if is_read(&method) {
                answer(&[], false)
            } else {
                refuse()
            }
        });
    let ready = warp::path!("readyz")
        .and(warp::method())
        .then(move |method: Method| {
            let (node, is_draining) = (node.clone(), is_draining());
            async move {
                if is_read(&method) {
                    ready(&node, is_draining).await
                } else {
                    refuse()
                }
            }
        });
    alive.or(ready).unify().boxed()
}

fn is_read(method: &Method) -> bool {
    [Method::GET, Method::HEAD].contains(method)
}

fn refuse() -> Response {
    Failure::method_not_allowed("GET, HEAD").into_response()
}

async fn ready(node: &Node, is_draining: bool) -> Response {
    let store = async {
        matches!(
            time::timeout(PING_MAX, node.store().ping()).await,
            Ok(Ok(()))
        )
    };
    let redis = async {
        match node.ping_backplane() {
            Some(ping) => Some(matches!(time::timeout(PING_MAX, ping).await, Ok(Ok(())))),
            None => None,
        }
    };
    let (store, redis) = tokio::join!(store, redis);
    let parts = iter::once(("store", store)).chain(redis.map(|redis| ("redis", redis)));
    answer(&parts.collect::<Vec<_>>(), is_draining)
}

fn answer(parts: &[(&str, bool)], is_draining: bool) -> Response {
    let word = |is_ready| if is_ready { "ok" } else { "unavailable" };
    let is_whole = parts.iter().all(|(_, is_ready)| *is_ready);
    let is_ready = is_whole && !is_draining;
    let status = if is_draining {
        "draining"
    } else {
        word(is_whole)
    };
    let mut body = BTreeMap::from([("status", status)]);
    body.extend(
        parts
            .iter()
            .map(|(name, is_ready)| (*name, word(*is_ready))),
    );
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    warp::reply::with_status(warp::reply::json(&body), status).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_that_is_away_makes_the_server_unready() {
        assert_eq!(answer(&[("store", true)], false).status(), StatusCode::OK);
        let response = answer(&[("store", true), ("other", false)], false);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn a_server_that_drains_is_unready_though_all_its_parts_are_there() {
        let response = answer(&[("store", true)], true);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
