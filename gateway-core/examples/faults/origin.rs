//! A server that counts how often it acts on each request that must be acted on once.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

/// How often each id has been acted on, over all servers of a scene.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<HashMap<String, u32>>>);

impl Ledger {
    fn enter(&self, id: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(id.to_owned()).or_default() += 1;
    }

    /// How many ids were acted on, and how many of them more than once.
    pub(crate) fn read(&self) -> (usize, usize) {
        let ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (ledger.len(), ledger.values().filter(|times| **times > 1).count())
    }
}

/// A server of which each answer takes `time`. It ends with this value.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Origin {
    pub(crate) async fn start(time: Duration, ledger: Ledger) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, time, ledger.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, _serving: serving })
    }
}

async fn serve(mut stream: TcpStream, time: Duration, ledger: Ledger) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(head) = next(&mut stream, &mut buffer).await {
        // It is acted on before it is answered: who gives up waiting does not undo it.
        if let Some(id) = field(&head, "x-id").filter(|_| head.starts_with("POST ")) {
            ledger.enter(id);
        }
        sleep(time).await;
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_err() {
            return;
        }
    }
}

/// The head of the next message, once all of it is here.
pub(crate) async fn next(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let body = field(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            let whole = end + 4 + body;
            if buffer.len() >= whole {
                buffer.drain(..whole);
                return Some(head);
            }
        }
        if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

pub(crate) fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
