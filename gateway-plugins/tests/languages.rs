//! Filters in other languages than Rust run as their compilers leave them: the same filter in AssemblyScript by its SDK, in
//! C++ with its standard library, and in plain Go. Their modules are committed; `cargo xtask guests` builds them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{
    fmt,
    sync::{LazyLock, Mutex, Once},
};

use gateway_core::{
    Gateway,
    config::{Config, Plugin as PluginEntity},
    plugin::Registry,
};
use gateway_plugins::{Limits, MetricValue, Module};
use kit::{Answer, Edge, builder, edge, empty, module, request};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};

/// A greeter, and how it says what it is written in.
struct Guest {
    language: &'static str,
    module: Module,
}

static GUESTS: LazyLock<[Guest; 3]> = LazyLock::new(|| {
    let guest = |language, bytes: &[u8]| Guest { language, module: module(bytes) };
    [
        guest("AssemblyScript", include_bytes!("languages/built/assemblyscript.wasm")),
        guest("C++", include_bytes!("languages/built/cpp.wasm")),
        guest("Go", include_bytes!("languages/built/go.wasm")),
    ]
});

impl Guest {
    async fn edge(&self) -> Edge {
        self.edge_within(kit::patient()).await
    }

    async fn edge_within(&self, limits: Limits) -> Edge {
        edge(builder(self.language).limits(limits), &self.module, config()).await
    }
}

fn config() -> Value {
    json!({ "root_id": "greeter", "said": "Hello" })
}

async fn greet(edge: &Edge, path: &str, name: &str) -> Answer {
    edge.ask(request("GET", path).header("x-name", name).body(empty()).unwrap()).await
}

#[tokio::test]
async fn they_read_write_and_answer() {
    for guest in GUESTS.iter() {
        let (edge, language) = (guest.edge().await, guest.language);
        let answer = greet(&edge, "/", "Ann").await;
        assert_eq!(answer.status, 200, "{language}");
        let greeting = answer.sent("x-greeting");
        let said = greeting[0].strip_suffix(" Ann").unwrap_or_else(|| panic!("{language}: {greeting:?}"));
        assert_eq!(serde_json::from_str::<Value>(said).unwrap(), config(), "{language}");
        assert_eq!(answer.header("x-greeter"), language);
        let nobody = edge.get("/").await;
        assert_eq!((nobody.status.as_u16(), nobody.text.as_str()), (401, "Who are you?"), "{language}");
        assert_eq!(edge.watch.stats().traps, 0, "{language}");
    }
}

#[tokio::test]
async fn they_wait_for_callouts() {
    for guest in GUESTS.iter() {
        let (edge, language) = (guest.edge().await, guest.language);
        let asked = "/who at asked:  true".len();
        let (one, other) = tokio::join!(greet(&edge, "/ask", "Ann"), greet(&edge, "/ask", "Bob"));
        for (answer, name) in [(one, " Ann"), (other, " Bob")] {
            assert_eq!(answer.sent("x-answer"), [format!("200 {asked}")], "{language}");
            assert!(answer.sent("x-greeting")[0].ends_with(name), "{language}: {answer:?}");
        }
        assert_eq!(edge.watch.stats().traps, 0, "{language}");
    }
}

#[tokio::test]
async fn they_count_and_write_lines() {
    listen();
    for guest in GUESTS.iter() {
        let (edge, language) = (guest.edge().await, guest.language);
        let name = format!("{language}'s");
        greet(&edge, "/", &name).await;
        let counted = |watch: &gateway_plugins::Watch| {
            let metrics = watch.metrics();
            metrics.iter().any(|metric| metric.name == "greetings" && metric.value == MetricValue::Counter(1))
        };
        edge.until(counted).await;
        edge.until(|_| has_line(&format!("{language}: greeted {name}"))).await;
    }
}

/// One that gives up says why, and costs its own request.
#[tokio::test]
async fn they_fall_alone() {
    listen();
    for (guest, said) in GUESTS.iter().zip(["fallen at: assembly/index.ts", "fallen", "panic: fallen"]) {
        let (edge, language) = (guest.edge().await, guest.language);
        assert_eq!(greet(&edge, "/", "Ann").await.status, 200, "{language}");
        assert_eq!(greet(&edge, "/fall", "Bob").await.status, 500, "{language}");
        edge.until(|_| has_line(&format!("{language}: {said}"))).await;
        assert_eq!(greet(&edge, "/", "Cid").await.status, 200, "{language}");
        let stats = edge.watch.stats();
        assert_eq!((stats.traps, stats.failed, stats.instances), (1, 1, 2), "{language}: {stats:?}");
    }
}

/// The runtimes of their languages say why; whoever wrote the configuration reads it.
#[test]
fn a_configuration_that_they_fall_over_is_refused_with_their_words() {
    let words = [
        "Missing root context factory for root id: nobody",
        "the root's id: not greeter",
        "panic: no greeter",
    ];
    for (guest, words) in GUESTS.iter().zip(words) {
        let plugin = builder("greeter").module(&kit::ENGINE, &guest.module);
        let entity = PluginEntity::new("greeter", json!({ "root_id": "nobody" }));
        let config = Config::default().with(entity);
        let problems = Gateway::builder().config(config).plugins(Registry::empty().with(plugin)).build();
        let problems = format!("{:?}", problems.err().unwrap());
        assert!(problems.contains(words), "{}: {problems}", guest.language);
    }
}

/// What they allocate they free: the names together are more than the memory of an instance.
#[tokio::test]
async fn they_keep_nothing_of_requests() {
    for guest in GUESTS.iter() {
        let mut limits = kit::patient();
        limits.memory = 8 << 20;
        let (edge, language) = (guest.edge_within(limits).await, guest.language);
        for number in 0..450 {
            let name = format!("{number}-{}", "x".repeat(20_000));
            let answer = greet(&edge, "/", &name).await;
            let greeting = answer.sent("x-greeting");
            assert!(
                greeting.iter().any(|said| said.ends_with(&name)),
                "{language}: {number} {} {:?}",
                answer.status,
                edge.watch.stats()
            );
        }
        let stats = edge.watch.stats();
        assert_eq!((stats.traps, stats.instances), (0, 1), "{language}: {stats:?}");
    }
}

/// Lines that guests have written, each behind the name of its plugin.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Listener).unwrap());
}

fn has_line(beginning: &str) -> bool {
    LINES.lock().unwrap().iter().any(|line| line.starts_with(beginning))
}

/// Keeps the lines of guests.
struct Listener;

impl tracing::Subscriber for Listener {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "plugin" && *metadata.level() <= tracing::Level::INFO
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::INFO)
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        LINES.lock().unwrap().push(format!("{}: {}", line.plugin, line.message));
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[derive(Default)]
struct Line {
    plugin: String,
    message: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "plugin" {
            value.clone_into(&mut self.plugin);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}
