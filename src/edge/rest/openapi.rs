//! The OpenAPI 3.1 description of REST, health and metrics, made from the types that are answered.
//!
//! One row for each route (`operations`); a test holds the rows to the table of routes.

mod answer;
mod body;
mod operation;
mod operations;

use std::collections::BTreeMap;

use utoipa::openapi::{
    ComponentsBuilder, Info, OpenApi, OpenApiBuilder, PathItem, PathsBuilder, RefOr, Schema,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use super::{Answer, answer as answers, request::Request};
use operation::Operation;

/// The name of the one security scheme.
const BEARER: &str = "bearer";

pub(super) async fn show(request: Request) -> Answer {
    Ok(answers::ok(&describe(&request.rest.config.api.prefix)))
}

/// Describes everything, with REST below this prefix.
fn describe(prefix: &str) -> OpenApi {
    let mut schemas = BTreeMap::<String, RefOr<Schema>>::new();
    let mut paths = BTreeMap::<String, PathItem>::new();
    let rest = operations::rest().into_iter();
    let rest = rest.map(|operation| (format!("{prefix}/{}", operation.path), operation));
    let own = operations::own().into_iter();
    let own = own.map(|operation| (format!("/{}", operation.path), operation));
    for (path, operation) in rest.chain(own) {
        let Operation {
            method,
            schemas: named,
            ..
        } = &operation;
        schemas.extend(named.iter().cloned());
        let item = PathItem::new(method.clone(), operation.describe());
        paths.entry(path).or_default().merge_operations(item);
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT");
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(BEARER, SecurityScheme::Http(bearer.build()));
    let all = paths
        .into_iter()
        .fold(PathsBuilder::new(), |all, (path, item)| {
            all.path(path, item)
        });
    OpenApiBuilder::new()
        .info(Info::new("CollabFlow", env!("CARGO_PKG_VERSION")))
        .paths(all)
        .components(Some(components.build()))
        .build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::edge::rest::route::tests::all;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let described: BTreeSet<_> = operations::rest()
            .iter()
            .map(|operation| (operation.method_name(), operation.pattern()))
            .collect();
        let routes: BTreeSet<_> = all()
            .into_iter()
            .map(|(method, path)| (method, path.to_owned()))
            .collect();
        assert_eq!(described, routes);
    }

    #[test]
    fn documents_with_fields_of_other_programs_say_so() {
        let described = serde_json::to_value(describe("/api")).expect("json");
        let schemas = &described["components"]["schemas"];
        for name in ["User", "Workspace", "Project", "StoredProject"] {
            let schema = &schemas[name];
            assert_eq!(schema["type"], "object", "{name}");
            assert!(schema["additionalProperties"].is_object(), "{name}");
            let properties = schema["properties"].as_object().expect("properties");
            assert!(properties.contains_key("_id") && !properties.contains_key("extra"));
        }
        let closed = schemas["Task"].as_object().expect("a task");
        assert!(!closed.contains_key("additionalProperties"));
    }

    #[test]
    fn the_prefix_is_before_rest_alone() {
        let paths = describe("/v2").paths.paths;
        assert!(paths.contains_key("/v2/tasks/{taskId}") && paths.contains_key("/healthz"));
    }
}
