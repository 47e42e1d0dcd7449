use serde_json::{Value, json};

use super::{Config, HttpLog};
use crate::plugin::Plugin;

fn config(more: &Value) -> Config {
    let mut config = json!({ "http_endpoint": "http://127.0.0.1:1/" });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

#[test]
fn the_old_names_count_where_they_say_something() {
    let limits =
        config(&json!({ "queue_size": 7, "flush_timeout": 3, "queue": { "max_batch_size": 2 } })).limits();
    let limits = limits.unwrap();
    assert_eq!((limits.batch, limits.coalescing.as_secs()), (7, 3));
    let limits =
        config(&json!({ "queue_size": 1, "flush_timeout": 2, "queue": { "max_batch_size": 2 } })).limits();
    let limits = limits.unwrap();
    assert_eq!((limits.batch, limits.coalescing.as_secs()), (2, 1));
}

#[test]
fn what_cannot_be_is_refused_with_its_field() {
    for (more, field) in [
        (json!({ "timeout": 0 }), "timeout: "),
        (json!({ "timeout": -1 }), "timeout: "),
        (json!({ "keepalive": -1 }), "keepalive: "),
        (json!({ "queue_size": 0 }), "queue_size: "),
        (json!({ "queue_size": -1 }), "queue_size: "),
        (json!({ "flush_timeout": -1 }), "flush_timeout: "),
        (json!({ "http_endpoint": "ftp://h/" }), "http_endpoint: "),
        (json!({ "headers": { "a b": "x" } }), "headers: a b: "),
        (json!({ "headers": { "a": "x\r\ny" } }), "headers: a: "),
        (json!({ "queue": { "max_retry_delay": 1e300 } }), "queue.max_retry_delay: "),
    ] {
        let mut config = json!({ "http_endpoint": "http://127.0.0.1:1/" });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let why = HttpLog::new().configure(&config).unwrap_err();
        assert!(why.starts_with(field), "{why}");
    }
}
