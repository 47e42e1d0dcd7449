use std::{sync::Arc, time::Duration};

use http::StatusCode;

use super::{Exposition, NodeState, Shown, TargetHealth, TargetState};
use crate::{
    ConnectInfo, Reason,
    config::{Consumer, Route, Service},
    observe::{Metrics, PerConsumer},
    plugin::{Exchange, Source},
    reply::Branding,
};

fn proxied() -> Exchange {
    let mut exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
    exchange.source = Source::Service;
    exchange.request_bytes = 10;
    exchange.response_bytes = 100;
    exchange.timings.forwarded = Some(Duration::from_micros(1500));
    exchange.timings.responded = Some(Duration::from_millis(60));
    exchange.timings.finished = Some(Duration::from_millis(61));
    exchange
}

fn page(metrics: &Arc<Metrics>, branding: &Branding) -> String {
    Arc::new(Exposition::new(Arc::clone(metrics), branding, NodeState::default)).text()
}

fn lines<'p>(page: &'p str, start: &str) -> Vec<&'p str> {
    page.lines().filter(|line| line.starts_with(start)).collect()
}

#[test]
fn requests_and_bytes_carry_kongs_names_and_labels() {
    let metrics = Arc::new(Metrics::new(2));
    let route = metrics.route(Some(&Service::new("users", "h")), &Route::new("list"));
    let mut exchange = proxied();
    route.count(0, &exchange);
    route.count(1, &exchange);
    exchange.status = StatusCode::BAD_GATEWAY;
    exchange.source = Source::Error;
    exchange.reason = Some(Reason::ConnectRefused);
    route.count(1, &exchange);
    let page = page(&metrics, &Branding::default());
    assert_eq!(lines(&page, "# TYPE kong_http"), ["# TYPE kong_http_requests_total counter"]);
    assert_eq!(
        lines(&page, "kong_http_requests_total"),
        [
            r#"kong_http_requests_total{service="users",route="list",code="502",source="kong",workspace="default",consumer=""} 1"#,
            r#"kong_http_requests_total{service="users",route="list",code="200",source="service",workspace="default",consumer=""} 2"#,
        ]
    );
    assert_eq!(lines(&page, "# TYPE kong_bandwidth"), ["# TYPE kong_bandwidth_bytes counter"]);
    assert_eq!(
        lines(&page, "kong_bandwidth_bytes"),
        [
            r#"kong_bandwidth_bytes{service="users",route="list",direction="egress",workspace="default",consumer=""} 300"#,
            r#"kong_bandwidth_bytes{service="users",route="list",direction="ingress",workspace="default",consumer=""} 30"#,
        ]
    );
    assert_eq!(
        lines(&page, "gateway_reasons_total"),
        [r#"gateway_reasons_total{service="users",route="list",reason="connect_refused"} 1"#]
    );
}

#[test]
fn latencies_fall_into_kongs_buckets() {
    let metrics = Arc::new(Metrics::new(1));
    let route = metrics.route(None, &Route::new("r"));
    route.count(0, &proxied());
    let page = page(&metrics, &Branding::default());
    let buckets = lines(&page, "kong_kong_latency_ms_bucket");
    assert_eq!(buckets.len(), 18);
    assert_eq!(
        buckets.get(..2).unwrap(),
        [
            r#"kong_kong_latency_ms_bucket{le="1.0",service="",route="r",workspace="default"} 0"#,
            r#"kong_kong_latency_ms_bucket{le="2.0",service="",route="r",workspace="default"} 1"#,
        ]
    );
    assert_eq!(
        buckets.last().unwrap(),
        &r#"kong_kong_latency_ms_bucket{le="+Inf",service="",route="r",workspace="default"} 1"#
    );
    assert_eq!(
        lines(&page, "kong_upstream_latency_ms_sum"),
        [r#"kong_upstream_latency_ms_sum{service="",route="r",workspace="default"} 58.5"#]
    );
    assert_eq!(
        lines(&page, "kong_request_latency_ms_count"),
        [r#"kong_request_latency_ms_count{service="",route="r",workspace="default"} 1"#]
    );
    assert_eq!(lines(&page, "kong_request_latency_ms_bucket").len(), 14);
}

#[test]
fn the_node_is_shown_as_kong_shows_it() {
    let state = || NodeState {
        node_id: "n1".to_owned(),
        version: "3.9.0".to_owned(),
        datastore_reachable: true,
        targets: vec![TargetState {
            upstream: "u".to_owned(),
            target: "h:80".to_owned(),
            address: "127.0.0.1:80".to_owned(),
            health: TargetHealth::Unhealthy,
            probed: Some((7, Duration::from_millis(2_900))),
        }],
        ..NodeState::default()
    };
    let metrics = Arc::new(Metrics::new(1));
    let page = Arc::new(Exposition::new(metrics, &Branding::default(), state)).text();
    assert_eq!(lines(&page, "kong_node_info"), [r#"kong_node_info{node_id="n1",version="3.9.0"} 1"#]);
    let of_target = "{upstream=\"u\",target=\"h:80\",address=\"127.0.0.1:80\"}";
    for (name, value) in [("gateway_upstream_probes_total", 7), ("gateway_upstream_probe_age_seconds", 2)] {
        assert_eq!(lines(&page, name), [format!("{name}{of_target} {value}")]);
    }
    assert_eq!(lines(&page, "kong_datastore_reachable"), ["kong_datastore_reachable 1"]);
    assert_eq!(lines(&page, "kong_nginx_requests_total"), ["kong_nginx_requests_total 0"]);
    assert_eq!(lines(&page, "kong_nginx_connections_total{").len(), 6);
    assert_eq!(
        lines(&page, "kong_upstream_target_health{"),
        ["healthchecks_off\",subsystem=\"http\"} 0", "healthy\",subsystem=\"http\"} 0"]
            .into_iter()
            .chain(["unhealthy\",subsystem=\"http\"} 1", "dns_error\",subsystem=\"http\"} 0"])
            .map(|end| format!(
                "kong_upstream_target_health{{upstream=\"u\",target=\"h:80\",address=\"127.0.0.1:80\",state=\"{end}"
            ))
            .collect::<Vec<_>>()
    );
}

#[test]
fn consumers_have_series_of_their_own_where_wished() {
    let metrics = Arc::new(Metrics::with_consumers(1, PerConsumer::Yes));
    let route = metrics.route(None, &Route::new("r"));
    let mut exchange = proxied();
    exchange.consumer = Some(Arc::new(Consumer::new("alice")));
    route.count(0, &exchange);
    let page = page(&metrics, &Branding::default());
    assert_eq!(
        lines(&page, "kong_http_requests_total"),
        [
            r#"kong_http_requests_total{service="",route="r",code="200",source="service",workspace="default",consumer="alice"} 1"#
        ]
    );
}

#[test]
fn a_hostile_name_stays_within_its_label_and_branding_renames_the_rest() {
    let metrics = Arc::new(Metrics::new(1));
    let mut service = Service::new("s", "h");
    service.name = Some("a\"} 1\nevil{x=\"\\".to_owned());
    let route = metrics.route(Some(&service), &Route::new("r"));
    route.count(0, &proxied());
    let page = page(&metrics, &Branding::neutral());
    let requests = lines(&page, "gateway_http_requests_total");
    assert_eq!(requests.len(), 1);
    assert!(
        requests.iter().all(|line| line.contains(r#"service="a\"} 1\nevil{x=\"\\",route="r""#)),
        "{page}"
    );
    assert!(!page.to_ascii_lowercase().contains("kong"), "{page}");
}

#[test]
fn what_is_switched_off_is_not_shown() {
    let metrics = Arc::new(Metrics::new(1));
    metrics.unmatched().count(0, &proxied());
    let off = Shown { status_codes: false, bandwidth: false, latencies: false, upstream_health: false };
    let page = Exposition::new(metrics, &Branding::default(), NodeState::default).showing(off);
    let page = Arc::new(page).text();
    for name in ["http_requests_total", "bandwidth_bytes", "latency_ms", "upstream_target_health"] {
        assert!(!page.contains(name), "{name}");
    }
    assert!(page.contains("kong_node_info"));
}
