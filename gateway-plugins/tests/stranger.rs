//! A filter written against the public SDK, through a real gateway over sockets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use gateway_core::{
    config::{Config, Plugin},
    plugin::{Plugin as _, Registry},
};
use gateway_plugins::{Call, ForeignFunction, MetricValue, Returned, Status};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use kit::{ENGINE, STRANGER, builder, chunks, edge, edge_among, empty, request, stranger, told, whole};
use serde_json::json;

#[tokio::test]
async fn header_fields_are_read_and_written() {
    let edge = stranger(&["headers"]).await;
    let asked = request("POST", "/api/x?q=1").header("x-gone", "1").body(whole("hi")).unwrap();
    let answer = edge.ask(asked).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.text.starts_with("POST /rewritten?by=stranger\n"), "{}", answer.text);
    assert_eq!(answer.sent("x-set"), ["1", "2"]);
    assert_eq!(answer.sent("x-gone"), [""; 0]);
    assert_eq!(answer.sent("x-end"), ["false"]);
    assert_eq!(answer.sent("transfer-encoding"), [""; 0], "the framing is the host's");
    assert_eq!(answer.sent("body"), ["hi"]);
}

#[tokio::test]
async fn a_head_without_a_body_ends_the_stream() {
    let edge = stranger(&["response-headers"]).await;
    for (path, end) in [("/none", "true"), ("/x", "false")] {
        let answer = edge.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("x-was"), answer.header("x-end")),
            (207, "200", end)
        );
        assert_eq!(answer.header("x-path"), path, "the request's head is there in the response phase");
    }
}

#[tokio::test]
async fn a_whole_map_is_replaced() {
    let edge = stranger(&["all-headers"]).await;
    let asked = request("POST", "/x").header("x-gone", "1").header("x-kept", "1").body(whole("hi")).unwrap();
    let answer = edge.ask(asked).await;
    assert_eq!((answer.sent("x-all"), answer.sent("x-kept")), (vec!["1"], vec!["1"]));
    assert_eq!(answer.sent("x-gone"), [""; 0]);
    assert_eq!((answer.sent("content-length"), answer.sent("body")), (vec!["2"], vec!["hi"]));
}

#[tokio::test]
async fn properties_tell_of_the_request_and_keep_notes() {
    let edge = stranger(&["properties", "note"]).await;
    let answer = edge.ask(request("GET", "/x").header("user-agent", "test").body(empty()).unwrap()).await;
    for (name, value) in [
        ("x-method", "GET"),
        ("x-route", "all"),
        ("x-service", "echo"),
        ("x-plugin", "stranger"),
        ("x-root", "main"),
        ("x-agent", "test"),
        ("x-note", "kept"),
    ] {
        assert_eq!(answer.sent(name), [value], "{name}");
    }
    assert!(answer.sent("x-source")[0].starts_with("127.0.0.1:"));
    assert_eq!(answer.header("x-note"), "kept", "in the response phase, too");
}

#[tokio::test]
async fn a_path_that_one_plugin_wrote_is_what_the_next_one_reads() {
    let first = builder("first").priority(2_000).module(&ENGINE, &STRANGER);
    let others = Config::default().with(Plugin::new("first", told(&["headers"])));
    let registry = Registry::empty().with(first);
    let edge = edge_among(builder("second"), &STRANGER, told(&["response-headers"]), others, registry).await;
    let asked = request("POST", "/api/x?q=1").header("x-gone", "1").body(whole("hi")).unwrap();
    let answer = edge.ask(asked).await;
    assert!(answer.text.starts_with("POST /rewritten?by=stranger\n"), "{}", answer.text);
    assert_eq!(answer.header("x-path"), "/rewritten?by=stranger");
}

#[tokio::test]
async fn a_local_reply_is_the_answer() {
    let edge = stranger(&["reply", "response-headers"]).await;
    let answer = edge.get("/x").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (207, "a teapot"));
    assert_eq!(answer.headers.get_all("x-by").iter().collect::<Vec<_>>(), ["stranger", "twice"]);
    assert_eq!(answer.header("content-type"), "text/plain");
    assert_eq!(answer.header("x-was"), "418", "the response phase sees it");
}

#[tokio::test]
async fn a_local_reply_takes_the_place_of_the_upstreams_answer() {
    let answer = stranger(&["replace-response"]).await.get("/x").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (451, "replaced"));
}

#[tokio::test]
async fn shared_data_goes_from_request_to_request() {
    let edge = stranger(&["data", "time"]).await;
    for count in ["1", "2", "3"] {
        let answer = edge.get("/x").await;
        assert_eq!(answer.sent("x-count"), [count]);
        assert!(answer.sent("x-seconds")[0].parse::<u64>().unwrap() > 1_700_000_000);
    }
}

