//! Behind balancers that speak the PROXY protocol: by hand, and HAProxy itself.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{
    env, fs,
    io::{BufRead, BufReader, ErrorKind, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use kit::{Answer, Directory, Gateway, ask, command, failure, kong, talk, until, upstream};

/// An upstream that answers with the forwarding fields it was sent.
fn mirror() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let wanted =
                |line: &&String| line.starts_with("x-forwarded-for") || line.starts_with("x-real-ip");
            let told: Vec<_> = head.iter().filter(wanted).map(String::as_str).collect();
            let body = told.join("\n");
            let answer = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    address
}

/// One request over a connection that begins with `head`.
fn proxied(address: SocketAddr, head: &str, path: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(head.as_bytes()).ok()?;
    talk(&mut stream, "GET", path, &[], "")
}

/// A gateway that trusts this machine, with a route for everybody and one for 192.0.2.0/24.
fn start(directory: &Directory) -> Gateway {
    let file = kong(mirror(), "/all")
        + "  - name: some\n    paths: [/some]\n    plugins:\n    - name: ip-restriction\n      config: {allow: [192.0.2.0/24]}\n\
           \x20 - name: few\n    paths: [/few]\n    plugins:\n    - name: rate-limiting\n      config: {hour: 1, limit_by: ip, policy: local}\n";
    let file = directory.put("kong.yml", &file);
    let log = directory.path("access.log");
    let listens = ["--listen", "127.0.0.1:0 proxy_protocol", "--access-log", &log];
    let mut command = command(&[&[&*file, "--admin", "127.0.0.1:0"], &listens[..]].concat());
    command.env("GATEWAY_TRUSTED_IPS", "127.0.0.0/8");
    Gateway::spawn(command)
}

const LINE: &str = "PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n";
const OTHER: &str = "PROXY TCP4 198.51.100.9 192.0.2.1 5000 443\r\n";

#[test]
fn compat_d42_fields_plugins_and_the_access_log_know_the_source() {
    let directory = Directory::new();
    let gateway = start(&directory);
    let told = proxied(gateway.address, LINE, "/all").unwrap();
    assert_eq!(told.text, "x-forwarded-for: 192.0.2.7\nx-real-ip: 192.0.2.7");
    assert_eq!(proxied(gateway.address, LINE, "/some").unwrap().status, 200);
    let refused = proxied(gateway.address, OTHER, "/some").unwrap();
    assert_eq!((refused.status, refused.text.contains("198.51.100.9")), (403, true), "{}", refused.text);
    let statuses = [LINE, OTHER, LINE].map(|head| proxied(gateway.address, head, "/few").unwrap().status);
    assert_eq!(statuses, [200, 200, 429], "each source has its own window");
    let log = directory.path("access.log");
    let written = || fs::read_to_string(&log).unwrap_or_default();
    until("the source is logged", || written().contains(r#""client_ip":"198.51.100.9""#));
    assert!(!written().contains(r#""client_ip":"127"#), "{}", written());
}

#[test]
fn compat_d42_who_says_nothing_of_the_kind_is_cut_and_counted() {
    let gateway = start(&Directory::new());
    assert!(ask(gateway.address, "GET", "/all", &[], "").is_none());
    let metrics = ask(gateway.admin(), "GET", "/metrics", &[], "").unwrap().text;
    assert!(metrics.contains(r#"gateway_connections_refused_total{cause="proxy_bad_head"} 1"#), "{metrics}");
}

#[test]
fn a_listener_for_proxies_wants_to_know_them() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/"));
    let said = failure(&[&file, "--listen", "127.0.0.1:0 proxy_protocol"]);
    assert_eq!(
        said.trim_end(),
        "gateway: 127.0.0.1:0 proxy_protocol: nobody may speak it; name the proxies in trusted_ips"
    );
    let said = String::from_utf8(command(&["--listen", ":0 ssl"]).output().unwrap().stderr).unwrap();
    assert!(said.contains("'ssl' is no word that may follow an address"), "{said}");
}

/// HAProxy with a frontend for each version; it is killed at the end.
struct HaProxy {
    child: Child,
    fronts: [SocketAddr; 2],
}

impl HaProxy {
    /// None, with a line that says so, where this machine has none. A CI machine must have one.
    fn start(directory: &Directory, gateway: SocketAddr) -> Option<Self> {
        // Its own checks are LOCAL in version 2 and UNKNOWN in version 1: the server is up only if they work.
        let fronts = free();
        let mut text = "global\n  maxconn 100\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout check 10s\n  timeout client 20s\n  timeout server 20s\n".to_owned();
        for (front, (name, send)) in fronts.iter().zip([("v1", "send-proxy"), ("v2", "send-proxy-v2")]) {
            text += &format!(
                "listen {name}\n  bind {front}\n  source 127.0.0.1\n  option httpchk GET /all\n  \
                 server gateway {gateway} {send} check inter 200ms\n"
            );
        }
        let file = directory.put("haproxy.cfg", &text);
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f", &file]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match command.spawn() {
            Ok(child) => Some(Self { child, fronts }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                assert_ne!(env::var("CI").as_deref(), Ok("true"), "no haproxy: install the package");
                eprintln!("SKIPPED: no haproxy on this machine (package haproxy)");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Two ports; both are taken before one is given back, so that they differ.
fn free() -> [SocketAddr; 2] {
    let taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    taken.each_ref().map(|listener| listener.local_addr().unwrap())
}

/// A request to `front` from an address of this machine that is not the usual one.
fn from(source: [u8; 4], front: SocketAddr) -> Option<String> {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None);
    let socket = socket.unwrap();
    rustix::net::bind(&socket, &SocketAddr::from((source, 0))).unwrap();
    rustix::net::connect(&socket, &front).ok()?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    Some(talk(&mut stream, "GET", "/all", &[], "")?.text)
}

#[test]
fn haproxy_tells_whom_it_speaks_for_in_both_versions_and_its_checks_pass() {
    let directory = Directory::new();
    let gateway = start(&directory);
    let Some(haproxy) = HaProxy::start(&directory, gateway.address) else { return };
    for front in haproxy.fronts {
        let told = || from([127, 0, 0, 77], front).unwrap_or_default();
        until("HAProxy speaks", || !told().is_empty());
        assert_eq!(told(), "x-forwarded-for: 127.0.0.77\nx-real-ip: 127.0.0.77");
    }
    // The checks: requests that no client of ours has sent, with HAProxy itself as the client.
    let log = directory.path("access.log");
    let written = || fs::read_to_string(&log).unwrap_or_default();
    let checks = || written().lines().filter(|line| line.contains(r#""client_ip":"127.0.0.1""#)).count();
    until("checks of both pass", || checks() >= 4);
    assert!(!written().contains(r#""status":4"#), "{}", written());
    let metrics = ask(gateway.admin(), "GET", "/metrics", &[], "").unwrap().text;
    assert!(metrics.contains(r#"gateway_connections_refused_total{cause="proxy_bad_head"} 0"#), "{metrics}");
}
