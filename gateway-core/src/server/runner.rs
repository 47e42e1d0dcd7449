//! Workers: threads with a runtime and listeners of their own.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    runtime,
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{error, info};

use super::{
    certificates::Certificates,
    connection::Connections,
    counters::{Counters, Snapshot},
    drain::{Drain, Phase},
    listen::Listen,
    listener::{self, BindError},
    serve::Serve,
    settings::Settings,
};

/// A server being put together: settings and addresses.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use gateway_core::{Body, ConnectInfo, server::{Server, Settings}};
/// use http::{Request, Response};
///
/// let hello = |_: &Arc<ConnectInfo>, _: Request<Body>| async { Response::new(Body::from("hello")) };
/// let server = Server::new(Settings::default()).listen("127.0.0.1:8000".parse()?).bind()?;
/// let stop = async { /* a signal */ };
/// server.start(move |_worker| hello)?.run(stop).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    listens: Vec<Listen>,
}

impl Server {
    /// A server that listens nowhere yet.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings, listens: Vec::new() }
    }

    /// Listens on `address` in clear: HTTP/1.1, and HTTP/2 with prior knowledge. Port 0 takes a free one.
    #[must_use]
    pub fn listen(self, address: SocketAddr) -> Self {
        self.listen_as(Listen::on(address))
    }

    /// Listens on `address` with TLS.
    #[must_use]
    pub fn listen_tls(self, address: SocketAddr, certificates: &Certificates) -> Self {
        self.listen_as(Listen::on(address).with_tls(certificates))
    }

    /// Listens as it is told: in clear or with TLS, behind proxies or not.
    #[must_use]
    pub fn listen_as(mut self, listen: Listen) -> Self {
        self.listens.push(listen);
        self
    }

    /// Opens the sockets of all workers. From here on the kernel takes connections.
    ///
    /// # Errors
    /// The first address that cannot be listened on; then none is.
    pub fn bind(self) -> Result<Bound, BindError> {
        let mut settings = self.settings;
        settings.workers = settings.workers.max(1);
        let mut workers: Vec<Vec<Socket>> = std::iter::repeat_with(Vec::new).take(settings.workers).collect();
        let mut addresses = Vec::with_capacity(self.listens.len());
        for listen in self.listens {
            let (local, listeners) = listener::bind(listen.address, &settings)?;
            addresses.push(local);
            for (sockets, listener) in workers.iter_mut().zip(listeners) {
                sockets.push(Socket { listener, listen: listen.clone() });
            }
        }
        Ok(Bound { settings, addresses, workers, drain: Drain::new() })
    }
}

#[derive(Debug)]
struct Socket {
    listener: StdListener,
    listen: Listen,
}

/// A server whose sockets are open.
#[derive(Debug)]
pub struct Bound {
    settings: Settings,
    addresses: Vec<SocketAddr>,
    workers: Vec<Vec<Socket>>,
    drain: Drain,
}

impl Bound {
    /// The addresses it listens on, in the order they were given, with the ports that were taken.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The handle that stops it.
    #[must_use]
    pub const fn drain(&self) -> &Drain {
        &self.drain
    }

    /// Starts the workers. `make` is called once in each worker's thread, within its runtime, with the
    /// number of the worker.
    ///
    /// # Errors
    /// When a thread or a runtime cannot be made; then all stop again.
    pub fn start<S: Serve>(self, make: impl Fn(usize) -> S + Send + Sync + 'static) -> io::Result<Running> {
        let make = Arc::new(make);
        let (exits, exited) = mpsc::channel(self.workers.len().max(1));
        let mut running =
            Running { drain: self.drain.clone(), counters: Vec::new(), exited, workers: 0, dead: Vec::new() };
        for (number, sockets) in self.workers.into_iter().enumerate() {
            let connections = Connections::new(&self.settings, &self.drain);
            let worker = Worker { number, sockets, connections, grace: self.settings.grace };
            running.counters.push(Arc::clone(worker.connections.counters()));
            worker.spawn(self.settings.stack_size, Arc::clone(&make), exits.clone())?;
            running.workers += 1;
        }
        Ok(running)
    }
}

