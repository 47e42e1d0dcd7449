//! Plugins in WebAssembly: what is compiled is kept.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use kit::{Directory, Gateway, ask, command, failure};

const FILE: &str =
    "_format_version: '3.0'\nservices: [{name: a, host: a.test, plugins: [{name: key-auth}]}]\n";

/// Files of more than 10 KB.
fn large(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let large_files = files.into_iter().filter(|file| file.metadata().unwrap().len() > 10_000);
    large_files.chain(folders.iter().flat_map(|folder| large(folder))).collect()
}

#[test]
fn compiled_plugins_are_kept_among_the_users_caches_or_where_the_settings_say_or_nowhere() {
    let directory = Directory::new();
    let (file, caches, own) =
        (directory.put("kong.yml", FILE), directory.path("caches"), directory.path("own"));
    let check = |settings: &str| {
        let settings = directory.put("settings.toml", settings);
        let args = ["check", &file, "--settings", &settings];
        assert!(command(&args).env("XDG_CACHE_HOME", &caches).status().unwrap().success());
    };
    check("[plugins]\ncache = \"\"");
    check(&format!("[plugins]\ncache = \"{own}\""));
    assert!(!large(Path::new(&own)).is_empty() && !Path::new(&caches).exists());
    check("");
    assert!(!large(&Path::new(&caches).join("gateway")).is_empty());
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let directory = Directory::new();
    let (file, open) = (directory.put("kong.yml", FILE), directory.path("open"));
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let settings = directory.put("settings.toml", &format!("[plugins]\ncache = \"{open}\""));
    let said = failure(&["check", &file, "--settings", &settings]);
    assert!(said.contains(&open) && said.contains("others may write to it"), "{said}");
}

/// Asks until the answer has this status, or too long.
#[track_caller]
fn until(gateway: &Gateway, status: u16) {
    let begun = Instant::now();
    loop {
        let answer = ask(gateway.address, "GET", "/a", &[], "");
        if answer.as_ref().is_some_and(|answer| answer.status == status) {
            return;
        }
        let last = answer.map(|answer| answer.status);
        assert!(begun.elapsed() < Duration::from_secs(60), "{last:?} in place of {status}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// A module that answers every request with this status.
fn answering(status: u16) -> Vec<u8> {
    let text = format!(
        r#"(module (import "env" "proxy_send_local_response"
                (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) (i32.const 1024))
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (drop (call $reply (i32.const {status}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                    (i32.const 0) (i32.const 0) (i32.const -1)))
                (i32.const 1)))"#
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn a_plugin_that_comes_into_a_folder_is_there_by_its_name_and_one_that_changes_serves_what_comes_then() {
    let bundled =
        |name: &str| format!("{}/../../gateway-plugins/bundled/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    let directory = Directory::new();
    let folder = directory.path("plugins");
    fs::create_dir(&folder).unwrap();
    let own = Path::new(&folder).join("own.wasm");
    // A module that says no name has that of its file.
    let plain = |status: u16| answering(status);
    let route = |plugin: &str| {
        format!("_format_version: '3.0'\nroutes: [{{name: a, paths: [/a], plugins: [{{name: {plugin}}}]}}]\n")
    };
    let file = directory.put("kong.yml", &route("request-termination"));
    let gateway = Gateway::start(&[&file, "--plugins", &folder]);
    until(&gateway, 503);
    // The file names it before it is there: refused, and taken when it has come.
    directory.put("kong.yml", &route("own"));
    fs::write(&own, plain(418)).unwrap();
    until(&gateway, 418);
    fs::write(&own, plain(451)).unwrap();
    until(&gateway, 451);
    fs::write(&own, "no module").unwrap();
    thread::sleep(Duration::from_secs(3));
    until(&gateway, 451);
    fs::copy(bundled("key-auth"), Path::new(&folder).join("key.wasm")).unwrap();
    fs::write(&own, plain(410)).unwrap();
    until(&gateway, 410);
    drop(gateway);
}

/// Serves bytes at any path, until dropped.
struct Files {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Files {
    fn serve(bytes: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Relaxed) {
                    return;
                }
                let (mut stream, mut head) = (stream, [0; 4096]);
                let _ = stream.read(&mut head);
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    bytes.len()
                );
                let _ = stream.write_all(&bytes);
            }
        });
        Self { address, stop }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        drop(TcpStream::connect(self.address));
    }
}

