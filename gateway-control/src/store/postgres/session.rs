//! One connection to the database, and what it says unasked.

use std::{error::Error, future::poll_fn, time::Duration};

use tokio::{sync::mpsc, time::timeout};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Socket};

use super::{
    super::{Revision, StoreError},
    tables,
    tls::{Stream, Tls},
};

/// How long a connection may take, the first words on it included.
const CONNECT: Duration = Duration::from_secs(5);

/// How long one command may take. A large import is one.
const COMMAND: Duration = Duration::from_secs(30);

/// One connection to the database.
pub(super) struct Session {
    pub(super) client: Client,
    /// Ends with the connection.
    notices: mpsc::Receiver<()>,
}

impl Session {
    /// Connects, makes the tables where they are not there, and listens; `known` is the newest revision that was there.
    pub(super) async fn open(config: &Config, tls: &Tls, known: Revision) -> Result<Self, StoreError> {
        let mut config = config.clone();
        config.application_name("gateway").connect_timeout(CONNECT).keepalives_idle(Duration::from_secs(30));
        config.tcp_user_timeout(Duration::from_secs(20));
        let open = async {
            let (mut client, connection) = config.connect(tls.clone()).await?;
            let (sender, notices) = mpsc::channel(1);
            tokio::spawn(drive(connection, sender));
            tables::prepare(&mut client, known).await?;
            Ok(Self { client, notices })
        };
        timeout(CONNECT, open).await.map_err(|_| late())?
    }

    /// Returns once somebody has written; false when the connection has ended. Cancel safe.
    pub(super) async fn heard(&mut self) -> bool {
        self.notices.recv().await.is_some()
    }
}

/// What `ask` gives, if it gives it in time.
pub(super) async fn within<T>(ask: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(COMMAND, ask).await.map_err(|_| late())?
}

fn late() -> StoreError {
    StoreError::Unavailable("the database does not answer".to_owned())
}

/// Moves the connection on until it ends. Notices that nobody has taken yet are one.
async fn drive(mut connection: Connection<Socket, Stream>, notices: mpsc::Sender<()>) {
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if matches!(message, AsyncMessage::Notification(_)) {
            let _ = notices.try_send(());
        }
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Unavailable(chain(&error))
    }
}

/// An error with its causes.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
