//! A snapshot that comes from many changes is the one that a compile of everything makes, and shares what the
//! changes did not touch.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex},
};

use http::{HeaderMap, Method};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Entry, Environment, Snapshot, compile};
use crate::{
    ConnectInfo, Settings,
    config::{
        Certificate, Change, Checked, Config, Consumer, ConsumerGroup, Plugin as PluginEntity, Protocol,
        Route, Service, Target, Upstream, derived_id, schema::Field, schema::Record,
    },
    forwarder::Outbound,
    observe::Metrics,
    plugin::{Configured, Destination, Exchange, Handler, Plugin, Registry},
    router::Head,
    upstream::{Backend, Dns},
};

/// What plugins have logged.
type Log = Arc<Mutex<Vec<String>>>;

/// Logs what it was configured with.
struct Note(String, Log);

impl Handler for Note {
    fn on_log(&self, _: &Exchange) {
        self.1.lock().unwrap().push(self.0.clone());
    }

    fn destinations(&self) -> Vec<Arc<Destination>> {
        let number = self.0.split(['-', ' ']).nth(1).unwrap_or_default();
        let destination = match self.0.rsplit('-').next() {
            Some("1" | "6" | "10") => Destination::host(Some(&format!("pool-{number}")), None),
            Some("2" | "9") => Destination::host(None, Some(81)),
            Some("3" | "8") => Destination::service(&format!("service-{number}")),
            _ => return Vec::new(),
        };
        vec![Arc::new(destination)]
    }
}

struct Notes {
    name: &'static str,
    schema: Record,
    log: Log,
}

impl Plugin for Notes {
    fn name(&self) -> &str {
        self.name
    }

    fn priority(&self) -> i32 {
        i32::try_from(self.name.len()).unwrap()
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        let text = config["text"].as_str().unwrap_or_default();
        Ok(Configured::handler(Note(format!("{}: {text}", self.name), Arc::clone(&self.log))))
    }
}

fn plugins(log: &Log) -> Arc<Registry> {
    let notes = |name| {
        let schema = Record::new(vec![Field::string("text")]);
        Notes { name, schema, log: Arc::clone(log) }
    };
    Arc::new(Registry::empty().with(notes("note")).with(notes("remark")))
}

fn environment() -> Environment {
    let settings = Settings::default();
    Environment {
        resolver: Arc::new(Dns::system()),
        metrics: Arc::new(Metrics::new(1)),
        outbound: Arc::new(Outbound {
            brand: settings.branding.brand().clone(),
            trust: settings.trust.clone(),
            request_buffer: settings.request_buffer,
        }),
        shards: 1,
        dialect: settings.dialect(),
        pool: settings.pool,
        tls_verify: false,
        recovery: None,
        zone: None,
        tags: true,
        runtime: std::sync::OnceLock::new(),
    }
}

/// A few entities that meet each other.
#[derive(Clone, Copy, Debug)]
struct Draw {
    kind: u8,
    number: u8,
    other: u8,
    shape: u8,
    gone: bool,
}

fn draws() -> impl Strategy<Value = Draw> {
    (0..12_u8, 0..4_u8, 0..4_u8, 0..12_u8, prop::bool::weighted(0.2))
        .prop_map(|(kind, number, other, shape, gone)| Draw { kind, number, other, shape, gone })
}

fn id(kind: &str, number: u8) -> Uuid {
    derived_id(kind, &format!("number-{number}"))
}

static PAIRS: LazyLock<[(String, String); 2]> = LazyLock::new(|| {
    [0, 1].map(|_| {
        let pair = rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap();
        (pair.cert.pem(), pair.signing_key.serialize_pem())
    })
});

impl Draw {
    fn put(self, change: &mut Change) {
        match self.kind {
            0 | 1 => drop(change.services.insert(id("services", self.number), self.some(self.service()))),
            2..=4 => drop(change.routes.insert(id("routes", self.number), self.some(self.route()))),
            5 => drop(change.upstreams.insert(id("upstreams", self.number), self.some(self.upstream()))),
            6 => drop(change.targets.insert(id("targets", self.number), self.some(self.target()))),
            7 => drop(change.consumers.insert(id("consumers", self.number), self.some(self.consumer()))),
            8 => drop(
                change
                    .certificates
                    .insert(id("certificates", self.number % 2), self.some(self.certificate())),
            ),
            11 => drop(
                change
                    .consumer_groups
                    .insert(id("consumer_groups", self.number % 2), self.some(self.group())),
            ),
            _ => drop(change.plugins.insert(id("plugins", self.number), self.some(self.plugin()))),
        }
    }

