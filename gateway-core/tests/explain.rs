//! What `Gateway::explain` says is what a request meets, and saying it changes nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use gateway_core::{
    Body, Gateway, Settings,
    config::{Config, Consumer, Plugin, Protocol, Route, Service, Target, Upstream},
    explain::{Question, Report},
    observe::{Exposition, NodeState},
    plugin::{self, Configured, Exchange, Flow, Handler, Registry},
    upstream::{Resolve, Resolving},
};
use http::Request;
use tower::ServiceExt;

/// Notes that it ran, and with which configuration.
struct Note {
    word: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Handler for Note {
    fn on_request(&self, _: &mut Request<Body>, _: &mut Exchange) -> Flow<Request<Body>> {
        self.seen.lock().unwrap().push(self.word.clone());
        Flow::Continue
    }
}

struct Notes {
    name: &'static str,
    priority: i32,
    schema: gateway_core::config::schema::Record,
    seen: Arc<Mutex<Vec<String>>>,
}

impl plugin::Plugin for Notes {
    fn name(&self) -> &str {
        self.name
    }

    fn priority(&self) -> i32 {
        self.priority
    }

    fn schema(&self) -> &gateway_core::config::schema::Record {
        &self.schema
    }

    fn configure(&self, config: &serde_json::Value) -> Result<Configured, String> {
        let word = config["word"].as_str().unwrap_or_default().to_owned();
        Ok(Configured::handler(Note { word, seen: Arc::clone(&self.seen) }))
    }
}

/// Two plugins of one priority between two others.
fn registry(seen: &Arc<Mutex<Vec<String>>>) -> Registry {
    [("last", 1), ("alpha", 50), ("beta", 50), ("first", 900)].into_iter().fold(
        Registry::empty(),
        |registry, (name, priority)| {
            let word = gateway_core::config::schema::Field::string("word");
            let schema = gateway_core::config::schema::Record::new(vec![word]);
            registry.with(Notes { name, priority, schema, seen: Arc::clone(seen) })
        },
    )
}

fn route(name: &str, service: &Service, fill: impl FnOnce(&mut Route)) -> Route {
    let mut route = Route::new(name).to(service);
    route.paths = Some(vec!["/".into()]);
    fill(&mut route);
    route
}

fn explain(config: Config, url: &str) -> Report {
    Gateway::builder().config(config).build().unwrap().explain(&Question::new(url)).unwrap()
}

#[tokio::test]
async fn the_plugins_are_those_that_run_in_their_order() {
    let service = Service::new("s", "127.0.0.1");
    let (own, other) = (route("own", &service, |_| {}), Route::new("other"));
    let alice = Consumer::new("alice");
    let plugin = |name: &str, word: &str| Plugin::new(name, serde_json::json!({ "word": word }));
    let mut off = plugin("last", "off").on_route(&own);
    off.enabled = false;
    let config = Config::default()
        .with(plugin("first", "first global"))
        .with(plugin("first", "first service").on_service(&service))
        .with(plugin("beta", "beta route").on_route(&own))
        .with(plugin("beta", "beta both").on_route(&own).on_service(&service))
        .with(plugin("alpha", "alpha global"))
        .with(plugin("alpha", "alpha alice").on_consumer(&alice))
        .with(plugin("last", "last alice").on_consumer(&alice).on_route(&own))
        .with(off)
        .with(route("other", &service, |route| (route.paths, route.hosts) = (None, Some(vec!["o".into()]))))
        .with(plugin("last", "last other").on_route(&other))
        .with(service)
        .with(own)
        .with(alice);
    let seen = Arc::default();
    let gateway = Gateway::builder().config(config).plugins(registry(&seen)).build().unwrap();
    let words = |question: &Question| -> Vec<String> {
        let report = gateway.explain(question).unwrap();
        let snapshot = gateway.snapshot();
        let words = report.plugins.iter().filter_map(|step| snapshot.config().plugins.get(&step.id?));
        words.map(|plugin| plugin.config["word"].as_str().unwrap().to_owned()).collect()
    };
    let mut question = Question::new("http://a.t/");
    let told = words(&question);
    let request = Request::get("/").header("host", "a.t").body(Body::empty()).unwrap();
    gateway.clone().oneshot(request).await.unwrap();
    assert_eq!(told, *seen.lock().unwrap());
    assert_eq!(told, ["first service", "beta both", "alpha global"]);

    let report = gateway.explain(&question).unwrap();
    let steps: Vec<_> =
        report.plugins.iter().map(|step| (step.name.as_str(), step.scope, step.consumers)).collect();
    assert_eq!(
        steps,
        [
            ("first", Some("service"), 0),
            ("beta", Some("route and service"), 0),
            ("alpha", Some("global"), 1),
            ("last", None, 1)
        ]
    );
    question.consumer = Some("alice".into());
    assert_eq!(words(&question), ["first service", "beta both", "alpha alice", "last alice"]);
    question.consumer = Some("bob".into());
    assert_eq!(gateway.explain(&question).unwrap_err().to_string(), "consumer: there is no consumer `bob`");
}

#[derive(Debug, Default)]
struct Asked(AtomicUsize);

impl Resolve for Asked {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        self.0.fetch_add(1, Relaxed);
        Box::pin(async { Err("nobody is to be asked".into()) })
    }
}

