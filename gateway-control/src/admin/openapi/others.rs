//! The paths that are not of one kind of entities.

use serde_json::{Map, Value, json};

use super::{KEY, OWNER, body, gone, json_body, named, refusals, response, tried, with, with_all};

/// What is not of entities.
pub(super) fn paths() -> Map<String, Value> {
    let free = json!({ "description": "Done.", "content": { "application/json": { "schema": { "type": "object" } } } });
    let anything = json!({ "content": {
        "application/json": { "schema": { "type": "object" } },
        "application/x-www-form-urlencoded": { "schema": { "type": "object" } },
    } });
    let get = |summary: &str, names: &[&str]| {
        json!({ "get": {
            "summary": summary, "parameters": named(names, &[]),
            "responses": {
                "200": free, "400": response("Refused"), "401": response("Unauthorized"),
                "404": response("NotFound"), "405": response("ReadOnly"), "503": response("Unavailable"),
            },
        } })
    };
    let batch = json!({ "post": {
        "summary": "Many writes, all of them or none, in one revision.",
        "parameters": named(&["dry_run", "If-Match"], &[]),
        "requestBody": json_body("batch"),
        "responses": with(refusals(&[("404", "NotFound"), ("409", "Conflict")]), "200", free.clone()),
    } });
    let rollback = json!({ "post": {
        "summary": "Makes everything as it was at a revision.",
        "parameters": named(&["revision", "dry_run", "If-Match"], &[]),
        "responses": with(refusals(&[("404", "NotFound")]), "200", free.clone()),
    } });
    let feed = json!({ "get": {
        "summary": "Each change as a server-sent event.",
        "description": "Events `change`: `id` is the revision, `data` a change as JSON. An event `reset` (`data`: \
            `{\"revision\":N}`, the newest): changes after `since` are missing in the history, or `since` is beyond it; \
            read everything anew, what comes after is told.",
        "parameters": named(&["since"], &[]),
        "responses": {
            "200": { "description": "Events.", "content": { "text/event-stream": { "schema": { "type": "string" } } } },
            "400": response("Refused"), "401": response("Unauthorized"), "405": response("ReadOnly"),
            "503": response("Unavailable"),
        },
    } });
    let config = json!({
        "get": get("Everything as a declarative file.", &[])["get"],
        "post": {
            "summary": "Puts a declarative file in the place of everything.",
            "parameters": named(&["dry_run", "check_hash", "flatten_errors", "If-Match"], &[]),
            "requestBody": { "content": {
                "text/yaml": { "schema": { "type": "string" } },
                "application/json": { "schema": { "type": "object" } },
            } },
            "responses": with_all(
                refusals(&[]),
                [("200", free.clone()), ("201", free.clone()), ("429", response("Unavailable"))]
            ),
        },
    });
    let members = |names: &[&str], add: bool| {
        let mut item = get("Who is in which group.", names);
        let gone = gone("No member any more.");
        item["delete"] = json!({ "parameters": named(names, &["dry_run"]), "responses": gone });
        if add {
            let added = with_all(refusals(&[("404", "NotFound")]), [("200", tried()), ("201", free.clone())]);
            let parameters = named(names, &["dry_run"]);
            item["post"] =
                json!({ "parameters": parameters, "requestBody": body("member"), "responses": added });
        }
        item
    };
    let post = |summary: &str, names: &[&str], own: &[(&str, &str)]| {
        json!({ "post": {
            "summary": summary, "parameters": named(names, &[]), "requestBody": anything,
            "responses": with(refusals(own), "200", free.clone()),
        } })
    };
    let missing = [("404", "NotFound")];
    let put = |summary: &str, names: &[&str]| {
        let done = json!({ "description": "Done." });
        let more = [("200", free.clone()), ("204", done)];
        json!({ "put": {
            "summary": summary, "parameters": named(names, &[]), "responses": with_all(refusals(&missing), more),
        } })
    };
    let metrics = json!({ "get": {
        "summary": "Counts and times, as Prometheus reads them.",
        "responses": {
            "200": { "description": "Metrics.", "content": { "text/plain": { "schema": { "type": "string" } } } },
            "401": response("Unauthorized"),
        },
    } });
    let mut ready = get("Whether load balancers should send requests here.", &[]);
    ready["post"] =
        post("Says so, or no longer: `status` is `ready` or `draining`.", &[], &[])["post"].take();
    let mut cached = get("What Kong would have kept under a key: nothing.", &[KEY]);
    let emptied = |names: &[&str]| {
        let done = json!({ "description": "Nothing is kept." });
        let responses = with(refusals(&[]), "204", done);
        json!({ "parameters": named(names, &[]), "responses": responses })
    };
    cached["delete"] = emptied(&[KEY]);
    let state = [OWNER, KEY];
    let of_endpoint = [OWNER, KEY, "address"];
    let paths = [
        ("/config", config),
        ("/cache", json!({ "delete": emptied(&[]) })),
        ("/cache/{key}", cached),
        ("/clustering/data-planes", get("Kong's planes: there are none.", &[])),
        ("/clustering/status", get("Kong's planes: there are none.", &[])),
        ("/debug/node/log-level", get("How much is logged.", &[])),
        (
            "/debug/node/log-level/{key}",
            put("Logs this and what is more serious, for a while.", &[KEY, "timeout"]),
        ),
        ("/explain", post("Which route takes a request, and why no other does.", &[], &[])),
        ("/metrics", metrics),
        ("/openapi.json", get("This document.", &[])),
        ("/schemas/{key}/validate", post("Whether an entity would be taken.", &[KEY], &missing)),
        ("/schemas/plugins/validate", post("Whether a plugin would be taken.", &[], &missing)),
        ("/status/ready", ready),
        ("/tags/{key}", get("The entities that have a tag.", &[KEY, "size", "offset"])),
        ("/timers", get("What runs beside requests, in Kong's words.", &[])),
        ("/upstreams/{owner}/targets/all", get("All its targets.", &[OWNER, "size", "offset", "tags"])),
        ("/upstreams/{owner}/targets/{key}/healthy", put("Takes a target for well.", &state)),
        ("/upstreams/{owner}/targets/{key}/unhealthy", put("Takes a target for unwell.", &state)),
        (
            "/upstreams/{owner}/targets/{key}/{address}/healthy",
            put("Takes an endpoint for well.", &of_endpoint),
        ),
        (
            "/upstreams/{owner}/targets/{key}/{address}/unhealthy",
            put("Takes an endpoint for unwell.", &of_endpoint),
        ),
        ("/consumer_groups/{owner}/consumers", members(&[OWNER], true)),
        ("/consumer_groups/{owner}/consumers/{key}", members(&[OWNER, KEY], false)),
        ("/consumers/{owner}/consumer_groups", members(&[OWNER], true)),
        ("/consumers/{owner}/consumer_groups/{key}", members(&[OWNER, KEY], false)),
        ("/schemas/{key}", get("The table of an entity.", &[KEY])),
        ("/schemas/plugins/{key}", get("The table of a plugin.", &[KEY])),
        ("/plugins/schema/{key}", get("The table of a plugin's `config`.", &[KEY])),
        (
            "/upstreams/{key}/health",
            get("The health of its targets.", &[KEY, "size", "offset", "tags", "balancer_health"]),
        ),
        ("/", get("The node.", &[])),
        ("/status", get("Connections, and how changes went.", &[])),
        ("/endpoints", get("All paths.", &[])),
        ("/plugins/enabled", get("The plugins there are.", &[])),
        ("/tags", get("All tags.", &["size", "offset"])),
        ("/history", get("Changes, newest first.", &["size", "before"])),
        ("/history/{revision}", get("One change.", &["revision"])),
        ("/batch", batch),
        ("/rollback/{revision}", rollback),
        ("/changes", feed),
    ];
    paths.map(|(path, item)| (path.to_owned(), item)).into_iter().collect()
}
