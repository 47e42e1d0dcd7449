//! What clients and upstreams see of acl (compat P20).
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

use acl::Acl;
use plugin_sdk::{
    contract::{
        consumer::{Current, Groups, Identity},
        var::Get,
    },
    serde_json::Value,
    testing::{Answer, Gateway, Request, json},
};

/// Who calls, as plugins before this one have found out.
#[derive(Clone, Copy, PartialEq)]
enum Caller {
    Unknown,
    Known,
}

fn ask(
    config: &Value,
    caller: Caller,
    groups: &'static [&'static str],
    learnt: Option<&'static str>,
) -> Answer {
    let credential = (caller == Caller::Known).then_some([2; 16]);
    let identity = Identity { consumer: [1; 16], username: None, custom_id: None, credential };
    let mut gateway = Gateway::new::<Acl>(config.clone())
        .unwrap()
        .function(move |_: Current| (caller != Caller::Unknown).then(|| identity.clone()))
        .function(move |_: Groups| groups.to_vec())
        .function(move |get: Get<'static>| {
            assert_eq!(get.name, "authenticated_groups");
            learnt.map(str::as_bytes)
        });
    gateway.send(Request::get("/"))
}

#[test]
fn consumers_pass_by_their_groups() {
    let (allow, deny) = (json!({ "allow": ["g1", "g2"] }), json!({ "deny": ["g1", "g2"] }));
    for (config, caller, groups, expected) in [
        (&allow, Caller::Known, &["g1"][..], Ok("g1")),
        (&allow, Caller::Known, &["g0", "g2"], Ok("g0, g2")),
        (&allow, Caller::Known, &["g3"], Err((403, "You cannot consume this service"))),
        (&allow, Caller::Known, &["G1"], Err((403, "You cannot consume this service"))),
        (&allow, Caller::Known, &[], Err((403, "You cannot consume this service"))),
        (&allow, Caller::Unknown, &[], Err((401, "Unauthorized"))),
        (&deny, Caller::Known, &["g3"], Ok("g3")),
        (&deny, Caller::Known, &[], Ok("")),
        (&deny, Caller::Known, &["g3", "g1"], Err((403, "You cannot consume this service"))),
        (&deny, Caller::Unknown, &[], Err((401, "Unauthorized"))),
    ] {
        let answer = ask(config, caller, groups, None);
        match expected {
            Ok(told) => {
                assert_eq!(answer.upstream().header("x-consumer-groups"), Some(told), "{config} {groups:?}");
            }
            Err((status, said)) => {
                assert_eq!(
                    (answer.status(), answer.message().as_deref()),
                    (status, Some(said)),
                    "{config} {groups:?}"
                );
                assert_eq!(answer.header("www-authenticate"), None);
                assert!(answer.text().contains("request_id"), "in the gateway's own form");
            }
        }
    }
}

#[test]
fn groups_that_were_learnt_count_for_those_without_a_credential_or_where_it_is_said() {
    let config = json!({ "allow": ["g1"] });
    let always = json!({ "allow": ["g1"], "always_use_authenticated_groups": true });
    let learnt = Some(r#"["g1","g4"]"#);
    for (config, caller, groups, told) in [
        (&config, Caller::Unknown, &[][..], ("x-authenticated-groups", "g1, g4")),
        (&config, Caller::Known, &["g1"], ("x-consumer-groups", "g1")),
        (&always, Caller::Known, &["g3"], ("x-authenticated-groups", "g1, g4")),
    ] {
        let answer = ask(config, caller, groups, learnt);
        assert_eq!(answer.upstream().header(told.0), Some(told.1));
    }
    assert_eq!(ask(&config, Caller::Known, &["g3"], learnt).status(), 403);
    assert_eq!(ask(&always, Caller::Known, &["g1"], Some(r#"["g3"]"#)).status(), 403);
    assert_eq!(ask(&always, Caller::Known, &["g1"], None).status(), 200);
}

#[test]
fn the_upstream_need_not_know() {
    let answer = ask(&json!({ "allow": ["g1"], "hide_groups_header": true }), Caller::Known, &["g1"], None);
    assert_eq!(answer.upstream().header("x-consumer-groups"), None);
}

#[test]
fn configurations_are_refused_in_kongs_words() {
    for config in [json!({}), json!({ "allow": [], "deny": [] })] {
        let refusal = Gateway::new::<Acl>(config).err().unwrap_or_default();
        assert!(refusal.contains("at least one of these fields must be non-empty: "), "{refusal}");
    }
    for (config, said) in [
        (
            json!({ "allow": ["a"], "deny": ["b"] }),
            "exactly one of these fields must be non-empty: 'config.allow', 'config.deny'",
        ),
        (json!({ "whitelist": ["a"] }), "config.whitelist: unknown field"),
    ] {
        let refusal = Gateway::new::<Acl>(config).err().unwrap_or_default();
        assert!(refusal.ends_with(said), "{refusal}");
    }
}