    fn some<T>(self, entity: T) -> Option<Arc<T>> {
        (!self.gone).then(|| entity.into())
    }

    fn service(self) -> Service {
        let mut service = Service::new(&format!("service-{}", self.number), &format!("pool-{}", self.other));
        (service.id, service.port) = (id("services", self.number), 80 + u16::from(self.shape % 2));
        service.enabled = self.shape != 3;
        // Of those that differ in nothing else.
        service.tags = (!self.shape.is_multiple_of(4)).then(|| vec![format!("subset:{}", self.shape % 4)]);
        service.read_timeout = 1_000 + u32::from(self.shape / 6);
        match self.shape {
            4..=7 => {
                service.protocol = Protocol::Https;
                service.client_certificate =
                    (self.shape > 4).then(|| id("certificates", self.other % 2).into());
            }
            8 => service.protocol = Protocol::Tcp,
            _ => {}
        }
        service
    }

    fn route(self) -> Route {
        let mut route = Route::new(&format!("route-{}", self.number));
        route.id = id("routes", self.number);
        route.paths = Some(vec![["/a", "/b", "/a/b"][usize::from(self.shape % 3)].to_owned()]);
        route.hosts = (self.shape > 8).then(|| vec!["x.test".to_owned()]);
        route.service = (self.shape > 1).then(|| id("services", self.other).into());
        route
    }

    fn upstream(self) -> Upstream {
        let mut upstream = Upstream::new(&format!("pool-{}", self.other));
        upstream.id = id("upstreams", self.number);
        upstream.client_certificate = (self.shape == 0).then(|| id("certificates", self.other % 2).into());
        upstream.host_header = (self.shape == 1).then(|| "h.test".to_owned());
        upstream
    }

    fn target(self) -> Target {
        let mut upstream = Upstream::new("any");
        upstream.id = id("upstreams", self.other);
        let mut target = Target::new(&upstream, &format!("10.0.0.{}:80", self.shape));
        target.id = id("targets", self.number);
        target.tags =
            (self.shape > 3).then(|| vec![format!("subset:{}", self.shape % 3), "subset:1".to_owned()]);
        target
    }

    fn consumer(self) -> Consumer {
        let mut consumer = Consumer::new(&format!("consumer-{}-{}", self.number, self.shape));
        consumer.id = id("consumers", self.number);
        consumer
    }

    /// Any of the first four consumers.
    fn group(self) -> ConsumerGroup {
        let members = (0..4).filter(|number| self.shape & (1 << number) != 0);
        ConsumerGroup {
            id: id("consumer_groups", self.number % 2),
            // Which of two comes first may change.
            name: format!("group-{}-{}", self.other, self.number),
            consumers: members.map(|number| id("consumers", number).into()).collect(),
            tags: None,
            created_at: 0,
            updated_at: 0,
        }
    }

    fn certificate(self) -> Certificate {
        let (cert, key) = &PAIRS[usize::from(self.shape % 2)];
        let certificate = json!({
            "id": id("certificates", self.number % 2), "cert": cert, "key": key, "created_at": 0, "updated_at": 0,
        });
        serde_json::from_value(certificate).unwrap()
    }

    fn plugin(self) -> PluginEntity {
        let name = if self.kind == 9 { "note" } else { "remark" };
        let mut plugin =
            PluginEntity::new(name, json!({ "text": format!("{}-{}", self.number, self.shape) }));
        plugin.id = id("plugins", self.number);
        plugin.enabled = self.shape != 11;
        plugin.route = [1, 3, 5, 7, 9].contains(&self.shape).then(|| id("routes", self.other).into());
        plugin.service = [2, 3, 6, 7, 10].contains(&self.shape).then(|| id("services", self.other).into());
        plugin.consumer = [4, 5, 6, 7].contains(&self.shape).then(|| id("consumers", self.other).into());
        let group = [7, 8, 9, 10].contains(&self.shape).then(|| id("consumer_groups", self.other % 2));
        plugin.consumer_group = group.map(Into::into);
        plugin
    }
}

