//! The binary as a child process, an upstream, and a client.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "not every test uses all; a test fails by panicking"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A gateway that runs.
pub(crate) struct Gateway {
    child: Child,
    lines: mpsc::Receiver<String>,
    /// What it said when it was ready.
    pub(crate) ready: Value,
    pub(crate) address: SocketAddr,
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    // Nothing of the machine's own settings.
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("GATEWAY_") || name.starts_with("KONG_"))
    {
        command.env_remove(name);
    }
    // What is compiled is kept among what is built, not in the user's caches.
    command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs it to its end; one that goes on instead is ended.
#[track_caller]
pub(crate) fn output(args: &[&str]) -> Output {
    let child = command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(PATIENCE * 2) else {
        kill_process(pid, Signal::KILL).ok();
        panic!("{args:?} does not end");
    };
    output.unwrap()
}

/// What it said on standard error, and that it failed.
#[track_caller]
pub(crate) fn failure(args: &[&str]) -> String {
    let output = output(args);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

impl Gateway {
    /// Starts it on free ports and waits until it is ready.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut all = args.to_vec();
        all.extend(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        Self::spawn(command(&all))
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = lines(child.stderr.take().unwrap());
        let mut gateway = Self { child, lines, ready: Value::Null, address: "127.0.0.1:0".parse().unwrap() };
        gateway.ready = gateway.line(|line| line["message"] == "ready");
        let clear = gateway.ready["listen"].as_str().unwrap().split(',').next().unwrap();
        gateway.address = clear.parse().unwrap_or(gateway.address);
        gateway
    }

    /// The next line of the log that `wanted` wants.
    pub(crate) fn line(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let line = self.lines.recv_timeout(end - Instant::now()).unwrap();
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
            if wanted(&line) {
                return line;
            }
        }
    }

    /// What else it has said, once it has ended.
    pub(crate) fn rest(&self) -> Vec<Value> {
        self.lines.iter().map(|line| serde_json::from_str(&line).unwrap()).collect()
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.ready["admin"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        ask(self.address, "GET", path, &[], "").unwrap()
    }

    /// Whether one request is under way.
    pub(crate) fn is_answering(&self) -> bool {
        let status = ask(self.admin(), "GET", "/status", &[], "").unwrap().text;
        status.contains("\"connections_writing\":1")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn lines(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In small letters.
    pub(crate) head: String,
    written: String,
    pub(crate) text: String,
}

impl Answer {
    /// The header fields as they were written.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.written.lines().skip(1).filter_map(|line| line.split_once(": "))
    }
}

/// One request on a connection of its own; nothing if the connection is refused or cut.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    talk(&mut stream, method, path, headers, body)
}

/// One request over a stream that ends with the answer.
pub(crate) fn talk(
    stream: &mut (impl Read + Write),
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Answer> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // TLS peers may leave without a word.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).ok()?;
    let (head, text) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_lowercase(), written: head.to_owned(), text: text.to_owned() })
}

/// An upstream that answers `upstream` after a while.
pub(crate) fn upstream(delay: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(stream, delay));
        }
    });
    address
}

fn answer(mut stream: TcpStream, delay: Duration) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut line = String::new();
        loop {
            line.clear();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line == "\r\n" => break,
                Ok(_) => {}
            }
        }
        thread::sleep(delay);
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nupstream").is_err() {
            return;
        }
    }
}

/// A directory that goes with the test.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("gateway-binary-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Puts a file there, or another content into it.
    pub(crate) fn put(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A file with one route at `path` to `upstream`.
pub(crate) fn kong(upstream: SocketAddr, path: &str) -> String {
    format!(
        "_format_version: '3.0'\nservices:\n- name: users\n  url: http://{upstream}\n  routes:\n  - name: users\n    paths: [{path}]\n"
    )
}

/// Asks until the answer is as wished.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}