#[derive(Clone, Debug)]
struct Shared(Arc<Asked>);

impl Resolve for Shared {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        self.0.resolve(name)
    }
}

fn pool(targets: &[(&str, u16)]) -> (Config, Service) {
    let pool = Upstream::new("pool");
    let targets = targets.iter().map(|(target, weight)| {
        let mut target = Target::new(&pool, target);
        target.weight = *weight;
        target
    });
    let config = targets.fold(Config::default().with(pool.clone()), Config::with);
    (config, Service::new("s", "pool"))
}

#[tokio::test]
async fn nothing_is_counted_picked_or_looked_up() {
    let asked = Arc::new(Asked::default());
    let (config, service) = pool(&[("127.0.0.1:1", 1), ("127.0.0.1:2", 1), ("name.t:3", 1)]);
    let config = config.with(route("r", &service, |_| {})).with(service);
    let settings = || {
        let mut settings = Settings::default();
        settings.shards = 1;
        settings
    };
    let build = |asked: &Arc<Asked>| {
        let builder = Gateway::builder().config(config.clone()).settings(settings());
        builder.resolver(Shared(Arc::clone(asked))).build().unwrap()
    };
    let shown = |gateway: &Gateway| {
        let (metrics, branding) = (Arc::clone(gateway.observer().metrics()), &gateway.settings().branding);
        Arc::new(Exposition::new(metrics, branding, NodeState::default)).text()
    };
    let (explained, fresh) = (build(&asked), build(&Arc::default()));
    let before = shown(&explained);
    for _ in 0..5 {
        let report = explained.explain(&Question::new("http://a.t/")).unwrap();
        let known: Vec<_> = report.endpoints.iter().map(|it| (it.target.as_str(), it.eligible)).collect();
        assert_eq!(known.len(), 3);
        assert!(known.contains(&("127.0.0.1:1", Some(true))) && known.contains(&("name.t:3", None)));
    }
    assert_eq!(shown(&explained), before);
    assert_eq!(asked.0.load(Relaxed), 0);
    // The turn of the balancer is that of a gateway that was never asked.
    let id = *config.upstreams.keys().next().unwrap();
    let pick = async |gateway: &Gateway| {
        let snapshot = gateway.snapshot();
        snapshot.upstream(id).unwrap().pick(0, &[]).await.unwrap().address()
    };
    for _ in 0..4 {
        assert_eq!(pick(&explained).await, pick(&fresh).await);
    }
}

