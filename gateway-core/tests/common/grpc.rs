//! A server and a client of gRPC, as `tonic` makes them; messages are bytes.
#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes};
use futures_util::{Stream, stream};
use http::uri::PathAndQuery;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::mpsc,
};
use tokio_rustls::TlsAcceptor;
use tonic::{
    Code, Request, Response, Status, Streaming,
    client::Grpc as Client,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
    server::Grpc as Server,
    transport::Channel,
};

/// Messages as they are.
#[derive(Clone, Copy, Default)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(bytes.copy_to_bytes(bytes.remaining())))
    }
}

/// A server of `/test.Echo/`: `Unary`, `Down`, `Up` and `Talk`.
///
/// `Unary` gives its message back, but for `fail CODE TEXT`, a status; `meta SIZE`, metadata of that size; and `hang`,
/// which never ends. `Down N` sends N messages, and then ends well; `Down hang` sends one. `Up` gives the number of
/// messages and of their bytes. `Talk` gives back each message as it comes.
#[derive(Clone)]
pub struct Echo {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<MetadataMap>>>,
    authorities: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    under_way: Arc<AtomicUsize>,
}

/// Counts for as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Echo {
    pub async fn start() -> Self {
        Self::serve(None).await
    }

    /// Over TLS, as `config` says.
    pub async fn secure(config: rustls::ServerConfig) -> Self {
        Self::serve(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn serve(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let echo = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            authorities: Arc::default(),
            connections: Arc::default(),
            open: Arc::default(),
            under_way: Arc::default(),
        };
        let this = echo.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (this, acceptor) = (this.clone(), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => this.connection(stream).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                this.connection(stream).await;
                            }
                        }
                    }
                });
            }
        });
        echo
    }

    async fn connection(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        self.connections.fetch_add(1, SeqCst);
        let _open = Counted::new(&self.open);
        let service = service_fn(move |request| {
            let this = self.clone();
            async move { Ok::<_, std::convert::Infallible>(this.answer(request).await) }
        });
        let mut server = http2::Builder::new(TokioExecutor::new());
        server.max_header_list_size(1 << 20).max_concurrent_streams(200);
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(self, request: http::Request<Incoming>) -> http::Response<tonic::body::Body> {
        self.seen.lock().unwrap().push(MetadataMap::from_headers(request.headers().clone()));
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        self.authorities.lock().unwrap().push(authority);
        let under_way = Counted::new(&self.under_way);
        let mut server = Server::new(Raw);
        match request.uri().path() {
            "/test.Echo/Unary" => {
                server.unary(tower::service_fn(move |it| unary(it, under_way.0.clone())), request).await
            }
            "/test.Echo/Down" => {
                let count = Arc::clone(&self.under_way);
                server
                    .server_streaming(tower::service_fn(move |it| down(it, Counted::new(&count))), request)
                    .await
            }
            "/test.Echo/Up" => server.client_streaming(tower::service_fn(up), request).await,
            "/test.Echo/Talk" => server.streaming(tower::service_fn(talk), request).await,
            _ => Status::unimplemented("no such method").into_http(),
        }
    }

    /// The metadata of all calls.
    pub fn seen(&self) -> Vec<MetadataMap> {
        self.seen.lock().unwrap().clone()
    }

    pub fn authorities(&self) -> Vec<String> {
        self.authorities.lock().unwrap().clone()
    }

    /// Connections that have been made.
    pub fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.open.load(SeqCst)
    }

    /// Calls that have not ended.
    pub fn under_way(&self) -> usize {
        self.under_way.load(SeqCst)
    }
}

async fn unary(request: Request<Bytes>, under_way: Arc<AtomicUsize>) -> Result<Response<Bytes>, Status> {
    let text = String::from_utf8_lossy(request.get_ref()).into_owned();
    match text.split_once(' ') {
        Some(("fail", what)) => {
            let (code, message) = what.split_once(' ').unwrap();
            let mut status = Status::new(Code::from(code.parse::<i32>().unwrap()), message);
            status
                .metadata_mut()
                .insert_bin("detail-bin", tonic::metadata::MetadataValue::from_bytes(&[0, 255, 1]));
            Err(status)
        }
        Some(("meta", size)) => {
            let mut response = Response::new(request.into_inner());
            let value = "m".repeat(size.parse().unwrap()).parse().unwrap();
            response.metadata_mut().insert("x-big", value);
            Ok(response)
        }
        Some(("wait", millis)) => {
            tokio::time::sleep(Duration::from_millis(millis.parse().unwrap())).await;
            Ok(Response::new(request.into_inner()))
        }
        _ if text == "hang" => {
            let _counted = Counted::new(&under_way);
            std::future::pending().await
        }
        _ => Ok(Response::new(request.into_inner())),
    }
}

type Messages = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

async fn down(request: Request<Bytes>, counted: Counted) -> Result<Response<Messages>, Status> {
    let text = String::from_utf8_lossy(request.get_ref()).into_owned();
    let hangs = text == "hang";
    let count = if hangs { 1 } else { text.parse::<usize>().unwrap() };
    let messages = stream::unfold((0, counted), move |(at, counted)| async move {
        if at == count && hangs {
            std::future::pending::<()>().await;
        }
        (at < count).then(|| (Ok(Bytes::from(at.to_string())), (at + 1, counted)))
    });
    Ok(Response::new(Box::pin(messages)))
}

async fn up(request: Request<Streaming<Bytes>>) -> Result<Response<Bytes>, Status> {
    let mut messages = request.into_inner();
    let (mut count, mut bytes) = (0, 0);
    while let Some(message) = messages.message().await? {
        count += 1;
        bytes += message.len();
    }
    Ok(Response::new(format!("{count}:{bytes}").into()))
}

async fn talk(request: Request<Streaming<Bytes>>) -> Result<Response<Messages>, Status> {
    let messages = request.into_inner();
    let echoed = stream::unfold(messages, |mut messages| async move {
        match messages.message().await {
            Ok(Some(message)) if message == "fail" => Some((Err(Status::aborted("as you wish")), messages)),
            Ok(Some(message)) => Some((Ok(message), messages)),
            Ok(None) => None,
            Err(status) => Some((Err(status), messages)),
        }
    });
    Ok(Response::new(Box::pin(echoed)))
}

/// A client, over one connection to `address`.
pub async fn client(address: SocketAddr) -> Client<Channel> {
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    Client::new(channel.http2_max_header_list_size(1 << 20).connect().await.unwrap())
}

/// The path of a method.
pub fn method(name: &str) -> PathAndQuery {
    format!("/test.Echo/{name}").parse().unwrap()
}

/// `client`, ready for one call.
pub async fn ready(client: &mut Client<Channel>) -> &mut Client<Channel> {
    client.ready().await.unwrap();
    client
}

/// Calls `Unary`.
pub async fn call(client: &Client<Channel>, message: impl Into<Bytes>) -> Result<Response<Bytes>, Status> {
    let mut client = client.clone();
    ready(&mut client).await.unary(Request::new(message.into()), method("Unary"), Raw).await
}

/// What is sent comes out as a stream.
pub fn channel() -> (mpsc::Sender<Bytes>, impl Stream<Item = Bytes> + Send + 'static) {
    let (sender, mut receiver) = mpsc::channel(16);
    (sender, stream::poll_fn(move |cx| receiver.poll_recv(cx)))
}
