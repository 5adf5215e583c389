//! The table of routes.

use futures_util::future::BoxFuture;
use warp::http::Method;

use super::{Answer, auth, channel, openapi, project, request::Request, task, workspace};
use collabflow_protocol::model::User;

/// What answers a request.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    /// For everybody.
    Open(fn(Request) -> BoxFuture<'static, Answer>),
    /// For who has a token.
    User(fn(Request, User) -> BoxFuture<'static, Answer>),
}

struct Route {
    method: Method,
    /// `:` stands for a segment that is handed to the handler.
    path: &'static str,
    handler: Handler,
}

macro_rules! handler {
    (open $handler:path) => {
        Handler::Open(|request| Box::pin($handler(request)))
    };
    (user $handler:path) => {
        Handler::User(|request, user| Box::pin($handler(request, user)))
    };
}

macro_rules! routes {
    ($($method:ident $path:literal => $access:ident $handler:path;)*) => {
        &[$(Route { method: Method::$method, path: $path, handler: handler!($access $handler) }),*]
    };
}

const ROUTES: &[Route] = routes! {
    POST "auth/register" => open auth::register;
    POST "auth/login" => open auth::login;
    GET "auth/me" => user auth::me;
    PATCH "auth/me" => user auth::update_me;

    GET "workspaces" => user workspace::list;
    POST "workspaces" => user workspace::create;
    GET "workspaces/:" => user workspace::get;
    PATCH "workspaces/:" => user workspace::rename;
    DELETE "workspaces/:" => user workspace::delete;
    POST "workspaces/:/members" => user workspace::add_member;
    DELETE "workspaces/:/members/:" => user workspace::remove_member;

    GET "projects" => user project::list;
    POST "projects" => user project::create;
    GET "projects/:" => user project::get;
    PATCH "projects/:" => user project::update;
    DELETE "projects/:" => user project::delete;
    POST "projects/:/members" => user project::add_member;
    DELETE "projects/:/members/:" => user project::remove_member;

    GET "tasks/project/:" => user task::list;
    POST "tasks" => user task::create;
    GET "tasks/:" => user task::get;
    PATCH "tasks/:" => user task::update;
    DELETE "tasks/:" => user task::delete;
    POST "tasks/:/move" => user task::move_to;

    POST "channels" => user channel::create;
    GET "channels/project/:" => user channel::list;
    DELETE "channels/:" => user channel::delete;
    GET "channels/:/messages" => user channel::messages;
    POST "channels/:/messages" => user channel::post;

    GET "openapi.json" => open openapi::show;
};

/// What the table has for a request.
pub(super) enum Found {
    /// This, with the segments that stand for `:`.
    Handler(Handler, Vec<String>),
    /// The path, with these methods, as the header `Allow` lists them.
    OtherMethods(String),
    /// No such path.
    Nothing,
}

/// Looks a request up. HEAD is GET without the body, which hyper leaves out; a slash at the end is forgiven.
pub(super) fn find(method: &Method, path: &str) -> Found {
    let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let matching = || {
        ROUTES
            .iter()
            .filter_map(|route| Some((route, params(route.path, &segments)?)))
    };
    let wanted = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    if let Some((route, params)) = matching().find(|(route, _)| route.method == *wanted) {
        return Found::Handler(route.handler, params);
    }
    let mut allowed = Vec::new();
    for (route, _) in matching() {
        allowed.push(route.method.as_str());
        if route.method == Method::GET {
            allowed.push("HEAD");
        }
    }
    if allowed.is_empty() {
        Found::Nothing
    } else {
        Found::OtherMethods(allowed.join(", "))
    }
}

fn params(pattern: &str, segments: &[&str]) -> Option<Vec<String>> {
    if pattern.split('/').count() != segments.len() {
        return None;
    }
    let mut params = Vec::new();
    for (expected, found) in pattern.split('/').zip(segments) {
        match expected {
            ":" => params.push((*found).to_owned()),
            _ if expected == *found => {}
            _ => return None,
        }
    }
    Some(params)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Method and path of every route.
    pub(in crate::edge::rest) fn all() -> Vec<(&'static str, &'static str)> {
        let named = |route: &'static Route| (route.method.as_str(), route.path);
        ROUTES.iter().map(named).collect()
    }

    fn params_of(method: &Method, path: &str) -> Option<Vec<String>> {
        match find(method, path) {
            Found::Handler(_, params) => Some(params),
            _ => None,
        }
    }

    #[test]
    fn a_path_is_found_with_its_ids() {
        assert_eq!(params_of(&Method::GET, "workspaces"), Some(vec![]));
        assert_eq!(params_of(&Method::HEAD, "workspaces/"), Some(vec![]));
        let ids = params_of(&Method::DELETE, "projects/a/members/b");
        assert_eq!(ids, Some(vec!["a".into(), "b".into()]));
    }

    #[test]
    fn a_known_path_names_its_methods() {
        let allowed = |path| match find(&Method::PUT, path) {
            Found::OtherMethods(allowed) => allowed,
            _ => String::new(),
        };
        assert_eq!(allowed("tasks/x"), "GET, HEAD, PATCH, DELETE");
        assert_eq!(allowed("tasks"), "POST");
    }

    #[test]
    fn an_unknown_path_is_nothing() {
        for path in ["", "task", "tasks/a/b", "workspaces//members/b/c", "auth"] {
            assert!(matches!(find(&Method::GET, path), Found::Nothing), "{path}");
        }
    }

    #[test]
    fn no_two_routes_are_the_same() {
        for (place, route) in ROUTES.iter().enumerate() {
            let twin = |other: &Route| other.method == route.method && other.path == route.path;
            assert!(
                !ROUTES[..place].iter().any(twin),
                "{} {}",
                route.method,
                route.path
            );
        }
    }
}