#[test]
fn what_the_edge_does_comes_first() {
    let service = Service::new("s", "users.internal");
    let config = Config::default().with(route("r", &service, |_| {})).with(service);
    let report = explain(config.clone(), "http://A.t/a//b/../c?x=1");
    assert_eq!((report.request.host.as_str(), report.request.path.as_str()), ("a.t", "/a/c"));
    assert_eq!(report.request.changes.len(), 2, "{:?}", report.request.changes);
    assert_eq!(report.upstream.unwrap().url, "http://users.internal/a/c?x=1");
    let refused = explain(config, "http://a.t/../x");
    assert_eq!((refused.outcome.reason, refused.outcome.status), (Some("bad_path"), Some(400)));
    assert!(!refused.outcome.routed && refused.routing.is_none() && refused.plugins.is_empty());
}

#[test]
fn a_trusted_peers_word_counts() {
    let service = Service::new("s", "users.internal");
    let config = Config::default()
        .with(route("r", &service, |route| route.protocols = vec![Protocol::Https]))
        .with(service);
    let mut settings = Settings::default();
    settings.trust.trusted_ips = ["10.0.0.0/8".parse().unwrap()].into_iter().collect();
    let gateway = Gateway::builder().config(config).settings(settings).build().unwrap();
    let mut question = Question::new("http://a.t/");
    question.headers =
        vec![("X-Forwarded-Proto".into(), "https".into()), ("X-Real-IP".into(), "192.0.2.1".into())];
    let told = gateway.explain(&question).unwrap();
    assert_eq!((told.outcome.reason, told.outcome.status), (Some("https_required"), Some(426)));
    assert!(told.outcome.routed && told.upstream.is_none() && told.plugins.is_empty(), "nothing of it runs");
    question.source = Some("10.0.0.1".parse().unwrap());
    let told = gateway.explain(&question).unwrap();
    assert_eq!((told.outcome.reason, told.request.client.to_string().as_str()), (None, "192.0.2.1"));
}

#[test]
fn the_host_that_is_sent_has_its_reason() {
    let host = |fill: fn(&mut Route), header: Option<&str>| {
        let mut pool = Upstream::new("pool");
        pool.host_header = header.map(str::to_owned);
        let targets = [Target::new(&pool, "127.0.0.1:1"), Target::new(&pool, "127.0.0.1:2")];
        let service = Service::new("s", "pool");
        let config = targets.into_iter().fold(Config::default().with(pool), Config::with);
        let report = explain(config.with(route("r", &service, fill)).with(service), "http://a.t:8000/");
        let upstream = report.upstream.unwrap();
        (upstream.host, upstream.host_from.split(' ').next().unwrap())
    };
    let told = |host: &str, from| (Some(host.to_owned()), from);
    assert_eq!(host(|_| {}, None), (None, "the"), "each endpoint has its own");
    assert_eq!(host(|route| route.preserve_host = true, None), told("a.t:8000", "the"));
    assert_eq!(host(|_| {}, Some("h.t")).1, "by");
    let service = Service::new("s", "users.internal");
    let alone = explain(Config::default().with(route("r", &service, |_| {})).with(service), "http://a.t/");
    assert_eq!(alone.upstream.unwrap().host.as_deref(), Some("users.internal"));
}

#[test]
fn a_gateway_that_answers_by_itself_says_why() {
    let reason = |config: Config| explain(config, "http://a.t/").outcome.reason;
    let nowhere = Config::default().with({
        let mut route = Route::new("r");
        route.paths = Some(vec!["/".into()]);
        route
    });
    assert_eq!(reason(nowhere), Some("no_service"));
    for (targets, expected) in [(&[][..], "no_targets"), (&[("127.0.0.1:1", 0)][..], "weight_zero")] {
        let (config, service) = pool(targets);
        let config = config.with(route("r", &service, |_| {})).with(service);
        assert_eq!(reason(config), Some(expected));
    }
    let mut service = Service::new("s", "users.internal");
    service.enabled = false;
    let off = explain(Config::default().with(route("r", &service, |_| {})).with(service), "http://a.t/");
    assert_eq!((off.outcome.reason, off.switched_off.len()), (Some("no_route"), 1));
}
