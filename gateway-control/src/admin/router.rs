//! All paths of the Admin API, and what every reply carries.

use std::{convert::Infallible, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use http::{HeaderName, HeaderValue, Method, Uri, header, uri::PathAndQuery};
use tower::{ServiceExt, service_fn};

use super::{
    browser, declare, entities, explain, health, metrics,
    paths::{Paths, endpoint},
    reply::Failure,
    root, schemas, status, tags,
};
use crate::Control;

const READ: &str = "GET, HEAD, OPTIONS";
const READ_AND_WRITE: &str = "GET, HEAD, OPTIONS, POST";
const WRITE: &str = "OPTIONS, POST";
const SET: &str = "OPTIONS, PUT";

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
    let room = explain::Room::default();
    let paths = entities::routes(Paths::default())
        .add("/", endpoint(get(root::node), READ))
        .add("/endpoints", endpoint(get(root::endpoints), READ))
        .add("/timers", endpoint(get(root::timers), READ))
        .add("/plugins/enabled", endpoint(get(root::enabled_plugins), READ))
        .add("/status", endpoint(get(status::status), READ))
        .add("/status/ready", endpoint(get(status::ready).post(status::set_ready), READ_AND_WRITE))
        .add("/metrics", endpoint(get(metrics::metrics), READ))
        .add("/config", endpoint(get(declare::show).post(declare::load), READ_AND_WRITE))
        .add("/explain", endpoint(post(move |control, body| explain::explain(control, body, room)), WRITE))
        .add("/tags", endpoint(get(tags::all), READ))
        .add("/tags/{tag}", endpoint(get(tags::one), READ))
        .add("/upstreams/{first}/health", endpoint(get(health::upstream), READ))
        .add("/upstreams/{first}/targets/{second}/healthy", endpoint(put(health::set_healthy), SET))
        .add("/upstreams/{first}/targets/{second}/unhealthy", endpoint(put(health::set_unhealthy), SET))
        .add("/upstreams/{first}/targets/{second}/{third}/healthy", endpoint(put(health::set_healthy), SET))
        .add(
            "/upstreams/{first}/targets/{second}/{third}/unhealthy",
            endpoint(put(health::set_unhealthy), SET),
        )
        .add("/upstreams/{first}/targets/all", endpoint(get(health::all_targets), READ))
        .add("/schemas/{entity}", endpoint(get(schemas::entity), READ))
        .add("/schemas/{entity}/validate", endpoint(post(schemas::validate), WRITE))
        .add("/schemas/plugins/validate", endpoint(post(schemas::validate_plugin), WRITE))
        .add("/schemas/plugins/{name}", endpoint(get(schemas::plugin), READ));
    let routes = paths.into_router().fallback(|| async { Failure::NotFound });
    let routes = routes.layer(from_fn_with_state(Arc::clone(&control), stamp)).with_state(control);
    // A trailing slash means nothing (compat A17); it has to go before the paths are looked at.
    Router::new().fallback_service(service_fn(move |request: Request| {
        let routes = routes.clone();
        async move {
            let response: Result<Response, Infallible> = routes.oneshot(without_slash(request)).await;
            response
        }
    }))
}

/// What every reply carries (compat M9). What may not be asked is refused before anything is read (D37).
async fn stamp(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = match browser::check(&request) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    let branding = &control.gateway().settings().branding;
    let headers = response.headers_mut();
    headers.insert(header::SERVER, branding.server.clone());
    if reads {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
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