/// A server that serves. Dropping it stops it at once.
#[derive(Debug)]
pub struct Running {
    drain: Drain,
    counters: Vec<Arc<Counters>>,
    exited: mpsc::Receiver<Exit>,
    workers: usize,
    dead: Vec<usize>,
}

#[derive(Debug)]
struct Exit {
    worker: usize,
    panicked: bool,
}

impl Running {
    /// The handle that stops it.
    #[must_use]
    pub const fn drain(&self) -> &Drain {
        &self.drain
    }

    /// The counters of each worker.
    #[must_use]
    pub fn counters(&self) -> &[Arc<Counters>] {
        &self.counters
    }

    /// The counters of all workers, added up.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.counters.iter().map(|counters| counters.snapshot()).sum()
    }

    /// Serves until `stop` is ready, drains, and waits for the end. More signals go to
    /// [`drain`](Self::drain) meanwhile. Gives the numbers of the workers that died on the way.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Vec<usize> {
        tokio::select! {
            () = stop => self.drain.begin(),
            () = self.finished() => {}
        }
        self.finished().await;
        std::mem::take(&mut self.dead)
    }

    /// Waits until every worker has ended: after a stop, or because all died. Cancel safe.
    pub async fn finished(&mut self) {
        while self.workers > 0 {
            // A worker that cannot say goodbye has ended too, as it held a sender.
            let Some(exit) = self.exited.recv().await else { return self.workers = 0 };
            self.workers -= 1;
            if exit.panicked {
                self.dead.push(exit.worker);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.drain.stop();
    }
}

struct Worker {
    number: usize,
    sockets: Vec<Socket>,
    connections: Connections,
    grace: Duration,
}

impl Worker {
    fn spawn<S, M>(self, stack_size: usize, make: Arc<M>, exits: mpsc::Sender<Exit>) -> io::Result<()>
    where
        S: Serve,
        M: Fn(usize) -> S + Send + Sync + 'static,
    {
        let worker = self.number;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let work = move || {
            let work = || runtime.block_on(self.work(&*make));
            let panicked = catch_unwind(AssertUnwindSafe(work)).is_err();
            runtime.shutdown_background();
            if panicked {
                error!(worker, "a worker died; the others go on");
            }
            // There is room for one message of each worker, unless nobody listens any more.
            let _ = exits.try_send(Exit { worker, panicked });
        };
        std::thread::Builder::new()
            .name(format!("worker-{worker}"))
            .stack_size(stack_size)
            .spawn(work)
            .map(drop)
    }

    async fn work<S: Serve>(self, make: &impl Fn(usize) -> S) {
        let Self { number, sockets, connections, grace } = self;
        let serve = make(number);
        let mut loops = JoinSet::new();
        for Socket { listener, listen } in sockets {
            match TcpListener::from_std(listener) {
                Ok(listener) => {
                    loops.spawn(listener::accept(listener, listen, connections.clone(), serve.clone()));
                }
                Err(error) => error!(%error, "a listener cannot be registered"),
            }
        }
        drop(serve);
        connections.drain().reached(Phase::Draining).await;
        while loops.join_next().await.is_some() {}
        wait_for_connections(&connections, grace).await;
        info!(worker = number, "worker stopped");
    }
}

/// Waits for the connections of this worker, for the grace at most; then cuts all.
async fn wait_for_connections(connections: &Connections, grace: Duration) {
    let drain = connections.drain();
    let quiet = || drain.quiet(|| connections.counters().active.load(Relaxed) == 0);
    tokio::select! {
        biased;
        () = quiet() => return,
        () = drain.reached(Phase::Stopped) => {}
        () = sleep(grace) => drain.stop(),
    }
    // What is cut ends at its next poll, a WebSocket once it has said goodbye; other tunnels end with the runtime.
    let _ = timeout(Duration::from_millis(500), quiet()).await;
}