#[test]
fn a_plugin_from_elsewhere_is_there_by_its_name_is_replaced_live_and_needs_no_network_for_the_next_start() {
    let directory = Directory::new();
    let (folder, kept) = (directory.path("plugins"), directory.path("kept"));
    fs::create_dir(&folder).unwrap();
    let delivery = Path::new(&folder).join("own.toml");
    let hash = |url: &str| {
        let told = command(&["plugin", "inspect", url, "--format", "json"]).output().unwrap();
        assert!(told.status.success(), "{told:?}");
        let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
        told["sha256"].as_str().unwrap().to_owned()
    };
    let put = |files: &Files| {
        let url = format!("http://{}/own.wasm", files.address);
        fs::write(&delivery, format!("source = \"{url}\"\nsha256 = \"{}\"\n", hash(&url))).unwrap();
    };
    let first = Files::serve(answering(418));
    put(&first);
    let file = directory.put(
        "kong.yml",
        "_format_version: '3.0'\nroutes: [{name: a, paths: [/a], plugins: [{name: own}]}]\n",
    );
    let settings = directory.put("settings.toml", &format!("[plugins]\nfetched = \"{kept}\"\n"));
    let args = [file.as_str(), "--plugins", &folder, "--settings", &settings];
    let gateway = Gateway::start(&args);
    until(&gateway, 418);
    let second = Files::serve(answering(451));
    put(&second);
    until(&gateway, 451);
    // Bytes that nobody pinned are refused, and what was there goes on.
    let third = Files::serve(answering(410));
    let text = fs::read_to_string(&delivery).unwrap();
    let pinned = text.split('"').nth(3).unwrap();
    let text = format!("source = \"http://{}/own.wasm\"\nsha256 = \"00{}\"\n", third.address, &pinned[2..]);
    fs::write(&delivery, text).unwrap();
    thread::sleep(Duration::from_secs(3));
    until(&gateway, 451);
    put(&second);
    drop((gateway, first, second, third));
    let gateway = Gateway::start(&args);
    until(&gateway, 451);
}

#[test]
fn what_a_registry_is_shown_is_a_reference_that_gives_something() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", FILE);
    for (password, told) in [
        ("word", "a reference is {vault://env/NAME} or {file:///path}"),
        ("{vault://env/no-such-word}", "gives no password"),
    ] {
        let text =
            format!("[plugins.credentials.\"ghcr.io\"]\nusername = \"me\"\npassword = \"{password}\"\n");
        let settings = directory.put("settings.toml", &text);
        let said = failure(&["check", &file, "--settings", &settings]);
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn what_plugins_do_and_what_they_count_themselves_is_among_the_metrics() {
    let module = r#"(module
        (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_increment_metric" (func $add (param i32 i64) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "my.hits{}")
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 1024))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (i32.eqz (call $define (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 16))))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (drop (call $add (i32.load (i32.const 16)) (i64.const 2))) (i32.const 0)))"#;
    let directory = Directory::new();
    let folder = directory.path("plugins");
    fs::create_dir(&folder).unwrap();
    fs::write(Path::new(&folder).join("own.wasm"), wat::parse_str(module).unwrap()).unwrap();
    let file = directory.put(
        "kong.yml",
        "_format_version: '3.0'\nplugins: [{name: own}]\nroutes: [{name: a, paths: [/a], plugins: [{name: request-termination}]}]\n",
    );
    let gateway = Gateway::start(&[&file, "--plugins", &folder]);
    (0..3).for_each(|_| until(&gateway, 503));
    let page = ask(gateway.admin(), "GET", "/metrics", &[], "").unwrap().text;
    for line in [
        "# TYPE gateway_guest_my_hits___total counter",
        "gateway_guest_my_hits___total{plugin=\"own\"} 6",
        "gateway_plugin_contexts{plugin=\"own\"} 0",
        "gateway_plugin_instances{plugin=\"own\"} ",
        "gateway_plugin_entries_total{plugin=\"own\"} ",
        "gateway_plugin_traps_total{plugin=\"request-termination\",version=\"",
    ] {
        assert!(page.contains(line), "{line} in {page}");
    }
    assert!(!page.contains("plugin=\"key-auth\""), "it is not used");
}

#[test]
fn a_broken_file_at_the_start_is_a_warning_and_refused_where_it_is_named() {
    let directory = Directory::new();
    let folder = directory.path("plugins");
    fs::create_dir(&folder).unwrap();
    let broken = format!("{folder}/key-auth.wasm");
    fs::write(&broken, "no module").unwrap();
    let without = directory.put("without.yml", "_format_version: '3.0'\n");
    drop(Gateway::start(&[&without, "--plugins", &folder]));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = failure(&[&without, "--plugins", &folder, "--listen", &address]);
    assert!(told.contains("WARN") && told.contains(&broken) && told.contains("in use"), "{told}");

    let told = failure(&["check", &directory.put("kong.yml", FILE), "--plugins", &folder]);
    assert!(told.contains(&format!("{broken} is no plugin")) && told.contains("plugins.key-auth"), "{told}");
}
