//! An upstream of h2's server.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use h2::{
    RecvStream,
    server::{Connection, SendResponse},
};
use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};

/// An upstream of h2's server: each request goes to a function, with the number of its connection from 0.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) open: Arc<AtomicUsize>,
    pub(crate) most: Arc<Mutex<Vec<usize>>>,
}

impl Server {
    pub(crate) async fn start<F, Fut>(builder: h2::server::Builder, answer: F) -> Self
    where
        F: Fn(Call, usize) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server =
            Self { address, connections: Arc::default(), open: Arc::default(), most: Arc::default() };
        let (connections, open, most) =
            (Arc::clone(&server.connections), Arc::clone(&server.open), Arc::clone(&server.most));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = connections.fetch_add(1, SeqCst);
                most.lock().unwrap().push(0);
                let (builder, answer, open, most) =
                    (builder.clone(), answer.clone(), Arc::clone(&open), Arc::clone(&most));
                tokio::spawn(async move {
                    open.fetch_add(1, SeqCst);
                    if let Ok(connection) = builder.handshake(stream).await {
                        serve(connection, answer, number, &most).await;
                    }
                    open.fetch_sub(1, SeqCst);
                });
            }
        });
        server
    }

    /// Answers `GET` with the number of the connection.
    pub(crate) async fn plain() -> Self {
        Self::start(h2::server::Builder::new(), |(_, respond), number| async move {
            reply(respond, &number.to_string());
        })
        .await
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// The most streams at a time that each connection has seen.
    pub(crate) fn most(&self) -> Vec<usize> {
        self.most.lock().unwrap().clone()
    }
}

pub(crate) type Call = (Request<RecvStream>, SendResponse<Bytes>);

pub(crate) async fn serve<F, Fut>(
    mut connection: Connection<TcpStream, Bytes>,
    answer: F,
    number: usize,
    most: &Mutex<Vec<usize>>,
) where
    F: Fn(Call, usize) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let running = Arc::new(AtomicUsize::new(0));
    while let Some(Ok(call)) = connection.accept().await {
        let now = running.fetch_add(1, SeqCst) + 1;
        {
            let mut most = most.lock().unwrap();
            most[number] = most[number].max(now);
        }
        let (answering, running) = (answer(call, number), Arc::clone(&running));
        tokio::spawn(async move {
            answering.await;
            running.fetch_sub(1, SeqCst);
        });
    }
}

pub(crate) fn reply(mut respond: SendResponse<Bytes>, text: &str) {
    let mut body = respond.send_response(Response::new(()), false).unwrap();
    body.send_data(Bytes::copy_from_slice(text.as_bytes()), true).unwrap();
}
