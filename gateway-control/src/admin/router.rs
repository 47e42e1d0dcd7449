//! All paths of the Admin API, and what every reply carries.

use std::{convert::Infallible, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post, put},
};
use http::{HeaderName, Uri, header, uri::PathAndQuery};
use tower::{ServiceExt, service_fn};
use tracing::info;

use super::{
    absent,
    access::{Access, caller},
    browser::is_safe,
    conditional::conditional,
    declare, endpoints, entities, explain, feed, health, history, log_level, members, metrics, openapi,
    page::Query,
    paths::{Paths, endpoint},
    reply::{Failure, REVISION},
    root, schemas, status, tags, write,
};
use crate::Control;

const READ: &str = "GET, HEAD, OPTIONS";
const READ_AND_WRITE: &str = "GET, HEAD, OPTIONS, POST";
const WRITE: &str = "OPTIONS, POST";
const SET: &str = "OPTIONS, PUT";
const EMPTY: &str = "DELETE, OPTIONS";
const READ_AND_EMPTY: &str = "DELETE, GET, HEAD, OPTIONS";

/// The Admin API of `control` as an axum router.
///
/// ```
/// use std::sync::Arc;
/// use gateway_control::{Control, admin};
/// use gateway_core::Gateway;
/// use tower::ServiceExt;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let control = Arc::new(Control::new(Gateway::builder().build().unwrap()));
/// let request = http::Request::get("/services").body(axum::body::Body::empty()).unwrap();
/// let response = admin::router(control).oneshot(request).await.unwrap();
/// assert_eq!(response.status(), 200);
/// # });
/// ```
pub fn router(control: Arc<Control>) -> Router {
    router_with(control, Access::default())
}

/// The same for those whom `access` lets in.
pub fn router_with(control: Arc<Control>, access: Access) -> Router {
    let routes = paths().into_router().fallback(|| async { Failure::NotFound });
    let asked = (Arc::clone(&control), Arc::new(access));
    let routes = routes.layer(from_fn_with_state(Arc::clone(&control), conditional));
    let routes = routes.layer(from_fn_with_state(asked, stamp)).with_state(control);
    // A trailing slash means nothing (compat A17); it has to go before the paths are looked at.
    Router::new().fallback_service(service_fn(move |request: Request| {
        let routes = routes.clone();
        async move {
            let response: Result<Response, Infallible> = routes.oneshot(without_slash(request)).await;
            response
        }
    }))
}

/// All paths and the methods of each.
fn paths() -> Paths {
    const LIST: &str = "/endpoints";
    let paths = all_but_their_list();
    let names: Vec<_> = paths.list().iter().cloned().chain([LIST.to_owned()]).collect();
    let names = endpoints::named(&names);
    paths.add(LIST, endpoint(get(move || async move { endpoints::list(&names) }), READ))
}

fn all_but_their_list() -> Paths {
    let (room, listeners) = (explain::Room::default(), feed::Room::default());
    let levels = log_level::Room::default();
    members::routes(entities::routes(Paths::default()))
        .add("/", endpoint(get(root::node), READ))
        .add("/timers", endpoint(get(root::timers), READ))
        .add("/plugins/enabled", endpoint(get(root::enabled_plugins), READ))
        .add("/plugins/schema/{name}", endpoint(get(schemas::plugin_config), READ))
        .add("/status", endpoint(get(status::status), READ))
        .add("/status/ready", at_once(get(status::ready).post(status::set_ready), READ_AND_WRITE))
        .add("/metrics", endpoint(get(metrics::metrics), READ))
        .add("/config", endpoint(get(declare::show).post(declare::load), READ_AND_WRITE))
        .add("/batch", endpoint(post(batch), WRITE))
        .add("/history", endpoint(get(history::list), READ))
        .add("/history/{revision}", endpoint(get(history::one), READ))
        .add("/rollback/{revision}", endpoint(post(history::rollback), WRITE))
        .add(
            "/changes",
            endpoint(get(move |control, request| feed::changes(control, request, listeners)), READ),
        )
        .add("/openapi.json", endpoint(get(openapi::document), READ))
        .add("/cache", endpoint(delete(absent::emptied), EMPTY))
        .add("/cache/{key}", endpoint(get(absent::cached).delete(absent::emptied), READ_AND_EMPTY))
        .add("/clustering/data-planes", endpoint(get(absent::cluster), READ))
        .add("/clustering/status", endpoint(get(absent::cluster), READ))
        .add("/debug/node/log-level", endpoint(get(log_level::show), READ))
        .add(
            "/debug/node/log-level/{level}",
            at_once(put(move |control, level, uri| log_level::set(control, level, uri, levels)), SET),
        )
        .add("/explain", endpoint(post(move |control, body| explain::explain(control, body, room)), WRITE))
        .add("/tags", endpoint(get(tags::all), READ))
        .add("/tags/{tag}", endpoint(get(tags::one), READ))
        .add("/upstreams/{first}/health", endpoint(get(health::upstream), READ))
        .add("/upstreams/{first}/targets/{second}/healthy", at_once(put(health::set_healthy), SET))
        .add("/upstreams/{first}/targets/{second}/unhealthy", at_once(put(health::set_unhealthy), SET))
        .add("/upstreams/{first}/targets/{second}/{third}/healthy", at_once(put(health::set_healthy), SET))
        .add(
            "/upstreams/{first}/targets/{second}/{third}/unhealthy",
            at_once(put(health::set_unhealthy), SET),
        )
        .add("/upstreams/{first}/targets/all", endpoint(get(health::all_targets), READ))
        .add("/schemas/{entity}", endpoint(get(schemas::entity), READ))
        .add("/schemas/{entity}/validate", endpoint(post(schemas::validate), WRITE))
        .add("/schemas/plugins/validate", endpoint(post(schemas::validate_plugin), WRITE))
        .add("/schemas/plugins/{name}", endpoint(get(schemas::plugin), READ))
}