/// All there is to see of a route: itself, its service, its plugins by consumer, and where it leads.
fn seen(snapshot: &Snapshot, log: &Log) -> BTreeMap<Uuid, String> {
    let describe = |(route, entry): (&Arc<Route>, &Arc<Entry>)| {
        let plugins: Vec<_> =
            [None, Some(0), Some(1), Some(2)].map(|consumer| logged(entry, consumer, log)).into();
        let about = |backend: &Arc<Backend>| {
            // Which services share these endpoints.
            let all = snapshot.backends.by_service.iter();
            let sharing = all.filter(|(_, other)| Arc::ptr_eq(&other.backend.upstream, &backend.upstream));
            let sharing: Vec<_> = sharing.map(|(service, _)| *service).collect();
            let tls = backend.transport.config().is_some();
            (sharing, backend.upstream.group().clone(), backend.subset.clone(), tls, backend.read_timeout)
        };
        let forwarder = entry.chain.forwarder();
        let backend = forwarder.backend().map(about);
        let others: Vec<_> =
            forwarder.others().iter().map(|(to, it)| (to.to_string(), about(&it.backend))).collect();
        let service = entry.matched.service.clone();
        let settings = service.as_ref().and_then(|service| snapshot.backends.by_service.get(&service.id));
        // A certificate does not show its key, nor itself, when it is printed.
        let settings = settings.and_then(|reached| reached.settings.clone());
        let client = settings.as_ref().and_then(|settings| Some(settings.client.as_ref()?.cert.clone()));
        (
            route.id,
            format!("{route:?} {service:?} {plugins:?} {backend:?} {others:?} {settings:?} {client:?}"),
        )
    };
    snapshot.router().iter().map(describe).collect()
}

/// What the plugins of a route log for a request of this consumer.
fn logged(entry: &Entry, consumer: Option<u8>, log: &Log) -> Vec<String> {
    let mut exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
    exchange.consumer = consumer.map(|number| {
        let mut consumer = Consumer::new("any");
        consumer.id = id("consumers", number);
        Arc::new(consumer)
    });
    entry.chain.log(&exchange);
    std::mem::take(&mut log.lock().unwrap())
}

/// The routes that some requests find.
fn found(snapshot: &Snapshot) -> Vec<Option<Uuid>> {
    let requests =
        ["a.test", "x.test"].into_iter().flat_map(|host| ["/a", "/a/b", "/b", "/c"].map(|path| (host, path)));
    let find = |(host, path)| {
        let headers = HeaderMap::new();
        let head = Head::new(&Method::GET, host, path, &headers);
        snapshot.router().find(&head).map(|found| found.value.route().id)
    };
    requests.map(find).collect()
}

fn from_nothing(config: &Config, plugins: &Arc<Registry>, environment: &Environment) -> Snapshot {
    let nothing = Snapshot::empty(Arc::clone(plugins), environment).unwrap();
    let checked = Checked::of(config, plugins).unwrap();
    let whole = Config::default().diff(checked.config());
    compile(checked, &whole, &nothing, plugins, environment).unwrap()
}

/// Whose endpoints a service has.
fn owner(snapshot: &Snapshot, service: Uuid) -> Option<(Option<Uuid>, String, u16)> {
    let host = snapshot.backends.host_of(service)?;
    let upstream = snapshot.checked().upstream_named(host);
    // Services that only plugins lead to keep their port.
    let port = snapshot.config().services.get(&service).map_or(0, |service| service.port);
    let port = if upstream.is_some() { 0 } else { port };
    Some((upstream.map(|upstream| upstream.id), host.to_string(), port))
}

fn entries(snapshot: &Snapshot) -> BTreeMap<Uuid, Arc<Entry>> {
    snapshot.router().iter().map(|(route, entry)| (route.id, Arc::clone(entry))).collect()
}

