//! One probe: a question to an endpoint, within a time, and what its answer says.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn, rt::Executor};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::Endpoint;
use crate::health::Outcome;

/// What an endpoint is asked.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) question: Question,
    /// How TLS is spoken; none: in clear.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// The server name, where it is not the endpoint's own.
    pub(super) sni: Option<String>,
    /// `Host`, where it is not the endpoint's own.
    pub(super) host: Option<String>,
    /// How long all of it may take.
    pub(super) timeout: Duration,
}

#[derive(Debug)]
pub(super) enum Question {
    /// A connection, and a TLS handshake where there is one.
    Connection,
    /// `GET` of a path. Only the head of the answer is read, so a body of any length costs nothing, and a redirect is a
    /// status like any other.
    Get { path: String, headers: HeaderMap },
    /// The gRPC health service (grpc.health.v1), for the server as a whole.
    Grpc,
}

/// The longest answer of a gRPC health service that is read.
const LONGEST_ANSWER: usize = 64 * 1024;

impl Probe {
    /// Asks `endpoint`.
    pub(super) async fn ask(&self, endpoint: &Endpoint) -> Outcome {
        timeout(self.timeout, self.try_ask(endpoint))
            .await
            .unwrap_or(Ok(Outcome::Timeout))
            .unwrap_or_else(|it| it)
    }

    /// `Err` is an outcome too, on the short way out.
    async fn try_ask(&self, endpoint: &Endpoint) -> Result<Outcome, Outcome> {
        let stream = TcpStream::connect(endpoint.address()).await.map_err(|_| Outcome::TcpFailure)?;
        let Some(config) = &self.tls else { return self.speak(stream, endpoint).await };
        let name = self.sni.as_deref().unwrap_or(endpoint.name());
        let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|_| Outcome::TcpFailure)?;
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
        self.speak(stream.map_err(|_| Outcome::TcpFailure)?, endpoint).await
    }

    async fn speak<I>(&self, stream: I, endpoint: &Endpoint) -> Result<Outcome, Outcome>
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let host = self.host.as_deref().unwrap_or(endpoint.name());
        match &self.question {
            Question::Connection => Ok(Outcome::Passed),
            Question::Get { path, headers } => get(stream, path, host, headers).await,
            Question::Grpc => check(stream, host, self.tls.is_some()).await,
        }
    }
}

async fn get<I>(stream: I, path: &str, host: &str, headers: &HeaderMap) -> Result<Outcome, Outcome>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut request = Request::new(Full::<Bytes>::default());
    *request.uri_mut() = path.parse().map_err(|_| Outcome::Failed)?;
    let host = HeaderValue::from_str(host).map_err(|_| Outcome::Failed)?;
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    request.headers_mut().extend(headers.clone());
    let mut builder = conn::http1::Builder::new();
    builder.max_buf_size(LONGEST_ANSWER);
    let opened = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = opened.map_err(|_| Outcome::TcpFailure)?;
    // The connection is driven here, so it ends with the probe.
    let response = beside(sender.send_request(request), connection).await;
    response.map(|response| Outcome::Status(response.status().as_u16())).map_err(|error| blame(&error))
}

async fn check<I>(stream: I, host: &str, tls: bool) -> Result<Outcome, Outcome>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let scheme = if tls { "https" } else { "http" };
    // A message of no bytes, with its flag and length: a request about the server as a whole.
    let mut request = Request::new(Full::new(Bytes::from_static(&[0; 5])));
    *request.method_mut() = Method::POST;
    let target = format!("{scheme}://{host}/grpc.health.v1.Health/Check");
    *request.uri_mut() = target.parse().map_err(|_| Outcome::Failed)?;
    let fields = [(header::CONTENT_TYPE, "application/grpc"), (header::TE, "trailers")];
    request.headers_mut().extend(fields.map(|(name, value)| (name, HeaderValue::from_static(value))));
    let tasks = Tasks::default();
    let opened = conn::http2::Builder::new(tasks.clone()).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = opened.map_err(|error| blame(&error))?;
    let asking = async {
        let response = sender.send_request(request).await.map_err(|error| blame(&error))?;
        serves(response).await
    };
    beside(asking, connection).await
}

/// Whether the health service says `SERVING`.
async fn serves(response: Response<Incoming>) -> Result<Outcome, Outcome> {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Ok(Outcome::Status(head.status.as_u16()));
    }
    let whole = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(|_| Outcome::Failed)?;
    let trailers = whole.trailers().cloned().unwrap_or_default();
    let status = trailers.get("grpc-status").or_else(|| head.headers.get("grpc-status"));
    let is_ok = status.is_some_and(|status| status == "0");
    // HealthCheckResponse { status: SERVING }: field 1, a varint, of value 1.
    let is_serving = whole.to_bytes().get(5..) == Some(&[0x08, 0x01]);
    Ok(if is_ok && is_serving { Outcome::Passed } else { Outcome::Failed })
}

/// What `asking` gives, while `connection` is driven.
async fn beside<T>(asking: impl Future<Output = T>, connection: impl Future) -> T {
    let mut asking = pin!(asking);
    tokio::select! {
        biased;
        answer = &mut asking => answer,
        // It is over, and who asks knows by itself.
        _ = connection => asking.await,
    }
}

fn blame(error: &hyper::Error) -> Outcome {
    if error.is_parse() { Outcome::Failed } else { Outcome::TcpFailure }
}

/// Runs what hyper's HTTP/2 spawns; all of it ends with the probe.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
{
    fn execute(&self, future: F) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(async move { drop(future.await) });
    }
}