/// What is done at once, and cannot be tried.
fn at_once(methods: MethodRouter<Arc<Control>>, allow: &'static str) -> MethodRouter<Arc<Control>> {
    endpoint(methods, allow).layer(from_fn(|request: Request, next: Next| async move {
        let is_dry = Query::of(request.uri().query()).is_dry();
        if is_safe(request.method()) {
            return Ok(next.run(request).await);
        }
        if is_dry? {
            return Err(Failure::NotTried);
        }
        let who = caller(&request);
        let what = format!("{} {}", request.method(), write::discreet(request.uri().path()));
        let response = next.run(request).await;
        if response.status().is_success() {
            info!(target: "audit", who, what, "done");
        }
        Ok(response)
    }))
}

async fn batch(State(control): State<Arc<Control>>, request: Request) -> Result<Response, Failure> {
    match control.store() {
        Some(_) => write::batch(control, request).await,
        None => Err(Failure::NoStore),
    }
}

/// What every reply carries (compat M9). What may not be asked is refused before anything is read (D37).
async fn stamp(
    State((control, access)): State<(Arc<Control>, Arc<Access>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let page = access.page(&request);
    let mut response = match access.admit(&mut request) {
        Ok(()) => next.run(request).await,
        Err(failure) => {
            let (who, method) = (caller(&request), request.method());
            let path = write::discreet(request.uri().path());
            info!(target: "audit", who, %method, path, "not let in");
            failure.into_response()
        }
    };
    let branding = &control.gateway().settings().branding;
    let headers = response.headers_mut();
    headers.insert(header::SERVER, branding.server.clone());
    if let Some(revision) = control.revision().filter(|_| !headers.contains_key(REVISION)) {
        headers.insert(REVISION, revision.get().into());
    }
    page.stamp(headers);
    if let Ok(name) = HeaderName::try_from(format!("x-{}-admin-latency", branding.metrics)) {
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        headers.insert(name, milliseconds.into());
    }
    response
}

fn without_slash(mut request: Request) -> Request {
    let path = request.uri().path();
    let Some(shorter) = path.strip_suffix('/').filter(|shorter| !shorter.is_empty()) else { return request };
    let target = match request.uri().query() {
        Some(query) => format!("{shorter}?{query}"),
        None => shorter.to_owned(),
    };
    if let Ok(target) = PathAndQuery::try_from(target) {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(target);
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    }
    request
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{endpoints, openapi, paths};

    /// A path without the names of what stands in it.
    fn shape(path: &str) -> String {
        let segments = path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
        segments.collect::<Vec<_>>().join("/")
    }

    #[test]
    fn every_path_stands_in_the_document_and_among_the_endpoints() {
        let served: BTreeSet<_> = paths().list().iter().map(|path| shape(path)).collect();
        let document = openapi::whole();
        let described: BTreeSet<_> =
            document["paths"].as_object().unwrap().keys().map(|path| shape(path)).collect();
        assert_eq!(served, described);
        let listed: BTreeSet<_> = endpoints::named(paths().list()).iter().map(|path| shape(path)).collect();
        assert_eq!(served, listed);
    }
}
