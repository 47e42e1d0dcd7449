//! Connections to Redis: one for each server, kept for all that count there.

mod client;
mod connect;
#[cfg(test)]
mod faults;
#[cfg(test)]
pub(crate) mod server;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

pub(crate) use client::Client;

/// A server, and how it is spoken to.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// For a connection, and for each answer.
    pub(crate) timeout: Duration,
    username: Option<String>,
    password: Option<String>,
    database: u32,
    tls: Option<Tls>,
}

/// How a server's certificate is looked at.
#[derive(Clone, PartialEq, Eq)]
struct Tls {
    verify: bool,
    name: Option<String>,
}

impl From<&plugin_contract::ratelimit::Redis<'_>> for Server {
    fn from(redis: &plugin_contract::ratelimit::Redis<'_>) -> Self {
        let owned = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let tls = redis.tls.then(|| Tls { verify: redis.verify, name: owned(redis.server_name) });
        Self {
            host: redis.host.to_owned(),
            port: redis.port,
            timeout: Duration::from_millis(u64::from(redis.timeout.max(1))),
            username: owned(redis.username),
            password: owned(redis.password),
            database: redis.database,
            tls,
        }
    }
}

/// Without what is secret.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{};{}", self.host, self.port, self.database)
    }
}

/// The clients in use, so that all who count in a server share one.
#[derive(Debug, Default)]
pub(crate) struct Clients(Mutex<Vec<Weak<Client>>>);

impl Clients {
    /// The client of `server`, made where there is none.
    pub(crate) fn of(&self, server: Server) -> Arc<Client> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| client.strong_count() > 0);
        if let Some(known) = clients.iter().filter_map(Weak::upgrade).find(|client| client.server == server) {
            return known;
        }
        let client = Client::new(server);
        clients.push(Arc::downgrade(&client));
        client
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use plugin_contract::ratelimit::Redis;

    use super::{Clients, Server};

    /// A server of this machine.
    pub(crate) fn redis(port: u16) -> Redis<'static> {
        Redis {
            host: "127.0.0.1",
            port,
            timeout: 2_000,
            username: None,
            password: None,
            database: 0,
            tls: false,
            verify: false,
            server_name: None,
            sync: None,
        }
    }

    #[test]
    fn who_speaks_alike_to_a_server_shares_a_client() {
        let clients = Clients::default();
        let one = clients.of((&redis(1)).into());
        assert!(std::sync::Arc::ptr_eq(&one, &clients.of((&redis(1)).into())));
        let other = Redis { password: Some("secret"), ..redis(1) };
        assert!(!std::sync::Arc::ptr_eq(&one, &clients.of((&other).into())));
        assert!(!format!("{:?}", Server::from(&other)).contains("secret"));
    }
}
