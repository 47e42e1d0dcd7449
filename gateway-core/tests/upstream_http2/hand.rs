//! An upstream that writes frames by hand, and can say what no library lets it say.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::frames::{block, frame};

/// An upstream that writes frames by hand: `script` gets each connection, after its preface, with its number.
pub(crate) async fn by_hand<F, Fut>(script: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(Hand, usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let number = count.fetch_add(1, SeqCst);
            let script = script.clone();
            tokio::spawn(async move {
                let mut preface = [0; 24];
                if stream.read_exact(&mut preface).await.is_ok() && preface.starts_with(b"PRI * HTTP/2.0") {
                    script(Hand { stream }, number).await;
                }
            });
        }
    });
    (address, connections)
}

pub(crate) struct Hand {
    pub(crate) stream: TcpStream,
}

impl Hand {
    /// False once the other end has closed.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// The next frame: its kind and its stream.
    pub(crate) async fn read(&mut self) -> Option<(u8, u32)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        self.stream.read_exact(&mut vec![0; length]).await.ok()?;
        Some((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]])))
    }

    /// The stream of the next request, which other frames may come before.
    pub(crate) async fn request(&mut self) -> Option<u32> {
        loop {
            if let (HEADERS, stream) = self.read().await? {
                return Some(stream);
            }
        }
    }

    /// Settings, with these values, and the answer to the other end's.
    pub(crate) async fn settle(&mut self, values: &[(u16, u32)]) {
        let mut payload = Vec::new();
        for (name, value) in values {
            payload.extend(name.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        let both = [frame(SETTINGS, 0, 0, &payload), frame(SETTINGS, 1, 0, &[])].concat();
        self.write(&both).await;
    }

    pub(crate) async fn answer(&mut self, stream: u32, text: &str) {
        let head = frame(HEADERS, 4, stream, &block(&[(":status", b"200")]));
        self.write(&[head, frame(0, 1, stream, text.as_bytes())].concat()).await;
    }

    /// The answer, and the wait for the other end to close: what is closed with bytes unread is reset, and a reset may
    /// overtake the answer.
    pub(crate) async fn answer_last(mut self, stream: u32, text: &str) {
        self.answer(stream, text).await;
        self.until_closed().await;
    }

    /// Whether the other end closes, or ends, within the bound.
    pub(crate) async fn until_closed(&mut self) {
        while self.read().await.is_some() {}
    }
}

pub(crate) const SETTINGS: u8 = 4;
pub(crate) const HEADERS: u8 = 1;
