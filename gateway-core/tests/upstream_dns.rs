//! Host names: looked up before the first answer, kept when a look-up fails, followed when they move
//! (compat P4, S2, S11).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{Edge, Scripted, config, eventually, scripted::ok, settings};
use gateway_core::{
    Gateway, Reason,
    config::{Config, Service, Target, Upstream as UpstreamConfig},
    upstream::{Dns, Group, Member, PoolLimits, Resolution, Resolve, Resolved, Resolving, Upstream},
};
use tokio::{
    net::{TcpListener, UdpSocket},
    time::{Instant, sleep},
};

/// A zone that the test can change.
#[derive(Clone, Debug, Default)]
struct Zone(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    names: HashMap<String, Resolved>,
    delay: Duration,
    asked: usize,
}

impl Zone {
    fn set(&self, name: &str, ttl: u64, addresses: &[Resolution]) {
        let resolved = Resolved { addresses: addresses.to_vec(), ttl: Duration::from_secs(ttl) };
        self.0.lock().unwrap().names.insert(name.into(), resolved);
    }

    fn fail(&self) {
        self.0.lock().unwrap().names.clear();
    }

    fn delay(&self, delay: Duration) {
        self.0.lock().unwrap().delay = delay;
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().asked
    }
}

impl Resolve for Zone {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let (delay, found) = {
                let mut state = self.0.lock().unwrap();
                state.asked += 1;
                (state.delay, state.names.get(name).cloned())
            };
            sleep(delay).await;
            found.ok_or_else(|| format!("{name}: NXDOMAIN").into())
        })
    }
}

const fn at(last: u8) -> Resolution {
    Resolution { ip: IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), port: None, weight: None, name: None }
}

fn edge(config: Config, zone: &Zone) -> Edge {
    Edge::of(Gateway::builder().config(config).settings(settings()).resolver(zone.clone()).build().unwrap())
}

/// A service of the name, at the port of `upstream`.
fn named(name: &str, upstream: &Scripted) -> Config {
    let mut service = Service::new("tested", name);
    service.port = upstream.address.port();
    config(service)
}

async fn at_port(last: u8, port: u16) -> Scripted {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, last), port)).await.unwrap();
    Scripted::on(listener, move |_| ok(&last.to_string()))
}