#[tokio::test]
async fn ticks_come_and_metrics_count() {
    let edge = stranger(&["tick", "data"]).await;
    edge.get("/x").await;
    let gauge = |watch: &gateway_plugins::Watch| {
        watch.metrics().into_iter().find(|metric| metric.name == "ticks").map(|metric| metric.value)
    };
    edge.until(|watch| matches!(gauge(watch), Some(MetricValue::Gauge(2..)))).await;
    assert_eq!(edge.get("/x").await.sent("x-ticked"), ["yes"]);
    let requests = edge.watch.metrics().into_iter().find(|metric| metric.name == "requests").unwrap();
    assert_eq!(requests.value, MetricValue::Counter(2));
}

#[tokio::test]
async fn a_queue_tells_its_listener() {
    let edge = stranger(&["queue", "data"]).await;
    edge.get("/x").await;
    for _ in 0..500 {
        if edge.get("/x").await.sent("x-dequeued") == ["a job"] {
            return;
        }
    }
    panic!("nobody was told");
}

struct Reverse;

impl ForeignFunction for Reverse {
    fn call(&self, arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
        assert!(call.exchange.is_some() && call.request.is_some() && call.effects.is_some());
        assert_eq!(call.plugin, "stranger");
        call.answer.extend(arguments.iter().rev());
        Ok(Returned::Written)
    }
}

struct Later;

impl ForeignFunction for Later {
    fn call(&self, _: &[u8], _: &mut Call<'_>) -> Result<Returned, Status> {
        Ok(Returned::Later(Box::pin(async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Bytes::from_static(b"at last")
        })))
    }
}

#[tokio::test]
async fn foreign_functions_answer_now_or_later() {
    let builder = builder("stranger").function("reverse", Reverse).function("later", Later);
    let edge = edge(builder, &STRANGER, told(&["foreign", "later"])).await;
    let answer = edge.get("/x").await;
    assert_eq!((answer.sent("x-reversed"), answer.sent("x-later")), (vec!["cba"], vec!["at last"]));
}

#[tokio::test]
async fn a_request_waits_for_its_callout() {
    let edge = stranger(&["call"]).await;
    let answer = edge.ask(request("POST", "/x").body(chunks(&["a", "b"], None)).unwrap()).await;
    assert_eq!(answer.sent("x-answer"), ["/ask at auth.example: question true"]);
    assert_eq!(answer.sent("body"), ["ab"], "the body waited too");
    let denied = edge.ask(request("GET", "/x").header("x-ask", "/deny").body(empty()).unwrap()).await;
    assert_eq!((denied.status.as_u16(), denied.header("x-by")), (403, "stranger"));
    assert_eq!(denied.text, "/deny at auth.example: question true");
}

