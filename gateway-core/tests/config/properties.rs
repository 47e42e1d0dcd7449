//! What holds for every text.

use gateway_core::config::{Colour, Config, Consumer, Plugin, Route, Service, Target, Upstream};
use indexmap::IndexMap;
use proptest::prelude::*;

use crate::{Tables, parse};

const SHOP: &str = include_str!("../data/kong.yml");

/// Reading, and drawing what is wrong, must end without a panic, whatever the text.
fn read(text: &str) {
    if let Err(problems) = parse(text) {
        let drawn = problems.render("f", text, Colour::Never);
        assert!(drawn.contains("problem"));
        assert!(problems.body()["fields"].is_object());
        assert!(problems.flattened_body()["flattened_errors"].is_array());
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~é\\n\t]{1,20}", any::<String>().prop_filter("not empty", |text| !text.is_empty())]
}

fn tags() -> impl Strategy<Value = Option<Vec<String>>> {
    prop::option::of(
        prop::collection::btree_set("[ -+.0-~é]{1,12}", 0..4).prop_map(|tags| tags.into_iter().collect()),
    )
}

fn services() -> impl Strategy<Value = Service> {
    ("[a-zA-Z0-9._~-]{1,8}", any::<u16>(), 1..1000_u32, tags()).prop_map(|(name, port, timeout, tags)| {
        let mut service = Service::new(&name, "h.internal");
        (service.port, service.read_timeout, service.tags) = (port, timeout, tags);
        service
    })
}

fn routes() -> impl Strategy<Value = Route> {
    let headers = prop::option::of(prop::collection::hash_map(
        "[a-z-]{1,8}",
        prop::collection::vec(texts(), 1..3),
        0..3,
    ));
    ("[a-zA-Z0-9._~-]{1,8}", "/[a-z0-9_(-]{0,9}", headers, any::<bool>(), any::<i32>()).prop_map(
        |(name, path, headers, strip, priority)| {
            let mut route = Route::new(&name);
            route.paths = Some(vec![path]);
            route.headers = headers.map(|headers| {
                headers.into_iter().filter(|(name, _)| name != "host").collect::<IndexMap<_, _>>()
            });
            (route.strip_path, route.regex_priority) = (strip, priority.into());
            route
        },
    )
}

fn configs() -> impl Strategy<Value = Config> {
    let entities = (services(), prop::collection::vec(routes(), 0..4), texts(), 0..=65535_u16, texts());
    entities.prop_map(|(service, routes, username, weight, header)| {
        let pool = Upstream::new("pool.internal");
        let mut target = Target::new(&pool, "10.0.0.1:80");
        target.weight = weight;
        let consumer = Consumer::new(&username);
        let plugin = Plugin::new("correlation-id", serde_json::json!({ "header_name": header }))
            .on_consumer(&consumer);
        let config = Config::default().with(pool).with(target).with(consumer).with(plugin);
        let config = routes.into_iter().fold(config, |config, route| config.with(route.to(&service)));
        config.with(service)
    })
}

proptest! {
    #[test]
    fn a_configuration_written_out_reads_back_the_same(config in configs()) {
        let config = config.check(&Tables::new()).map_err(|problems| TestCaseError::fail(problems.to_string()))?;
        let yaml = config.to_yaml();
        let read = parse(&yaml).map_err(|problems| TestCaseError::fail(format!("{problems}\n{yaml}")))?;
        prop_assert_eq!(&read, &config);
        let json = config.to_value().to_string();
        let read = parse(&json).map_err(|problems| TestCaseError::fail(format!("{problems}\n{json}")))?;
        prop_assert_eq!(&read, &config);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn any_yaml_like_text_is_read_without_a_panic(text in "[a-z:\\- \n\\[\\]{},&*<|>'\"#!?%\t0-9~/é]{0,200}") {
        read(&text);
    }

    #[test]
    fn a_file_with_a_piece_replaced_is_read_without_a_panic(
        at in 0..SHOP.len(),
        length in 0..40_usize,
        piece in "[a-z:\\- \n\\[\\]{},&*|'\"é]{0,12}",
    ) {
        let start = (0..=at).rev().find(|at| SHOP.is_char_boundary(*at)).unwrap_or(0);
        let end = (at + length..=SHOP.len()).find(|at| SHOP.is_char_boundary(*at)).unwrap_or(SHOP.len());
        read(&format!("{}{piece}{}", &SHOP[..start], &SHOP[end..]));
    }
}