#[tokio::test]
async fn the_first_requests_wait_for_the_first_look_up() {
    let (upstream, zone) = (at_port(1, 0).await, Zone::default());
    zone.set("a.example", 60, &[at(1)]);
    zone.delay(Duration::from_millis(200));
    let edge = edge(named("a.example", &upstream), &zone);
    let (one, other) = tokio::join!(edge.get("/"), edge.get("/"));
    one.assert_ok("1");
    other.assert_ok("1");
    assert_eq!(zone.asked(), 1);
    let host = format!("a.example:{}", upstream.address.port());
    assert_eq!(upstream.seen()[0].header("host"), host);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_503_until_it_does() {
    let (upstream, zone) = (at_port(1, 0).await, Zone::default());
    let edge = edge(named("a.example", &upstream), &zone);
    edge.get("/").await.assert_failed(503, "name resolution failed", "dns_error");
    edge.get("/").await.assert_failed(503, "name resolution failed", "dns_error");
    zone.set("a.example", 60, &[at(1)]);
    let asked = zone.asked();
    eventually("it is asked again", || zone.asked() > asked).await;
    sleep(Duration::from_millis(50)).await;
    edge.get("/").await.assert_ok("1");
}

#[tokio::test]
async fn a_failing_look_up_keeps_the_last_answer() {
    let (upstream, zone) = (at_port(1, 0).await, Zone::default());
    zone.set("a.example", 0, &[at(1)]);
    let edge = edge(named("a.example", &upstream), &zone);
    edge.get("/").await.assert_ok("1");
    zone.fail();
    let asked = zone.asked();
    eventually("it is asked again", || zone.asked() > asked).await;
    sleep(Duration::from_millis(50)).await;
    edge.get("/").await.assert_ok("1");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_changed_answer_moves_the_traffic_and_keeps_what_stays() {
    let first = at_port(1, 0).await;
    let port = first.address.port();
    let (second, third) = (at_port(2, port).await, at_port(3, port).await);
    let zone = Zone::default();
    zone.set("a.example", 0, &[at(1), at(2)]);
    let edge = edge(named("a.example", &first), &zone);
    for _ in 0..4 {
        assert_eq!(edge.get("/").await.status, 200);
    }
    zone.set("a.example", 60, &[at(2), at(3)]);
    let asked = zone.asked();
    eventually("it is asked again", || zone.asked() > asked).await;
    eventually("the endpoint that goes closes its connection", || first.open() == 0).await;
    let before = (first.seen().len(), second.seen().len());
    for _ in 0..4 {
        assert_eq!(edge.get("/").await.status, 200);
    }
    assert_eq!((first.seen().len(), second.seen().len()), (before.0, before.1 + 2));
    assert_eq!((second.connections(), third.connections()), (1, 1));
}

#[tokio::test]
async fn an_srv_record_brings_port_and_weight() {
    let (heavy, light) = (at_port(1, 0).await, at_port(2, 0).await);
    let zone = Zone::default();
    let service = |resolution: Resolution, upstream: &Scripted, weight| Resolution {
        port: Some(upstream.address.port()),
        weight: Some(weight),
        ..resolution
    };
    zone.set("srv.example", 60, &[service(at(1), &heavy, 3), service(at(2), &light, 1)]);
    let group = UpstreamConfig::new("group");
    let all = config(Service::new("tested", "group"));
    let edge = edge(all.with(Target::new(&group, "srv.example:1")).with(group), &zone);
    for _ in 0..8 {
        assert_eq!(edge.get("/").await.status, 200);
    }
    assert_eq!((heavy.seen().len(), light.seen().len()), (6, 2));
}

#[tokio::test]
async fn the_name_of_an_srv_record_is_the_host_where_that_is_wanted() {
    let upstream = at_port(1, 0).await;
    let port = upstream.address.port();
    let zone = Zone::default();
    let leads = Resolution { port: Some(port), name: Some("one.example".into()), ..at(1) };
    zone.set("srv.example", 60, &[leads]);
    for (wanted, header, host) in [
        (true, None, "one.example"),
        (false, None, "srv.example"),
        (true, Some("told.example"), "told.example"),
    ] {
        let mut group = UpstreamConfig::new("group");
        (group.use_srv_name, group.host_header) = (wanted, header.map(str::to_owned));
        let all = config(Service::new("tested", "group"));
        let edge = edge(all.with(Target::new(&group, "srv.example:1")).with(group), &zone);
        assert_eq!(edge.get("/").await.status, 200);
        assert_eq!(upstream.seen().last().unwrap().header("host"), format!("{host}:{port}"));
    }
}

fn group_of(name: &str, zone: &Zone) -> Arc<Upstream> {
    let group = Group::new("group", [Member::new(name, 80)]);
    Upstream::new(group, None, Arc::new(zone.clone()), 1, PoolLimits::default())
}

#[tokio::test(start_paused = true)]
async fn a_ttl_of_nothing_does_not_spin() {
    let zone = Zone::default();
    zone.set("a.example", 0, &[at(1)]);
    let upstream = group_of("a.example", &zone);
    upstream.pick(0, &[]).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert!((50..=61).contains(&zone.asked()), "{}", zone.asked());
    drop(upstream);
    let asked = zone.asked();
    sleep(Duration::from_secs(60)).await;
    assert!(zone.asked() <= asked + 1, "the task ends with its upstream");
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_hangs_fails_the_first_request_in_time() {
    let zone = Zone::default();
    zone.delay(Duration::from_secs(600));
    let upstream = group_of("a.example", &zone);
    let began = Instant::now();
    let error = upstream.pick(0, &[]).await.unwrap_err();
    assert_eq!((error.reason(), began.elapsed()), (Reason::DnsError, Duration::from_secs(5)));
}

#[tokio::test(start_paused = true)]
async fn a_long_ttl_is_asked_again_within_ten_minutes() {
    let zone = Zone::default();
    zone.set("a.example", 1 << 30, &[at(1)]);
    let upstream = group_of("a.example", &zone);
    upstream.pick(0, &[]).await.unwrap();
    sleep(Duration::from_secs(601)).await;
    assert_eq!(zone.asked(), 2);
}

#[tokio::test]
async fn an_address_needs_no_look_up() {
    let zone = Zone::default();
    for (host, shown) in [("127.0.0.1", "127.0.0.1:80"), ("[::1]", "[::1]:80"), ("::1", "[::1]:80")] {
        let endpoint = group_of(host, &zone).pick(0, &[]).await.unwrap();
        assert_eq!(endpoint.address().to_string(), shown);
    }
    assert_eq!(zone.asked(), 0);
}

#[tokio::test]
async fn the_system_knows_localhost_from_the_hosts_file() {
    let found = Dns::system().resolve("localhost").await.unwrap();
    assert_eq!(found.addresses[0], at(1));
    assert!(Dns::system().resolve("no such name").await.is_err());
}

/// A name server on UDP with SRV for `srv.`, A and AAAA for `both.`, AAAA for `six.` and nothing else.
async fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&dns_answer(&buffer[..length]), peer).await;
        }
    });
    address
}