#[tokio::test]
async fn a_callout_that_is_not_answered_in_time_fails() {
    let edge = stranger(&["call"]).await;
    let answer = edge.ask(request("GET", "/x").header("x-ask", "/slow").body(empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (504, "no answer"));
}

#[tokio::test]
async fn several_callouts_are_under_way_at_a_time() {
    let answer = stranger(&["calls"]).await.get("/x").await;
    let mut answers = answer.sent("x-answer");
    answers.sort_unstable();
    assert_eq!(answers, [1, 2, 3].map(|number| format!("/ask/{number} at auth.example: question true")));
}

#[tokio::test]
async fn an_upstream_that_is_not_granted_is_not_called() {
    let config = json!({ "do": ["call"], "host": { "upstreams": ["other"] } });
    let answer = edge(builder("stranger"), &STRANGER, config).await.get("/x").await;
    assert_eq!(answer.sent("x-call-refused"), ["BadArgument"]);
}

#[tokio::test]
async fn an_answer_waits_for_a_callout() {
    let answer = stranger(&["call-response"]).await.get("/x").await;
    assert_eq!(answer.header("x-answer"), "/ask at auth.example: question true");
    assert!(answer.text.starts_with("GET /x"));
}

#[tokio::test]
async fn a_request_body_is_held_until_it_is_whole() {
    let edge = stranger(&["buffer-request"]).await;
    for body in [whole("one two"), chunks(&["one ", "two"], None)] {
        let answer = edge.ask(request("POST", "/x").body(body).unwrap()).await;
        assert_eq!(answer.sent("body"), ["ONE TWO"]);
    }
}

#[tokio::test]
async fn a_request_body_streams_chunk_by_chunk() {
    let edge = stranger(&["stream-request"]).await;
    let answer = edge.ask(request("POST", "/x").body(chunks(&["one", "two"], None)).unwrap()).await;
    assert_eq!(
        answer.sent("body"),
        ["[one][two][]"],
        "the end comes by itself where its chunk did not say so"
    );
}

#[tokio::test]
async fn a_body_that_is_held_for_too_long_is_refused() {
    let edge = stranger(&["buffer-request"]).await;
    let large = "x".repeat(600 << 10);
    let answer = edge.ask(request("POST", "/x").body(chunks(&[&large, &large], None)).unwrap()).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn a_local_reply_while_the_body_streams_is_the_answer() {
    let edge = stranger(&["refuse-body"]).await;
    let answer = edge.ask(request("POST", "/x").body(whole("an evil body")).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-by")), (422, "stranger"));
    assert_eq!(answer.text, "not that");
    let answer = edge.ask(request("POST", "/x").body(whole("a good body")).unwrap()).await;
    assert_eq!((answer.sent("body"), answer.sent("content-length")), (vec!["a good body"], vec!["11"]));
}

#[tokio::test]
async fn an_answers_body_is_held_until_it_is_whole() {
    let edge = stranger(&["buffer-response"]).await;
    assert_eq!(edge.get("/chunks").await.text, "ONE TWO THREE");
    assert!(edge.get("/x").await.text.starts_with("GET /X\n"));
}

#[tokio::test]
async fn an_answer_that_is_held_for_too_long_is_cut() {
    let edge = stranger(&["buffer-response"]).await;
    let answer = edge.get("/large").await;
    assert!(answer.broken && answer.text.is_empty(), "{} bytes", answer.text.len());
    assert_eq!(edge.get("/x").await.status, 200);
}

#[tokio::test]
async fn trailers_are_seen_and_added_both_ways() {
    let edge = stranger(&["trailers"]).await;
    let trailers: HeaderMap = [("x-sum".parse().unwrap(), "5".parse().unwrap())].into_iter().collect();
    let asked = request("POST", "/x").header("te", "trailers").header("trailer", "x-sum, x-count");
    let answer = edge.ask(asked.body(chunks(&["body"], Some(trailers))).unwrap()).await;
    assert!(answer.text.contains("trailer x-count: 1\n"), "{}", answer.text);
    let answer = edge.ask(request("GET", "/trailers").header("te", "trailers").body(empty()).unwrap()).await;
    assert_eq!(answer.text, "body");
    assert_eq!(answer.trailers.get("x-sum").unwrap(), "7", "{answer:?}");
}

#[tokio::test]
async fn a_request_is_logged_and_its_context_ends() {
    let edge = stranger(&["log", "data"]).await;
    edge.get("/logged").await;
    edge.until(|watch| watch.stats().contexts == 0).await;
    let logged = edge.watch.metrics().into_iter().find(|metric| metric.name == "logged").unwrap();
    assert_eq!(logged.value, MetricValue::Histogram { count: 1, sum: 200 });
}

#[tokio::test]
async fn a_configuration_that_the_guest_refuses_is_refused() {
    let plugin = builder("stranger").module(&ENGINE, &STRANGER);
    let refused = plugin.configure(&told(&["refuse"])).unwrap_err();
    assert_eq!(refused, "the plugin refused the configuration");
    assert!(plugin.configure(&told(&[])).is_ok());
}

#[tokio::test]
async fn a_trap_costs_its_own_request_only() {
    let edge = stranger(&["trap", "hold"]).await;
    assert_eq!(edge.get("/x").await.status, 200);
    let trapped = edge.ask(request("GET", "/x").header("x-trap", "1").body(empty()).unwrap()).await;
    assert_eq!(trapped.status, 500);
    let answer = edge.get("/x").await;
    assert_eq!(answer.status, 200, "the next one finds a new instance");
    edge.until(|watch| watch.stats().contexts == 0).await;
    let stats = edge.watch.stats();
    assert_eq!((stats.traps, stats.failed, stats.instances, stats.quarantines), (1, 1, 2, 0), "{stats:?}");
}

#[tokio::test]
async fn a_trap_on_the_answers_body_cuts_the_answer() {
    let edge = stranger(&["trap-response-body"]).await;
    let answer = edge.get("/chunks").await;
    assert!(answer.broken && answer.text.is_empty(), "{answer:?}");
    let config = json!({ "do": ["trap-response-body"], "host": { "on_error": "allow" } });
    let answer = kit::edge(builder("stranger"), &STRANGER, config).await.get("/chunks").await;
    assert_eq!(answer.text, "one two three", "{answer:?}");
}

#[tokio::test]
async fn what_is_held_and_nothing_happens_gets_the_policy() {
    let mut limits = kit::patient();
    limits.pause = Duration::from_millis(100);
    let held = async |what: &str, policy: &str, body| {
        let config = json!({ "do": [what], "host": { "on_error": policy } });
        let edge = edge(builder("stranger").limits(limits.clone()), &STRANGER, config).await;
        let answer = edge.ask(request("POST", "/x").header("x-hold", "1").body(body).unwrap()).await;
        edge.until(|watch| watch.stats().failed == 1 && watch.stats().contexts == 0).await;
        answer.status
    };
    assert_eq!(held("hold", "deny", empty()).await, 500);
    assert_eq!(held("hold", "allow", empty()).await, 200);
    assert_eq!(held("buffer-request", "503", unfinished("half of")).await, 503);
}

#[tokio::test]
async fn what_is_held_while_more_of_it_comes_is_not_given_up() {
    let mut limits = kit::patient();
    limits.pause = Duration::from_millis(400);
    let config = json!({ "do": ["buffer-request"] });
    let edge = edge(builder("stranger").limits(limits), &STRANGER, config).await;
    // A rest of 20 ms between two of them.
    let answer = edge.ask(request("POST", "/x").body(chunks(&["a"; 30], None)).unwrap()).await;
    assert_eq!(answer.sent("body"), ["A".repeat(30)], "{answer:?}");
}

/// A body whose end does not come.
fn unfinished(part: &'static str) -> BoxBody<Bytes, Infallible> {
    let begun = stream::once(async move { Ok(Frame::data(Bytes::from_static(part.as_bytes()))) });
    BodyExt::boxed(StreamBody::new(begun.chain(stream::pending())))
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_context() {
    let edge = stranger(&["hold"]).await;
    let asked = request("GET", "/x").header("x-hold", "1").body(empty()).unwrap();
    let held = tokio::time::timeout(Duration::from_millis(300), edge.ask(asked)).await;
    assert!(held.is_err(), "pause means pause");
    edge.until(|watch| watch.stats().contexts == 0 && watch.stats().entries > 0).await;
}

#[tokio::test]
async fn headers_are_held_while_the_body_is_read_where_the_configuration_says_so() {
    let config = |held: bool| json!({ "do": ["sign"], "host": { "body_while_held": held } });
    let held = edge(builder("stranger"), &STRANGER, config(true)).await;
    for body in [whole("a signed body"), chunks(&["a sig", "ned body"], None)] {
        let answer = held.ask(request("POST", "/x").body(body).unwrap()).await;
        assert_eq!((answer.sent("x-length"), answer.sent("body")), (vec!["13"], vec!["a signed body"]));
    }
    let answer = held.ask(request("POST", "/x").body(chunks(&["an e", "vil body"], None)).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (422, "not that"));
    let plain = edge(builder("stranger"), &STRANGER, config(false)).await;
    let asked = request("POST", "/x").body(whole("x")).unwrap();
    let held = tokio::time::timeout(Duration::from_millis(300), plain.ask(asked)).await;
    assert!(held.is_err(), "pause means pause where it does not");
}

#[tokio::test]
async fn configurations_come_and_go_and_leave_nothing() {
    let edge = stranger(&["data"]).await;
    assert_eq!(edge.get("/x").await.sent("x-count"), ["1"]);
    let config = edge.gateway.snapshot().config().clone();
    let plain = {
        let mut plain = config.clone();
        plain.plugins.clear();
        plain
    };
    for round in 1..=20 {
        edge.gateway.reload(&plain).unwrap();
        assert_eq!(edge.get("/x").await.sent("x-count"), [""; 0]);
        edge.until(|watch| watch.stats().instances_alive == 0).await;
        edge.gateway.reload(&config).unwrap();
        assert_eq!(
            edge.get("/x").await.sent("x-count"),
            [(round + 1).to_string()],
            "shared data outlives them"
        );
    }
    edge.until(|watch| watch.stats().contexts == 0).await;
    let stats = edge.watch.stats();
    assert_eq!((stats.instances, stats.instances_alive, stats.traps), (21, 1, 0), "{stats:?}");
}

#[tokio::test]
async fn two_configurations_share_an_instance_and_keep_to_themselves() {
    let edge = stranger(&["all-headers"]).await;
    let mut config = edge.gateway.snapshot().config().clone();
    let mut route = gateway_core::config::Route::new("special").to(config.services.values().next().unwrap());
    (route.paths, route.strip_path) = (Some(vec!["/special".into()]), false);
    route.service = config.routes.values().next().unwrap().service;
    let special = Plugin::new("stranger", told(&["reply"])).on_route(&route);
    config = config.with(route).with(special);
    edge.gateway.reload(&config).unwrap();
    for _ in 0..2 {
        assert_eq!(edge.get("/special").await.status, 418);
        assert_eq!(edge.get("/x").await.sent("x-all"), ["1"]);
    }
    let stats = edge.watch.stats();
    assert_eq!((stats.instances, stats.traps), (1, 0), "{stats:?}");
}
