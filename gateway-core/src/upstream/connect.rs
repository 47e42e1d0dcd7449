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
use crate::error::{Error, Reason};

/// Opens a connection.
///
/// # Errors
/// With the reason: refused, timed out, certificate refused, handshake failed.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    key: Key<'_>,
    limit: Duration,
) -> Result<Box<Connection>, Error> {
    let opening = async {
        let stream = TcpStream::connect(endpoint.address()).await.map_err(refusal)?;
        stream.set_nodelay(true).map_err(refusal)?;
        let stream = match key.transport.config() {
            None => Stream::Clear(stream),
            Some(config) => {
                let name = server_name(key.sni)?;
                let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
                Stream::Tls(Box::new(stream.map_err(handshake_failure)?))
            }
        };
        Ok(Connection::boxed(Wire::new(stream), key))
    };
    timeout(limit, opening).await.unwrap_or_else(|_| Err(Reason::ConnectTimeout.into()))
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
