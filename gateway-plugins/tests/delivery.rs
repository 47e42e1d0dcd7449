//! Modules from elsewhere: what comes, what does not, and what is still there without a network.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "delivery/registry.rs"]
mod registry;
#[path = "delivery/web.rs"]
mod web;

mod kit;

use std::{collections::BTreeMap, error::Error, fs, path::PathBuf, time::Duration};

use gateway_core::plugin::Registry as Plugins;
use gateway_plugins::{Credentials, Digest, FetchError, Fetcher, Folder, Source};
use registry::{Registry, manifest};
use web::Pages;

const MODULE: &[u8] = include_bytes!("../bundled/key-auth.wasm");
const WASM: &str = "application/vnd.wasm.content.layer.v1+wasm";

/// A folder that is gone after the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gateway-delivery-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Fetches beside the server.
async fn fetch(fetcher: &Fetcher, source: &str, sha256: Option<&str>) -> Result<Vec<u8>, FetchError> {
    let (fetcher, source) = (fetcher.clone(), Source::pinned(source, sha256)?);
    tokio::task::spawn_blocking(move || fetcher.fetch(&source)).await.unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn known(username: &str, password: &str) -> Credentials {
    Credentials { username: username.into(), password: password.into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pinned_module_comes_over_tls_once_and_then_out_of_the_folder() {
    let (pages, scratch) = (Pages::default(), Scratch::new("once"));
    pages.put("/a.wasm", 200, &[], MODULE);
    let (address, server, anchor) = pages.start_tls().await;
    let (url, pin) = (format!("https://localhost:{}/a.wasm", address.port()), sha256(MODULE));
    let stranger = fetch(&Fetcher::new(), &url, Some(&pin)).await.unwrap_err();
    assert!(matches!(stranger, FetchError::Connection { .. }), "not by the system's anchors: {stranger}");
    let fetcher = Fetcher::new().anchors([anchor.as_str()]).kept_in(&scratch.0);
    pages.asked();
    for _ in 0..3 {
        assert_eq!(fetch(&fetcher, &url, Some(&pin)).await.unwrap(), MODULE);
    }
    assert_eq!(pages.asked().len(), 1);
    server.abort();
    let again = Fetcher::new().kept_in(&scratch.0);
    assert_eq!(fetch(&again, &url, Some(&pin)).await.unwrap(), MODULE, "without a network");
    let file = fs::read_dir(&scratch.0).unwrap().next().unwrap().unwrap().path();
    fs::write(&file, "something else").unwrap();
    assert!(fetch(&again, &url, Some(&pin)).await.is_err(), "what lies there is looked at");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_what_was_pinned_or_not_within_bounds_does_not_come() {
    let (pages, scratch) = (Pages::default(), Scratch::new("bounds"));
    let (address, _server) = pages.start().await;
    let base = format!("http://{address}");
    pages.put("/a", 200, &[], b"other bytes");
    pages.put("/large", 200, &[], &vec![0; (16 << 20) + 1]);
    pages.put("/clear", 302, &[("location", "http://example.com/a")], b"");
    pages.put("/file", 302, &[("location", "file:///etc/hostname")], b"");
    pages.put("/round", 302, &[("location", "/round")], b"");
    pages.put("/away", 307, &[("location", "/a")], b"");
    let (fetcher, pin) = (Fetcher::new().kept_in(&scratch.0), sha256(MODULE));
    for (path, told) in [
        ("/a", format!("it is {}, expected {pin}", sha256(b"other bytes"))),
        ("/large", format!("{base}/large has more than 16777216 bytes")),
        ("/none", format!("{base}/none answered 404 Not Found, expected 200")),
        ("/clear", format!("{base}/clear leads to 'http://example.com/a': this is not asked")),
        (
            "/file",
            format!("{base}/file leads to 'file:///etc/hostname': another scheme, or no whole address"),
        ),
        ("/round", format!("{base}/round leads to '{base}/round': too many redirects")),
    ] {
        let refused = fetch(&fetcher, &format!("{base}{path}"), Some(&pin)).await.unwrap_err();
        assert_eq!(refused.to_string(), told);
    }
    assert!(fs::read_dir(&scratch.0).unwrap().next().is_none(), "none of it is kept");
    let pin = sha256(b"other bytes");
    assert_eq!(fetch(&fetcher, &format!("{base}/away"), Some(&pin)).await.unwrap(), b"other bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_is_left_and_a_fetch_can_be_stopped() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a", silent.local_addr().unwrap());
    let pin = sha256(MODULE);
    let late = fetch(&Fetcher::new().within(Duration::from_millis(200)), &url, Some(&pin)).await;
    assert!(matches!(late, Err(FetchError::Late(_))), "{late:?}");
    let fetcher = Fetcher::new();
    let waiting = tokio::spawn({
        let (fetcher, url) = (fetcher.clone(), url.clone());
        async move { fetch(&fetcher, &url, Some(&pin)).await }
    });
    // Held, not closed.
    let _connections = (silent.accept().await.unwrap(), silent.accept().await.unwrap());
    fetcher.stop();
    let stopped = tokio::time::timeout(kit::PATIENCE, waiting).await.unwrap().unwrap();
    assert!(matches!(stopped, Err(FetchError::Stopped)), "{stopped:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_is_known_by_is_shown_to_its_host_alone() {
    let (pages, others) = (Pages::default(), Pages::default());
    let ((address, _server), (elsewhere, _other)) = (pages.start().await, others.start().await);
    pages.put("/a", 302, &[("location", &format!("http://{elsewhere}/b"))], b"");
    others.put("/b", 200, &[], MODULE);
    let fetcher = Fetcher::new().credentials(&address.to_string(), known("me", "word"));
    fetch(&fetcher, &format!("http://{address}/a"), Some(&sha256(MODULE))).await.unwrap();
    assert_eq!(pages.asked(), [("/a".to_owned(), "Basic bWU6d29yZA==".to_owned())]);
    assert_eq!(others.asked(), [("/b".to_owned(), String::new())]);
    assert!(!format!("{:?}", known("me", "word")).contains("word"));
}

/// A registry that wants a token of somebody else's, and keeps its blobs elsewhere.
struct Hub {
    pages: Pages,
    tokens: Pages,
    blobs: Pages,
    host: String,
}

impl Hub {
    async fn start() -> Self {
        let (pages, tokens, blobs) = (Pages::default(), Pages::default(), Pages::default());
        let (address, _) = pages.start().await;
        let ((realm, _), (elsewhere, _)) = (tokens.start().await, blobs.start().await);
        let challenge =
            format!(r#"Bearer realm="http://{realm}/token",service="hub",scope="repository:all:*""#);
        let text = manifest(WASM, MODULE);
        let digest = Digest::of(MODULE);
        let (kept, named) = (format!("/kept/{digest}"), Digest::of(text.as_bytes()));
        for path in [
            "/v2/a/geo/manifests/1".to_owned(),
            format!("/v2/a/geo/manifests/{named}"),
            format!("/v2/a/geo/blobs/{digest}"),
        ] {
            pages.put(&path, 401, &[("www-authenticate", &challenge)], b"");
            match path.contains("blobs") {
                true => {
                    let to = format!("http://{elsewhere}{kept}");
                    pages.put(&format!("{path} Bearer abc"), 307, &[("location", &to)], b"");
                }
                false => pages.put(&format!("{path} Bearer abc"), 200, &[], text.as_bytes()),
            }
        }
        tokens.put("/token?service=hub&scope=repository:a/geo:pull", 200, &[], br#"{"token":"abc"}"#);
        blobs.put(&kept, 200, &[], MODULE);
        Self { pages, tokens, blobs, host: address.to_string() }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_is_shown_the_token_that_it_asks_for_and_nobody_else_is() {
    let hub = Hub::start().await;
    let (tag, pin) = (format!("oci://{}/a/geo:1", hub.host), sha256(MODULE));
    assert_eq!(fetch(&Fetcher::new(), &tag, Some(&pin)).await.unwrap(), MODULE);
    let paths = |asked: Vec<(String, String)>| asked.into_iter().map(|(_, who)| who).collect::<Vec<_>>();
    assert_eq!(paths(hub.pages.asked()), ["", "Bearer abc", "Bearer abc"], "one token for both");
    assert_eq!(
        (paths(hub.tokens.asked()), paths(hub.blobs.asked())),
        (vec![String::new()], vec![String::new()])
    );
    let fetcher = Fetcher::new().credentials(&hub.host, known("me", "word"));
    let by_digest = format!("{tag}@{}", sha256(manifest(WASM, MODULE).as_bytes()));
    assert_eq!(fetch(&fetcher, &by_digest, None).await.unwrap(), MODULE);
    assert_eq!(paths(hub.tokens.asked()), ["Basic bWU6d29yZA=="]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_gives_something_else_is_not_believed() {
    let hub = Hub::start().await;
    let base = format!("oci://{}/a/geo", hub.host);
    let other = format!("{base}:1");
    let refused = fetch(&Fetcher::new(), &other, Some(&sha256(b"x"))).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("it is {}, expected {}", sha256(MODULE), sha256(b"x")));
    // The manifest that a hash names, exchanged.
    let named = sha256(manifest(WASM, b"x").as_bytes());
    let text = manifest(WASM, MODULE);
    hub.pages.put(&format!("/v2/a/geo/manifests/{named}"), 200, &[], text.as_bytes());
    let refused = fetch(&Fetcher::new(), &format!("{base}@{named}"), None).await.unwrap_err();
    assert!(matches!(refused, FetchError::Digest { .. }), "{refused}");
    // The module that a manifest names, exchanged.
    hub.blobs.put(&format!("/kept/{}", sha256(MODULE)), 200, &[], b"x");
    let honest = format!("{base}@{}", sha256(text.as_bytes()));
    let refused = fetch(&Fetcher::new(), &honest, None).await.unwrap_err();
    assert!(matches!(refused, FetchError::Digest { .. }), "{refused}");
    let layer = |kind: &str| manifest(kind, MODULE);
    for (text, told) in [
        (
            layer("application/vnd.oci.image.layer.v1.tar+gzip"),
            "it has: application/vnd.oci.image.layer.v1.tar+gzip",
        ),
        (r#"{"layers":[]}"#.to_owned(), "it has: no layers"),
        ("{".to_owned(), "no manifest"),
        (layer(WASM).replace("sha256:", "sha512:"), "is no SHA-256"),
        (layer(WASM).replace("\"size\":", "\"size\":99999"), "has more than 16777216 bytes"),
    ] {
        hub.pages.put("/v2/a/geo/manifests/1", 200, &[], text.as_bytes());
        let refused = fetch(&Fetcher::new(), &other, Some(&sha256(MODULE))).await.unwrap_err();
        assert!(refused.to_string().contains(told), "{refused}");
    }
    // A token from where nobody may be asked.
    let challenge = [("www-authenticate", r#"Bearer realm="http://10.0.0.1/token""#)];
    hub.pages.put("/v2/a/geo/manifests/1", 401, &challenge, b"");
    let refused = fetch(&Fetcher::new(), &other, Some(&sha256(MODULE))).await.unwrap_err();
    assert!(
        refused.to_string().contains("'http://10.0.0.1/token' gives tokens, and is not asked"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_a_registry_leads_to_does_not_learn_who_asks() {
    let (hub, thief) = (Hub::start().await, Pages::default());
    let (elsewhere, _thief) = thief.start().await;
    // The blob is elsewhere, and who has it wants the password, or somebody else to be told it.
    let blob = format!("/v2/a/geo/blobs/{}", Digest::of(MODULE));
    hub.pages.put(
        &format!("{blob} Bearer abc"),
        307,
        &[("location", &format!("http://{elsewhere}/blob"))],
        b"",
    );
    hub.pages.put(
        "/v2/a/geo/manifests/2",
        307,
        &[("location", &format!("http://{elsewhere}/manifest"))],
        b"",
    );
    let (tag, pin) = (format!("oci://{}/a/geo", hub.host), sha256(MODULE));
    let fetcher = Fetcher::new().credentials(&hub.host, known("me", "word"));
    for wants in [format!(r#"Bearer realm="http://{elsewhere}/token""#), "Basic".to_owned()] {
        for path in ["/blob", "/manifest"] {
            thief.put(path, 401, &[("www-authenticate", &wants)], b"");
        }
        for tag in [format!("{tag}:1"), format!("{tag}:2")] {
            let refused = fetch(&fetcher, &tag, Some(&pin)).await.unwrap_err().to_string();
            assert!(refused.contains("answered 401"), "{refused}");
        }
    }
    let asked = thief.asked();
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(asked.iter().all(|(_, who)| who.is_empty()), "{asked:?}");
}

/// A server that answers each connection with `head`, and then sends `again` for ever, with such rests.
async fn endless(head: &'static str, again: &'static [u8], rest: Duration) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(head.as_bytes()).await;
                // Until whoever asked has left.
                while stream.write_all(again).await.is_ok() {
                    tokio::time::sleep(rest).await;
                }
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_does_not_end_is_left() {
    const CHUNK: &[u8] = &{
        let mut chunk = [b'a'; 0x1_0000 + 9];
        let head = *b"10000\r\n";
        let mut at = 0;
        while at < head.len() {
            chunk[at] = head[at];
            at += 1;
        }
        (chunk[0x1_0007], chunk[0x1_0008]) = (b'\r', b'\n');
        chunk
    };
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let pin = sha256(MODULE);
    let large = endless(chunked, CHUNK, Duration::ZERO).await;
    let refused = fetch(&Fetcher::new(), &large, Some(&pin)).await.unwrap_err().to_string();
    assert_eq!(refused, format!("{large} has more than 16777216 bytes"));
    // A byte now and then: each of them comes in time, and all of them do not.
    for (head, again) in
        [(chunked, &b"1\r\na\r\n"[..]), ("HTTP/1.1 200 OK\r\n", b"x-a: b\r\n"), ("HTTP/1.1 ", b"2")]
    {
        let drips = endless(head, again, Duration::from_millis(20)).await;
        let refused = fetch(&Fetcher::new().within(Duration::from_millis(300)), &drips, Some(&pin)).await;
        assert!(matches!(refused, Err(FetchError::Late(_) | FetchError::Connection { .. })), "{refused:?}");
    }
    let head =
        endless("HTTP/1.1 200 OK\r\n", b"x-aaaaaaaaaaaaaaaaaaaa: bbbbbbbbbbbbbbbbbbbb\r\n", Duration::ZERO)
            .await;
    let refused = fetch(&Fetcher::new(), &head, Some(&pin)).await;
    assert!(matches!(refused, Err(FetchError::Connection { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_registry_gives_modules_to_everybody_or_to_those_it_knows() {
    for (name, login) in [("open", None), ("closed", Some(("me", "word")))] {
        let Some(registry) = Registry::start(name, login) else { return };
        let scratch = Scratch::new(name);
        let host = registry.address.to_string();
        let named = registry.push("plugins/geo", "1.4.0", WASM, MODULE).await;
        registry.push("plugins/geo", "plain", "application/wasm", MODULE).await;
        let fetcher = Fetcher::new().kept_in(&scratch.0);
        let fetcher =
            login.map_or(fetcher.clone(), |(user, word)| fetcher.credentials(&host, known(user, word)));
        let tag = format!("oci://{host}/plugins/geo:plain");
        assert_eq!(fetch(&fetcher, &tag, Some(&sha256(MODULE))).await.unwrap(), MODULE);
        let by_digest = format!("oci://{host}/plugins/geo:1.4.0@{named}");
        assert_eq!(fetch(&fetcher, &by_digest, None).await.unwrap(), MODULE);
        let nobody = fetch(&Fetcher::new(), &by_digest, None).await;
        assert_eq!(nobody.is_ok(), login.is_none(), "{nobody:?}");
        let wrong = Fetcher::new().credentials(&host, known("me", "other"));
        assert_eq!(fetch(&wrong, &by_digest, None).await.is_ok(), login.is_none());
        let missing = fetch(&fetcher, &format!("oci://{host}/plugins/geo:2"), Some(&sha256(b"x"))).await;
        assert!(missing.unwrap_err().to_string().contains("manifests/2 answered 404"));
        drop(registry);
        assert_eq!(
            fetch(&Fetcher::new().kept_in(&scratch.0), &by_digest, None).await.unwrap(),
            MODULE,
            "it is gone"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_beside_plugins_says_where_one_comes_from() {
    let (pages, scratch) = (Pages::default(), Scratch::new("folder"));
    pages.put("/key-auth.wasm", 200, &[], MODULE);
    let (address, server) = pages.start().await;
    let folder = scratch.0.join("plugins");
    fs::create_dir_all(&folder).unwrap();
    let put = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let own = format!("source = \"http://{address}/key-auth.wasm\"\nsha256 = \"{}\"\n", sha256(MODULE));
    let open = || {
        let (folder, kept) = (folder.clone(), scratch.0.join("kept"));
        tokio::task::spawn_blocking(move || {
            let shared = gateway_plugins::Plugins::new().unwrap().fetching(Fetcher::new().kept_in(kept));
            Folder::open(&shared, folder, BTreeMap::new()).map_err(|error| chain(&error))
        })
    };
    put("key-auth.toml", &own);
    let folder_open = open().await.unwrap().unwrap();
    assert!(folder_open.over(Plugins::empty()).get("key-auth").is_some());
    server.abort();
    assert!(open().await.unwrap().is_ok(), "a start without the server");
    for (name, text, told) in [
        (
            "key-auth.toml",
            "source = \"https://a.example/b\"",
            "cannot fetch https://a.example/b: nothing says what its bytes are",
        ),
        ("key-auth.toml", "source = \"a\"", "'a' is no source"),
        ("key-auth.toml", "sha256 = \"a\"", "missing field `source`"),
        ("key-auth.toml", "source = \"a\"\npin = 1", "unknown field `pin`"),
        ("other.toml", &own, "it says that it is the plugin key-auth, expected other"),
    ] {
        put(name, text);
        let plugins = open().await.unwrap().unwrap().over(Plugins::empty());
        let stem = name.trim_end_matches(".toml");
        let refused = plugins.get(stem).unwrap().configure(&serde_json::json!({})).err().unwrap();
        assert!(refused.contains(told) && refused.contains(name), "{refused}");
        fs::remove_file(folder.join(name)).unwrap();
    }
    fs::create_dir_all(folder.join("modules")).unwrap();
    fs::write(folder.join("modules/a.wasm"), MODULE).unwrap();
    put("key-auth.toml", "source = \"file:modules/a.wasm\"");
    assert!(open().await.unwrap().is_ok(), "a file needs no hash");
}
