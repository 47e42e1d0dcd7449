//! Opening a connection to an endpoint.

use std::{io, sync::Arc, time::Duration};

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    Endpoint,
    interim::{Awaiting, Bounded},
    pool::{Connection, Driver, Key},
};
use crate::{
    Body,
    error::{Error, Reason},
    short_writes::ShortWrites,
};

/// Opens a connection and hands it to a task of the current runtime, which drives it until it closes.
///
/// # Errors
/// With the reason: refused, timed out, certificate refused, handshake failed.
pub(crate) async fn connect(endpoint: &Endpoint, key: Key<'_>, limit: Duration) -> Result<Connection, Error> {
    let opening = async {
        let stream = TcpStream::connect(endpoint.address()).await.map_err(refusal)?;
        stream.set_nodelay(true).map_err(refusal)?;
        match key.transport.config() {
            None => speak(ShortWrites(stream), key).await,
            Some(config) => {
                let name = server_name(key.sni)?;
                let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
                speak(stream.map_err(handshake_failure)?, key).await
            }
        }
    };
    timeout(limit, opening).await.unwrap_or_else(|_| Err(Reason::ConnectTimeout.into()))
}

async fn speak<I>(stream: I, key: Key<'_>) -> Result<Connection, Error>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_headers(200).max_header_size(64 * 1024).max_buf_size(64 * 1024);
    let awaiting = Awaiting::default();
    let stream = Bounded::new(stream, awaiting.clone());
    let (sender, connection) = builder
        .handshake::<_, Body>(TokioIo::new(stream))
        .await
        .map_err(|error| Error::new(Reason::ConnectFailed, error))?;
    // Its owner is the pool, or the exchange that borrows it: the task ends with it. What goes wrong
    // here reaches the exchange through the sender.
    let driver = Driver::new(&tokio::spawn(connection.with_upgrades()));
    Ok(Connection::new(sender, driver, awaiting, key))
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
