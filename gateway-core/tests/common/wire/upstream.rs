//! An upstream that writes down every byte it is sent.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gateway_core::config::Service;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use super::{
    reading::{Framing, Wire},
    seen::Seen,
};

/// How long an upstream takes for a path with `/slow` in it.
pub const SLOW: Duration = Duration::from_millis(1_500);

/// What an upstream does with a request: the bytes it answers with, as they go out.
pub type Answers = dyn Fn(&Seen) -> Vec<u8> + Send + Sync;

/// An upstream with a parser of its own, stricter and simpler than the gateway's: what would smuggle a request
/// past one of the two stands in `seen` or in `garbage`.
#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    garbage: Arc<Mutex<Vec<String>>>,
    open: Arc<AtomicUsize>,
}

impl Upstream {
    /// One that answers every request with its target.
    pub async fn echo() -> Self {
        Self::start(|seen| ok(seen.target())).await
    }

    pub async fn start(answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            garbage: Arc::default(),
            open: Arc::default(),
        };
        let (this, answers): (_, Arc<Answers>) = (upstream.clone(), Arc::new(answers));
        tokio::spawn(async move {
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (this, answers) = (this.clone(), Arc::clone(&answers));
                tokio::spawn(async move {
                    this.open.fetch_add(1, Ordering::SeqCst);
                    this.connection(stream, number, &*answers).await;
                    this.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        upstream
    }

    async fn connection(&self, mut stream: TcpStream, number: usize, answers: &Answers) {
        let mut wire = Wire::default();
        loop {
            let Some(head) = wire.head(&mut stream).await else {
                if !wire.bytes.is_empty() {
                    self.garbage.lock().unwrap().push(String::from_utf8_lossy(&wire.bytes).into_owned());
                }
                return;
            };
            let mut seen = Seen { head, body: Vec::new(), broken: false, connection: number };
            let framing = Framing::of_request(&seen.head);
            seen.broken = wire.body(&mut stream, framing, &mut seen.body).await.is_none();
            let (answer, broken) = (answers(&seen), seen.broken);
            let slow = seen.target().contains("/slow");
            self.seen.lock().unwrap().push(seen);
            if slow {
                tokio::time::sleep(SLOW).await;
            }
            if broken || stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    }

    /// What came since the last time.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Bytes that are no request.
    pub fn garbage(&self) -> Vec<String> {
        self.garbage.lock().unwrap().clone()
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// A service that leads here.
    pub fn service(&self, name: &str) -> Service {
        let mut service = Service::new(name, &self.address.ip().to_string());
        service.port = self.address.port();
        service
    }
}

/// A 200 with a body.
pub fn ok(body: &str) -> Vec<u8> {
    answer("200 OK", "", body)
}

/// An answer with these fields (each with its line end) and a body.
pub fn answer(status: &str, fields: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{fields}\r\n{body}", body.len()).into_bytes()
}
