//! Kong's Admin API: as a node without a database answers it, and over a [store](crate::store) as one with a database.
//!
//! [`Admin`] serves it on an address of its own, by a thread and runtime of its own: it answers while the
//! workers are overloaded, and while they stop. [`router`] is the same as an axum router, to be mounted
//! elsewhere. Without tokens in its [`Access`] it has no login: bind it to loopback. A change is taken only by an address,
//! by `localhost` or by a name that `Access` knows, and not from the page of another site (D37).
//!
//! | file | answers |
//! |---|---|
//! | `absent` | `/cache`, `/clustering` |
//! | `access` | 401 to those who bring no token, where there are any |
//! | `browser` | 403 to what the page of another site sends |
//! | `root` | `/`, `/plugins/enabled`, `/timers` |
//! | `endpoints` | `/endpoints` |
//! | `status` | `/status`, `/status/ready` |
//! | `metrics` | `/metrics` |
//! | `declare` | `/config` |
//! | `conditional` | 304 and 412 to what is read and has, or has not, changed |
//! | `entities` | `/services`, `/routes` and all other lists, by the table in `kind` |
//! | `members` | who is in which group of consumers |
//! | `write` | POST, PUT, PATCH and DELETE of all of them; `/batch` |
//! | `history` | `/history`, `/rollback` |
//! | `feed` | `/changes` |
//! | `openapi` | `/openapi.json` |
//! | `log_level` | `/debug/node/log-level` |
//! | `explain` | `/explain` |
//! | `tags` | `/tags` |
//! | `health` | `/upstreams/{upstream}/health`, `.../targets/{target}/healthy` and `.../unhealthy` |
//! | `schemas` | `/schemas` |

mod absent;
mod access;
mod body;
mod browser;
mod conditional;
mod declare;
mod endpoints;
mod entities;
mod etag;
mod explain;
mod extract;
mod feed;
mod health;
mod history;
mod json;
mod kind;
mod linger;
mod log_level;
mod members;
mod metrics;
mod openapi;
mod page;
mod paths;
mod reply;
mod root;
mod router;
mod schemas;
mod status;
mod tags;
mod version;
mod write;

use std::{io, net::SocketAddr, sync::Arc};

use gateway_core::{
    Body,
    server::{BindError, Bound, Certificates, Running, Server, Settings, TowerServe},
};
use tower::ServiceExt;

pub use access::Access;
pub use router::{router, router_with};
pub use version::KONG_VERSION;

use crate::Control;

/// The Admin API on an address, not serving yet.
#[derive(Debug)]
pub struct Admin {
    bound: Bound,
    access: Access,
}

/// The Admin API, serving until dropped.
#[derive(Debug)]
pub struct AdminServer {
    addresses: Vec<SocketAddr>,
    _running: Running,
}

impl Admin {
    /// Listens on `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// When it cannot be listened on.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::on(server().listen(address))
    }

    /// The same over TLS. With certificates [`for_clients_of`](Certificates::for_clients_of) an anchor only its clients
    /// are answered.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_tls(address: SocketAddr, certificates: &Certificates) -> Result<Self, BindError> {
        Self::on(server().listen_tls(address, certificates))
    }

    fn on(server: Server) -> Result<Self, BindError> {
        Ok(Self { bound: server.bind()?, access: Access::default() })
    }

    /// The same for those whom `access` lets in.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Serves `control` on a thread of its own.
    ///
    /// # Errors
    /// When the thread or its runtime cannot be made.
    pub fn start(self, control: Arc<Control>) -> io::Result<AdminServer> {
        let addresses = self.bound.addresses().to_vec();
        let router = router_with(control, self.access)
            .map_request(linger::heard_out)
            .map_response(|response| response.map(Body::new));
        let running = self.bound.start(move |_| TowerServe(router.clone()))?;
        Ok(AdminServer { addresses, _running: running })
    }
}

/// One worker, and not more connections than an operator needs.
fn server() -> Server {
    let mut settings = Settings::default();
    settings.workers = 1;
    settings.max_connections = 1024;
    // A body has its time, however it is spread: what is late is told so.
    settings.timeouts.rate_grace = body::DEADLINE;
    Server::new(settings)
}

impl AdminServer {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.addresses.first().copied()
    }
}
