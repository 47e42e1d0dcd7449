//! Routes, and requests for them.

use std::sync::Arc;

use gateway_core::{
    config::Route,
    router::{Head, Router},
    sanitize::canonical_path,
};
use http::{HeaderMap, Method};

/// Routes, one a line (`p` path, `h` host, `m` method: of one route, until `-`), then after an empty line
/// requests: `METHOD host path`.
pub fn router(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (routes, requests) = text.split_once("\n\n").unwrap_or((text, "GET a /"));
    let routes = routes.split("\n-").take(64).enumerate().map(|(number, lines)| {
        let mut route = Route::new(&number.to_string());
        for line in lines.lines() {
            match line.split_at_checked(2) {
                Some(("p ", path)) => route.paths.get_or_insert_default().push(path.to_owned()),
                Some(("h ", host)) => route.hosts.get_or_insert_default().push(host.to_owned()),
                Some(("m ", method)) => route.methods.get_or_insert_default().push(method.to_owned()),
                _ => {}
            }
        }
        (Arc::new(route), number)
    });
    let Ok(router) = Router::new(routes) else { return };
    for line in requests.lines().take(64) {
        let mut words = line.splitn(3, ' ');
        let (Some(method), Some(host), Some(path)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let (Ok(method), Ok(path)) = (Method::from_bytes(method.as_bytes()), canonical_path(path)) else {
            continue;
        };
        let headers = HeaderMap::new();
        let head = Head::new(&method, host, &path, &headers);
        let Some(found) = router.find(&head) else { continue };
        assert!(found.matched <= path.len(), "{line:?}");
        let (route, _) = router.iter().find(|(_, value)| *value == found.value).expect("one of the routes");
        let mut methods = route.methods.iter().flatten();
        assert!(route.methods.is_none() || methods.any(|known| known == method.as_str()), "{line:?}");
        if let Some(paths) = &route.paths
            && paths.iter().all(|path| canonical_path(path).is_ok())
        {
            // A literal path that may stand in a config is a prefix, byte by byte, of what it took.
            let taken = path.get(..found.matched).unwrap_or_default();
            let literal =
                |known: &String| known == taken || canonical_path(known).is_ok_and(|known| known == taken);
            assert!(paths.iter().any(literal), "{line:?} took {taken:?} of {paths:?}");
        }
        let same = router.find(&head).expect("the same answer twice");
        assert_eq!((same.value, same.matched), (found.value, found.matched));
    }
}
