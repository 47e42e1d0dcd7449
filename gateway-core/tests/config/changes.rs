//! A change is checked in proportion, and finds what a check of everything finds.

use gateway_core::config::{
    Change, Checked, Config, Consumer, ConsumerGroup, Credential, Plugin, Problems, Reference, Route,
    Service, Target, Upstream, derived_id,
};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use crate::Tables;

/// Few ids, names and keys, so that they meet.
fn id(kind: &str, number: u8) -> Uuid {
    derived_id(kind, &format!("number-{number}"))
}

fn reference(kind: &str, number: u8) -> Reference {
    id(kind, number).into()
}

/// One entity put in, or taken out.
#[derive(Clone, Copy, Debug)]
struct Draw {
    kind: u8,
    number: u8,
    name: u8,
    other: u8,
    shape: u8,
    gone: bool,
}

fn draws() -> impl Strategy<Value = Draw> {
    (0..8_u8, 0..4_u8, 0..6_u8, 0..4_u8, 0..10_u8, prop::bool::weighted(0.3))
        .prop_map(|(kind, number, name, other, shape, gone)| Draw { kind, number, name, other, shape, gone })
}

impl Draw {
    fn put(self, change: &mut Change) {
        let number = self.number;
        match self.kind {
            0 => drop(change.services.insert(id("services", number), self.some(self.service()))),
            1 => drop(change.routes.insert(id("routes", number), self.some(self.route()))),
            2 => drop(change.upstreams.insert(id("upstreams", number), self.some(self.upstream()))),
            3 => drop(change.targets.insert(id("targets", number), self.some(self.target()))),
            4 => drop(change.consumers.insert(id("consumers", number), self.some(self.consumer()))),
            5 => drop(change.credentials.insert(id("credentials", number), self.some(self.credential()))),
            6 => drop(change.plugins.insert(id("plugins", number), self.some(self.plugin()))),
            _ => drop(change.consumer_groups.insert(id("consumer_groups", number), self.some(self.group()))),
        }
    }

    fn some<T>(self, entity: T) -> Option<std::sync::Arc<T>> {
        (!self.gone).then(|| entity.into())
    }

    fn name(self) -> Option<String> {
        (self.name < 5).then(|| format!("name-{}", self.name))
    }

    fn service(self) -> Service {
        let mut service = Service::new("s", if self.shape == 0 { "not a host" } else { "h.internal" });
        (service.id, service.name) = (id("services", self.number), self.name());
        if self.shape == 1 {
            service.protocol = gateway_core::config::Protocol::Https;
            service.ca_certificates = Some(vec![id("ca_certificates", 0)]);
        }
        service
    }

    fn route(self) -> Route {
        let mut route = Route::new("r");
        (route.id, route.name) = (id("routes", self.number), self.name());
        route.paths = Some(vec![if self.shape == 0 { "no-slash" } else { "/a" }.to_owned()]);
        route.service = (self.shape > 2).then(|| reference("services", self.other));
        route
    }

    fn upstream(self) -> Upstream {
        let mut upstream = Upstream::new(&format!("up-{}", self.name));
        upstream.id = id("upstreams", self.number);
        upstream
    }

    fn target(self) -> Target {
        let mut upstream = Upstream::new("u");
        upstream.id = id("upstreams", self.other);
        let mut target =
            Target::new(&upstream, ["10.0.0.1", "10.0.0.1:8000", "10.0.0.2"][usize::from(self.shape % 3)]);
        target.id = id("targets", self.number);
        target
    }

    fn consumer(self) -> Consumer {
        let mut consumer = Consumer::new("c");
        (consumer.id, consumer.username) = (id("consumers", self.number), self.name());
        consumer.custom_id = (self.shape < 5).then(|| format!("custom-{}", self.other));
        consumer
    }

