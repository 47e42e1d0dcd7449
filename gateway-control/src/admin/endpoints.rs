//! `/endpoints`: the paths of the Admin API, as Kong writes them.

use axum::response::Response;
use serde_json::json;

use super::{
    kind::{KINDS, Kind},
    reply,
};

/// All of them, in the order of their letters.
pub(super) fn list(names: &[String]) -> Response {
    reply::ok(&json!({ "data": names }))
}

/// These paths, with `{services}` and the like where an id or a name stands: Kong's words are those of the kinds.
pub(super) fn named(paths: &[String]) -> Vec<String> {
    let mut names: Vec<_> = paths.iter().map(|path| one(path)).collect();
    names.sort_unstable();
    names
}

fn one(path: &str) -> String {
    let mut before = "";
    let segments = path.split('/').map(|segment| {
        let word = match segment {
            "{first}" | "{second}" => format!("{{{}}}", kind(before)),
            "{third}" => "{address}".to_owned(),
            "{tag}" => "{tags}".to_owned(),
            other => other.to_owned(),
        };
        before = segment;
        word
    });
    segments.collect::<Vec<_>>().join("/")
}

/// The kind of entity whose list a segment is.
fn kind(segment: &str) -> &str {
    let is_it = |kind: &&Kind| {
        kind.path == Some(segment) || kind.parents.iter().any(|parent| parent.segment == segment)
    };
    KINDS.iter().find(is_it).map_or(segment, |kind| kind.collection)
}

#[cfg(test)]
mod tests {
    use super::one;

    #[test]
    fn paths_have_the_names_of_kong() {
        for (path, name) in [
            ("/services/{first}", "/services/{services}"),
            ("/routes/{first}/service", "/routes/{routes}/service"),
            ("/consumers/{first}/key-auth/{second}", "/consumers/{consumers}/key-auth/{keyauth_credentials}"),
            ("/key-sets/{first}/keys", "/key-sets/{key_sets}/keys"),
            (
                "/upstreams/{first}/targets/{second}/{third}/healthy",
                "/upstreams/{upstreams}/targets/{targets}/{address}/healthy",
            ),
            ("/tags/{tag}", "/tags/{tags}"),
        ] {
            assert_eq!(one(path), name);
        }
    }
}