/// The answer to a question (RFC 1035 section 4).
fn dns_answer(question: &[u8]) -> Vec<u8> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let first = &question[13..13 + usize::from(question[12])];
    let kind = u16::from_be_bytes([question[end], question[end + 1]]);
    let target = b"\x04six6\x07example\x00";
    let srv = |priority: u8, weight: u8, port: u16| {
        let mut data = vec![0, priority, 0, weight];
        data.extend(port.to_be_bytes());
        data.extend(target);
        data
    };
    let mut v6 = [0; 16];
    v6[15] = 1;
    let records: Vec<Vec<u8>> = match (first, kind) {
        (b"srv", 33) => vec![srv(1, 5, 8001), srv(1, 0, 8002), srv(2, 9, 8003)],
        (b"both" | b"srv", 1) => vec![vec![127, 0, 0, 9]],
        (b"both" | b"six" | b"six6", 28) => vec![v6.to_vec()],
        _ => Vec::new(),
    };
    let mut answer = question[..2].to_vec();
    let code = if records.is_empty() { 3 } else { 0 };
    answer.extend([0x84, code, 0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
    answer.extend(&question[12..end + 4]);
    for data in records {
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 30]);
        answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        answer.extend(data);
    }
    answer
}

#[tokio::test]
async fn srv_goes_before_a_and_a_before_aaaa() {
    let dns = Dns::servers([name_server().await]);
    let found = dns.resolve("both.example").await.unwrap();
    assert_eq!((found.addresses, found.ttl.as_secs_f32().round()), (vec![at(9)], 30.0));
    let found = dns.resolve("six.example").await.unwrap();
    assert!(found.addresses.iter().all(|found| found.ip.is_ipv6()) && found.addresses.len() == 1);
    // The lowest priority only; weight 0 counts as 1.
    let mut services = dns.resolve("srv.example").await.unwrap().addresses;
    services.sort_by_key(|found| found.port);
    let seen: Vec<_> = services.iter().map(|found| (found.ip.is_ipv6(), found.port, found.weight)).collect();
    assert_eq!(seen, [(true, Some(8001), Some(5)), (true, Some(8002), Some(1))]);
    assert!(dns.resolve("none.example").await.is_err());
}
