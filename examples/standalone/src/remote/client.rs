//! A client of the Admin API: one request at a time, one connection each.

use std::{convert::Infallible, error::Error, io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use gateway_core::upstream::handshake_failure;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    body::Frame,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime,
    time::timeout,
};

use super::tls::Tls;
use crate::failure::Failure;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take: an import is compiled meanwhile.
const ANSWER: Duration = Duration::from_secs(600);

/// Bytes that are sent at once, between two looks at the progress.
const PIECE: usize = 64 << 10;

/// A client of the Admin API.
pub(super) struct Client {
    address: SocketAddr,
    /// The field that carries the token.
    authorization: Option<HeaderValue>,
    tls: Option<Tls>,
    runtime: runtime::Runtime,
}

/// In clear, or over TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

type Io = TokioIo<Box<dyn Stream>>;

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Of which state of the gateway it is, where it says so: `If-Match` of what is on top of it.
    pub(super) tag: Option<HeaderValue>,
    /// Null where there was no JSON.
    pub(super) json: Value,
}

impl Client {
    pub(super) fn new(address: SocketAddr, token: Option<&str>, tls: Option<Tls>) -> Result<Self, Failure> {
        let bearer = |token| HeaderValue::try_from(format!("Bearer {token}"));
        let mut authorization = token.map(bearer).transpose()?;
        authorization.iter_mut().for_each(|value| value.set_sensitive(true));
        Ok(Self {
            address,
            authorization,
            tls,
            runtime: runtime::Builder::new_current_thread().enable_all().build()?,
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.ask(Request::get(path).body(String::new())?, |_| {})
    }

    /// What is there; another status than 200 is a failure.
    pub(super) fn json(&self, path: &str) -> Result<Value, Failure> {
        Ok(self.known(path)?.json)
    }

    /// The same with its tag.
    pub(super) fn known(&self, path: &str) -> Result<Answer, Failure> {
        match self.get(path)?.ok()? {
            Answer { json: Value::Null, .. } => Err(self.stranger("its answer is no JSON")),
            answer => Ok(answer),
        }
    }

    /// Sends a request; `sent` hears how many bytes of its body have gone.
    pub(super) fn ask(
        &self,
        mut request: Request<String>,
        sent: impl Fn(u64) + Send + 'static,
    ) -> Result<Answer, Failure> {
        let length = request.body().len();
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.address.to_string().try_into()?);
        let name = HeaderValue::from_static(concat!("gateway/", env!("CARGO_PKG_VERSION")));
        headers.insert(header::USER_AGENT, name);
        headers.insert(header::CONTENT_LENGTH, length.into());
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let request = request.map(|body| pieces(body.into(), sent));
        let exchange = async {
            let (mut sender, connection) = self.connect().await?;
            tokio::spawn(connection);
            let broken = |error: hyper::Error| self.stranger(&causes(&error));
            let response = sender.send_request(request).await.map_err(broken)?;
            let (status, tag) = (response.status(), response.headers().get(header::ETAG).cloned());
            let text = response.into_body().collect().await.map_err(broken)?.to_bytes();
            Ok(Answer { status, tag, json: serde_json::from_slice(&text).unwrap_or_default() })
        };
        let late = |_| Failure::new(format!("{} does not answer", self.address));
        self.runtime.block_on(async { timeout(ANSWER, exchange).await.map_err(late)? })
    }

    async fn connect<B>(&self) -> Result<(SendRequest<B>, http1::Connection<Io, B>), Failure>
    where
        B: hyper::body::Body + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let nobody = |reason: String| {
            let address = self.address;
            let text = "no gateway has its Admin API at";
            Failure::new(format!("{text} {address} ({reason}); --admin or GATEWAY_ADMIN says where it is"))
        };
        let stream = timeout(CONNECT, self.stream()).await;
        let stream = stream.map_err(|_| nobody("no answer".to_owned()))?;
        let tls = |error: &io::Error| error.get_ref()?.downcast_ref().map(handshake_failure);
        let stream = stream.map_err(|error| match tls(&error) {
            // Somebody is there, and TLS does not come about.
            Some(reason) => self.stranger(&reason),
            None => nobody(error.to_string()),
        })?;
        Ok(http1::handshake(TokioIo::new(stream)).await?)
    }

    async fn stream(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(self.address).await?;
        match &self.tls {
            Some(Tls { connector, name }) => Ok(Box::new(connector.connect(name.clone(), stream).await?)),
            None => Ok(Box::new(stream)),
        }
    }

    /// Somebody answers there, but not as an Admin API that is spoken to like this.
    fn stranger(&self, reason: &str) -> Failure {
        let (address, hint) = (
            self.address,
            match self.tls {
                Some(_) => {
                    "--admin-ca, --admin-name, --admin-cert and --admin-key say how TLS is spoken to it"
                }
                None => "if it speaks TLS, say --admin-tls or --admin-ca",
            },
        );
        Failure::new(format!("cannot talk to the Admin API at {address}: {reason}; {hint}"))
    }

    /// Whether somebody listens there.
    pub(super) fn is_there(&self) -> bool {
        let connect = async { timeout(CONNECT, TcpStream::connect(self.address)).await };
        matches!(self.runtime.block_on(connect), Ok(Ok(_)))
    }
}

impl Answer {
    /// Itself, if it is a success.
    pub(super) fn ok(self) -> Result<Self, Failure> {
        if self.status.is_success() {
            return Ok(self);
        }
        let told = self.json.get("message").and_then(Value::as_str);
        let status = self.status;
        Err(Failure::new(match told {
            Some(_) if status == StatusCode::UNAUTHORIZED => format!(
                "the gateway asks for a token, and this is none of its own: --token or GATEWAY_ADMIN_TOKEN ({status})"
            ),
            Some(message) => format!("{message} ({status})"),
            None => format!("the gateway answered {status}"),
        }))
    }
}

/// An error with what it comes from.
fn causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

type Piece = Result<Frame<Bytes>, Infallible>;

fn pieces(
    body: Bytes,
    sent: impl Fn(u64) + Send + 'static,
) -> StreamBody<impl futures_util::Stream<Item = Piece> + Send> {
    let mut gone = 0;
    let mut rest = body;
    StreamBody::new(futures_util::stream::iter(std::iter::from_fn(move || {
        let piece = rest.split_to(PIECE.min(rest.len()));
        gone += piece.len() as u64;
        sent(gone);
        (!piece.is_empty()).then(|| Ok(Frame::data(piece)))
    })))
}
