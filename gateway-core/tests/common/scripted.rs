//! An upstream that does what a script says, down to the byte.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

/// What the upstream does once it has read a head.
#[derive(Clone, Debug)]
pub enum Step {
    Send(Vec<u8>),
    /// The same bytes, until the other end closes.
    Flood(Vec<u8>),
    /// Reads the request's body to its end.
    Body,
    Wait(Duration),
    Close,
    Reset,
    /// Nothing more, until the other end closes.
    Hang,
}

pub type Script = Vec<Step>;

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Counted from 0.
    pub connection: usize,
    /// On its connection, counted from 0.
    pub request: usize,
    pub head: String,
    /// As it came, chunk sizes and trailers included.
    pub body: Vec<u8>,
}

impl Seen {
    pub fn method(&self) -> &str {
        self.head.split(' ').next().unwrap()
    }

    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

/// A complete answer with a text.
pub fn ok(text: &str) -> Script {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len());
    vec![Step::Body, send(head)]
}

pub fn send(bytes: impl Into<Vec<u8>>) -> Step {
    Step::Send(bytes.into())
}

/// Sends and closes.
pub fn last(bytes: impl Into<Vec<u8>>) -> Script {
    vec![send(bytes), Step::Close]
}

pub struct Scripted {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Scripted {
    pub async fn start(script: impl Fn(&Seen) -> Script + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    pub fn on(listener: TcpListener, script: impl Fn(&Seen) -> Script + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let (seen, script) = (Arc::new(Mutex::new(Vec::new())), Arc::new(script));
        let (connections, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        let (record, count, opened) = (Arc::clone(&seen), Arc::clone(&connections), Arc::clone(&open));
        tasks.spawn(async move {
            let mut serving = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let connection = count.fetch_add(1, Relaxed);
                opened.fetch_add(1, Relaxed);
                let (record, script) = (Arc::clone(&record), Arc::clone(&script));
                let guard = Open(Arc::clone(&opened));
                serving.spawn(async move {
                    serve(stream, connection, &record, &*script).await;
                    drop(guard);
                });
            }
        });
        Self { address, seen, connections, open, _tasks: tasks }
    }

    /// What has arrived so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    /// Connections that neither end has closed.
    pub fn open(&self) -> usize {
        self.open.load(Relaxed)
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    record: &Mutex<Vec<Seen>>,
    script: &(dyn Fn(&Seen) -> Script + Send + Sync),
) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::new();
    for request in 0.. {
        let Some(head) = cut(&mut stream, &mut buffer, b"\r\n\r\n").await else { return };
        let seen = Seen { connection, request, head: String::from_utf8(head).unwrap(), body: Vec::new() };
        let at = {
            let mut record = record.lock().unwrap();
            record.push(seen.clone());
            record.len() - 1
        };
        for step in script(&seen) {
            match step {
                Step::Body => {
                    let Some(body) = body(&mut stream, &mut buffer, &seen).await else { return };
                    record.lock().unwrap()[at].body = body;
                }
                other => {
                    if !play(&mut stream, other).await {
                        return;
                    }
                }
            }
        }
    }
}

/// Whether the connection goes on.
async fn play(stream: &mut TcpStream, step: Step) -> bool {
    match step {
        Step::Send(bytes) => return stream.write_all(&bytes).await.is_ok(),
        Step::Flood(bytes) => while stream.write_all(&bytes).await.is_ok() {},
        Step::Wait(time) => {
            sleep(time).await;
            return true;
        }
        Step::Reset => stream.set_zero_linger().unwrap(),
        Step::Hang => while let Ok(1..) = stream.read(&mut [0; 4096]).await {},
        Step::Close => {
            // What the other end has still sent is read, so that the close is no reset.
            let _ = stream.shutdown().await;
            let _ = tokio::time::timeout(Duration::from_millis(20), async {
                while let Ok(1..) = stream.read(&mut [0; 4096]).await {}
            })
            .await;
        }
        Step::Body => return true,
    }
    false
}

/// Takes what stands before and with `end` off the connection.
async fn cut(stream: &mut TcpStream, buffer: &mut Vec<u8>, end: &[u8]) -> Option<Vec<u8>> {
    loop {
        if let Some(at) = buffer.windows(end.len()).position(|window| window == end) {
            return Some(buffer.drain(..at + end.len()).collect());
        }
        if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

async fn body(stream: &mut TcpStream, buffer: &mut Vec<u8>, seen: &Seen) -> Option<Vec<u8>> {
    if seen.header("transfer-encoding") == "chunked" {
        return chunked(stream, buffer).await;
    }
    let length = seen.header("content-length").parse().unwrap_or(0);
    while buffer.len() < length {
        if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(buffer.drain(..length).collect())
}

async fn chunked(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut raw = Vec::new();
    loop {
        let line = cut(stream, buffer, b"\r\n").await?;
        let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        raw.extend_from_slice(&line);
        if size == 0 {
            // Trailers, up to the empty line.
            loop {
                let line = cut(stream, buffer, b"\r\n").await?;
                raw.extend_from_slice(&line);
                if line == b"\r\n" {
                    return Some(raw);
                }
            }
        }
        while buffer.len() < size + 2 {
            if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
                return None;
            }
        }
        raw.extend(buffer.drain(..size + 2));
    }
}