    fn credential(self) -> Credential {
        let consumer = json!({ "id": id("consumers", self.other) });
        let own = json!({ "id": id("credentials", self.number), "consumer": consumer });
        let kind = match self.shape % 3 {
            0 => json!({ "kind": "acls", "group": format!("group-{}", self.name) }),
            1 => json!({ "kind": "keyauth_credentials", "key": format!("key-{}", self.name) }),
            _ => {
                json!({ "kind": "basicauth_credentials", "username": format!("user-{}", self.name), "password": "p" })
            }
        };
        let mut fields = own.as_object().cloned().unwrap_or_default();
        fields.extend(kind.as_object().cloned().unwrap_or_default());
        serde_json::from_value(fields.into()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn plugin(self) -> Plugin {
        let name = ["cors", "cors", "correlation-id", "no-such"][usize::from(self.shape % 4)];
        let mut plugin = Plugin::new(name, json!({}));
        (plugin.id, plugin.instance_name) = (id("plugins", self.number), self.name());
        plugin.route = (self.shape > 4).then(|| reference("routes", self.other));
        plugin.service = self.shape.is_multiple_of(2).then(|| reference("services", self.other));
        plugin.consumer = (self.shape == 3).then(|| reference("consumers", self.other));
        plugin
    }

    fn group(self) -> ConsumerGroup {
        let member = json!({ "id": id("consumers", self.other) });
        let members = if self.shape < 4 { json!([member, member]) } else { json!([]) };
        let group = json!({
            "id": id("consumer_groups", self.number), "name": format!("group-{}", self.name), "consumers": members,
            "created_at": 0, "updated_at": 0,
        });
        serde_json::from_value(group).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// All there is to say of each problem, in order.
fn told(problems: &Problems) -> Vec<String> {
    problems.iter().map(|problem| format!("{problem:?}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_change_is_checked_as_the_whole_is(changes in prop::collection::vec(prop::collection::vec(draws(), 1..5), 1..30)) {
        let tables = Tables::new();
        let mut checked = Checked::default();
        for draws in changes {
            let mut change = Change::default();
            draws.iter().for_each(|draw| draw.put(&mut change));
            let whole = Checked::of(&checked.config().apply(&change), &tables);
            match (checked.apply(&change, &tables), whole) {
                (Ok((next, made)), Ok(whole)) => {
                    prop_assert_eq!(next.config(), whole.config());
                    prop_assert_eq!(&made, &checked.config().diff(whole.config()));
                    checked = next;
                }
                (Err(proportional), Err(whole)) => prop_assert_eq!(told(&proportional), told(&whole)),
                (Ok(_), Err(whole)) => prop_assert!(false, "not found: {whole}"),
                (Err(problems), Ok(_)) => prop_assert!(false, "found for nothing: {problems}"),
            }
        }
    }
}

#[test]
fn what_is_put_in_twice_and_what_is_left_without_its_service_is_told_in_the_order_of_the_whole() {
    let service = Service::new("s", "h.internal");
    let route = |name: &str| {
        let mut route = Route::new(name).to(&service);
        route.paths = Some(vec!["/a".into()]);
        route
    };
    let config = Config::default().with(service.clone()).with(route("a")).with(route("b"));
    let checked = Checked::of(&config, &Tables::new()).expect("right");
    let mut change = Change::default();
    change.services.insert(service.id, None);
    let problems = checked.apply(&change, &Tables::new()).expect_err("two routes lead to it");
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let lost = |at: usize| {
        format!(
            "routes[{at}].service: invalid reference 'service: {}' (no such entry in 'services')",
            service.id
        )
    };
    assert_eq!(lines, [lost(0), lost(1)]);
    let mut other = route("b");
    (other.id, other.name) = (id("routes", 9), Some("a".into()));
    let mut change = Change::default();
    change.routes.insert(other.id, Some(other.into()));
    let problems = checked.apply(&change, &Tables::new()).expect_err("the name is taken");
    assert!(
        problems.to_string().contains("'routes' entity with name set to 'a' already declared"),
        "{problems}"
    );
}