/// What goes on from one snapshot to the next.
fn goes_on(before: &Snapshot, after: &Snapshot, change: &Change) -> Result<(), TestCaseError> {
    for (service, reached) in &after.backends.by_service {
        let Some(old) = before.backends.by_service.get(service) else { continue };
        let same_owner = owner(before, *service) == owner(after, *service);
        let (old, new) = (&old.backend, &reached.backend);
        if same_owner && old.upstream.group() == new.upstream.group() {
            prop_assert!(Arc::ptr_eq(&old.upstream, &new.upstream), "balancer and pools go on");
            prop_assert!(**old != **new || Arc::ptr_eq(old, new));
        }
    }
    let routes_alone = Change { routes: change.routes.clone(), ..Change::default() } == *change;
    let (before, after) = (entries(before), entries(after));
    for (route, entry) in after.iter().filter(|(route, _)| !change.routes.contains_key(*route)) {
        if let Some(old) = before.get(route).filter(|_| routes_alone) {
            prop_assert!(Arc::ptr_eq(old, entry), "a change of other routes makes no entry anew");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn many_changes_make_the_snapshot_that_one_makes(
        changes in prop::collection::vec(prop::collection::vec(draws(), 1..4), 1..40),
    ) {
        let log = Log::default();
        let (plugins, environment) = (plugins(&log), environment());
        let mut snapshot = Snapshot::empty(Arc::clone(&plugins), &environment).unwrap();
        // Without these most others would be refused.
        let first = (0..4).flat_map(|number| [7, 8, 11].map(|kind| Draw { kind, number, other: 0, shape: 0, gone: false }));
        // Upstreams that most changes meet.
        let pools = (0..2).map(|number| Draw { kind: 5, number, other: number, shape: 2, gone: false });
        for draws in std::iter::once(first.chain(pools).collect()).chain(changes) {
            let mut change = Change::default();
            draws.iter().for_each(|draw| draw.put(&mut change));
            let Ok((checked, made)) = snapshot.checked().apply(&change, &plugins) else { continue };
            // A plugin may name a service that is not there.
            let Ok(next) = compile(checked, &made, &snapshot, &plugins, &environment) else { continue };
            let whole = from_nothing(next.config(), &plugins, &environment);
            prop_assert_eq!(seen(&next, &log), seen(&whole, &log));
            prop_assert_eq!(found(&next), found(&whole));
            for upstream in next.config().upstreams.keys() {
                prop_assert_eq!(next.upstream(*upstream).is_some(), whole.upstream(*upstream).is_some());
            }
            let derived = next.backends.by_service.keys().filter(|id| !next.config().services.contains_key(id));
            prop_assert!(derived.into_iter().all(|id| next.detours.routes_of(*id).next().is_some()), "none is left over");
            goes_on(&snapshot, &next, &made)?;
            snapshot = next;
        }
    }
}

#[test]
fn what_a_change_does_not_touch_is_the_same_afterwards() {
    let log = Log::default();
    let (plugins, environment) = (plugins(&log), environment());
    let mut config = Config::default();
    for number in 0..4 {
        let draw = Draw { kind: 0, number, other: number, shape: 9, gone: false };
        config =
            config.with(draw.service()).with(draw.route()).with(Draw { kind: 9, shape: 1, ..draw }.plugin());
    }
    let before = from_nothing(&config, &plugins, &environment);
    let mut route = config.routes.get(&id("routes", 2)).unwrap().as_ref().clone();
    route.paths = Some(vec!["/changed".into()]);
    let mut change = Change::default();
    change.routes.insert(route.id, Some(route.into()));
    let (checked, made) = before.checked().apply(&change, &plugins).unwrap();
    let after = compile(checked, &made, &before, &plugins, &environment).unwrap();
    for number in 0..4 {
        let entry = |snapshot: &Snapshot| Arc::clone(&entries(snapshot)[&id("routes", number)]);
        let backend =
            |snapshot: &Snapshot| Arc::clone(snapshot.backends.get(id("services", number)).unwrap());
        let plugin =
            |snapshot: &Snapshot| Arc::clone(snapshot.config().plugins.get(&id("plugins", number)).unwrap());
        assert_eq!(Arc::ptr_eq(&entry(&before), &entry(&after)), number != 2);
        assert!(Arc::ptr_eq(&entry(&before).metrics, &entry(&after).metrics), "counters go on");
        assert!(Arc::ptr_eq(&backend(&before), &backend(&after)));
        assert!(Arc::ptr_eq(entry(&after).chain.forwarder().backend().unwrap(), &backend(&after)));
        assert!(Arc::ptr_eq(&plugin(&before), &plugin(&after)));
    }
    assert_eq!(found(&after), found(&from_nothing(after.config(), &plugins, &environment)));
}
