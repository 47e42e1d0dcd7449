//! One connection, from the name to the login.

use std::{pin::Pin, sync::Arc};

use gateway_core::{BoxError, upstream::TlsSettings};
use redis::{AsyncConnectionConfig, RedisConnectionInfo, RedisError, aio::MultiplexedConnection};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::AbortHandle,
};
use tokio_rustls::TlsConnector;

use super::{Server, Tls};

/// A connection that many calls share. Its task ends with it.
pub(super) struct Connection {
    pub(super) calls: MultiplexedConnection,
    driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Either of the two kinds of streams.
trait Stream: AsyncRead + AsyncWrite + Send {}
impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

/// Connects, logs in and chooses the database. It takes as long as the server likes: the caller keeps the time.
pub(super) async fn connect(server: &Server, queue: usize) -> Result<Connection, BoxError> {
    let stream = TcpStream::connect((server.host.as_str(), server.port)).await?;
    stream.set_nodelay(true)?;
    let stream: Pin<Box<dyn Stream>> = match &server.tls {
        Some(tls) => Box::pin(encrypted(stream, &server.host, tls).await?),
        None => Box::pin(stream),
    };
    // Time limits are the caller's.
    let config = AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(queue);
    let (calls, driver) = MultiplexedConnection::new_with_config(&login(server), stream, config).await?;
    let mut connection = Connection { calls, driver: tokio::spawn(driver).abort_handle() };
    greet(&mut connection.calls).await?;
    Ok(connection)
}

/// Who only listens is not there. Who says that it is not for us to greet is.
async fn greet(calls: &mut MultiplexedConnection) -> Result<(), RedisError> {
    match redis::cmd("PING").exec_async(calls).await {
        Err(error) if error.code() != Some("NOPERM") => Err(error),
        _ => Ok(()),
    }
}

async fn encrypted(
    stream: TcpStream,
    host: &str,
    tls: &Tls,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, BoxError> {
    let name = ServerName::try_from(tls.name.as_deref().unwrap_or(host).to_owned())?;
    let config = TlsSettings { verify: tls.verify, ..TlsSettings::default() }.client_config()?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
}

fn login(server: &Server) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default().set_db(i64::from(server.database)).set_skip_set_lib_name();
    // As in Kong a name without a password logs nobody in.
    if let Some(password) = &server.password {
        login = login.set_password(password);
        if let Some(username) = &server.username {
            login = login.set_username(username);
        }
    }
    login
}
