use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use http::{HeaderValue, Request, Response};
use tower::{layer::layer_fn, util::MapResponseLayer};

use super::{Chain, Forward, Link};
use crate::{
    Body, ConnectInfo,
    plugin::{ChainService, Configured, Exchange, Flow, Handler, LayerPlugin, Plugin, Scope, Scoped},
};

/// Writes its name into a header of request and response; `x-stop: name` makes it reply.
struct Trail(&'static str);

impl Trail {
    fn mark(&self, headers: &mut http::HeaderMap) {
        headers.append("x-trail", HeaderValue::from_static(self.0));
    }
}

impl Handler for Trail {
    fn on_request(&self, request: &mut Request<Body>, _: &mut Exchange) -> Flow<Request<Body>> {
        self.mark(request.headers_mut());
        if request.headers().get("x-stop").is_some_and(|name| name == self.0) {
            return Flow::reply(Response::new(Body::from("stopped")));
        }
        let name = self.0;
        Flow::wait(async {}, move |(), request: &mut Request<Body>, _| {
            Self(name).mark(request.headers_mut());
            Flow::Continue
        })
    }

    fn on_response(&self, response: &mut Response<Body>, _: &mut Exchange) -> Flow<Response<Body>> {
        self.mark(response.headers_mut());
        Flow::Continue
    }
}

/// Answers with the request's headers.
#[derive(Clone, Debug)]
struct Mirror;

impl Forward for Mirror {
    async fn forward(&self, request: &mut Request<Body>, _: &mut Exchange) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        for value in request.headers().get_all("x-trail") {
            response.headers_mut().append("x-seen", value.clone());
        }
        response
    }
}

fn link(priority: i32, name: &'static str) -> Link {
    let mut configured = Scoped::default();
    configured.insert(Scope::Global, Configured::handler(Trail(name)));
    Link { name: name.into(), priority, configured }
}

fn layer(priority: i32) -> Link {
    let around = MapResponseLayer::new(|mut response: Response<Body>| {
        response.headers_mut().append("x-trail", HeaderValue::from_static("layer"));
        response
    });
    let plugin = LayerPlugin::new("layer", priority, around);
    let mut configured = Scoped::default();
    configured.insert(Scope::Global, plugin.configure(&serde_json::json!({})).unwrap());
    Link { name: "layer".into(), priority, configured }
}

async fn run(links: Vec<Link>, stop: &'static str) -> (Vec<String>, Vec<String>) {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut exchange = Exchange::new(Arc::new(ConnectInfo::new(nowhere, nowhere)));
    let mut request = Request::builder().header("x-stop", stop).body(Body::empty()).unwrap();
    let response = Chain::new(links, Mirror).run(&mut request, &mut exchange).await;
    let all = |name: &str| {
        let values = response.headers().get_all(name);
        values.iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    };
    (all("x-seen"), all("x-trail"))
}

#[tokio::test]
async fn both_phases_run_from_the_highest_priority_down() {
    let (seen, trail) = run(vec![link(1, "c"), link(3, "a"), link(2, "b")], "").await;
    assert_eq!(seen, ["a", "a", "b", "b", "c", "c"]);
    assert_eq!(trail, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_reply_ends_the_request_phase_and_every_plugin_still_sees_the_response() {
    let (seen, trail) = run(vec![link(1, "c"), link(3, "a"), link(2, "b")], "b").await;
    assert!(seen.is_empty());
    assert_eq!(trail, ["a", "b", "c"]);
}

#[tokio::test]
async fn of_equal_priorities_the_greater_name_comes_first() {
    let (_, trail) = run(vec![link(1, "a"), link(1, "b")], "").await;
    assert_eq!(trail, ["b", "a"]);
}

#[tokio::test]
async fn a_layer_wraps_what_has_a_lower_priority() {
    let (seen, trail) = run(vec![link(3, "a"), layer(2), link(1, "c")], "").await;
    assert_eq!(seen, ["a", "a", "c", "c"]);
    assert_eq!(trail, ["c", "layer", "a"]);
}

#[tokio::test]
async fn a_layer_that_answers_by_itself_keeps_the_exchange() {
    let refusing = layer_fn(|_: ChainService| {
        tower::service_fn(|_: Request<Body>| async {
            Ok::<_, std::convert::Infallible>(Response::new(Body::from("no")))
        })
    });
    let plugin = LayerPlugin::new("refuse", 2, refusing);
    let mut configured = Scoped::default();
    configured.insert(Scope::Global, plugin.configure(&serde_json::json!({})).unwrap());
    let refuse = Link { name: "refuse".into(), priority: 2, configured };
    let (seen, trail) = run(vec![link(3, "a"), refuse, link(1, "c")], "").await;
    assert!(seen.is_empty());
    assert_eq!(trail, ["a"]);
}
