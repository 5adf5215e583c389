//! `/healthz`: the process is alive. `/readyz`: it can do its work; each part that it needs is named.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use collabflow_actors::store::Store;
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

/// Both routes.
#[must_use]
pub fn routes(store: Arc<dyn Store>) -> BoxedFilter<(Response,)> {
    let alive = warp::path!("healthz")
        .and(warp::method())
        .map(|method: Method| {
            if is_read(&method) {
                answer(&[])
            } else {
                refuse()
            }
        });
    let ready = warp::path!("readyz")
        .and(warp::method())
        .then(move |method: Method| {
            let store = Arc::clone(&store);
            async move {
                if is_read(&method) {
                    ready(store).await
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

async fn ready(store: Arc<dyn Store>) -> Response {
    let is_store_ready = matches!(time::timeout(PING_MAX, store.ping()).await, Ok(Ok(())));
    answer(&[("store", is_store_ready)])
}

fn answer(parts: &[(&str, bool)]) -> Response {
    let word = |is_ready| if is_ready { "ok" } else { "unavailable" };
    let is_ready = parts.iter().all(|(_, is_ready)| *is_ready);
    let mut body = BTreeMap::from([("status", word(is_ready))]);
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
        assert_eq!(answer(&[("store", true)]).status(), StatusCode::OK);
        let response = answer(&[("store", true), ("other", false)]);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
