//! Opening a connection to an endpoint.

use std::{io, sync::Arc, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::{
    Endpoint,
    http1::{Stream, Wire},
    pool::{Connection, Key},
};
use crate::{
    cork::Corked,
    error::{Error, Reason},
};

/// Opens a connection.
///
/// # Errors
/// With the reason: refused, timed out, certificate refused, handshake failed.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    key: Key<'_>,
    limit: Duration,
) -> Result<Box<Connection>, Error> {
    let opening = async { Ok(Connection::boxed(Wire::new(open_stream(endpoint, key).await?), key)) };
    timeout(limit, opening).await.unwrap_or_else(|_| Err(Reason::ConnectTimeout.into()))
}

/// Opens the stream of a connection.
///
/// # Errors
/// With the reason: refused, certificate refused, handshake failed, HTTP/2 is wanted and not spoken.
pub(crate) async fn open_stream(endpoint: &Endpoint, key: Key<'_>) -> Result<Stream, Error> {
    let stream = TcpStream::connect(endpoint.address()).await.map_err(refusal)?;
    stream.set_nodelay(true).map_err(refusal)?;
    let stream = Corked::new(stream);
    let Some(config) = key.transport.config() else { return Ok(Stream::Clear(stream)) };
    let name = server_name(key.sni)?;
    let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
    let stream = stream.map_err(handshake_failure)?;
    if key.transport.is_http2() && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(Error::new(Reason::TlsHandshake, "the endpoint does not offer HTTP/2 (ALPN `h2`)"));
    }
    Ok(Stream::Tls(Box::new(stream)))
}

fn server_name(name: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(name.to_owned()).map_err(|error| Error::new(Reason::TlsHandshake, error))
}

fn refusal(error: io::Error) -> Error {
    let reason = match error.kind() {
        io::ErrorKind::ConnectionRefused => Reason::ConnectRefused,
        io::ErrorKind::TimedOut => Reason::ConnectTimeout,
        _ => Reason::ConnectFailed,
    };
    Error::new(reason, error)
}

fn handshake_failure(error: io::Error) -> Error {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    let reason = match cause {
        Some(rustls::Error::InvalidCertificate(_)) => Reason::TlsVerify,
        _ => Reason::TlsHandshake,
    };
    Error::new(reason, error)
}
