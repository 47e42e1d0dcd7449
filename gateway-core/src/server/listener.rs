//! Sockets that listen, and the loop that accepts.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    pin::pin,
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tracing::warn;

use super::{
    connection::Connections,
    drain::{Entered, Phase},
    farewell::refuse,
    listen::Listen,
    serve::Serve,
    settings::{PortUse, Settings},
};
use crate::{ConnectInfo, cork::Corked};

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {hint}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    hint: &'static str,
    #[source]
    source: io::Error,
}

impl BindError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        let hint = match source.kind() {
            io::ErrorKind::AddrInUse => "the port is in use",
            io::ErrorKind::PermissionDenied => {
                "not permitted; ports below 1024 need a privilege on many systems"
            }
            io::ErrorKind::AddrNotAvailable => "this machine does not have the address",
            _ => "the system refused",
        };
        Self { address, hint, source }
    }

    /// What the system said.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

/// Bytes that the kernel holds unsent for one connection. Without such a bound a slow reader's socket takes
/// nothing for long, until a third of a buffer of megabytes has gone, and looks like one that reads nothing.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 << 10;

/// Binds `address` once for each worker; the kernel spreads connections over them. Port 0 takes
/// a free port, the same for all.
///
/// `SO_REUSEPORT` would let a second gateway of the same user listen too, and steal half of the
/// connections; so [`PortUse::Exclusive`] first binds without it.
pub(super) fn bind(
    address: SocketAddr,
    settings: &Settings,
) -> Result<(SocketAddr, Vec<StdListener>), BindError> {
    let fail = |source| BindError::new(address, source);
    if settings.port_use == PortUse::Exclusive && address.port() != 0 {
        drop(open(address, settings, PortUse::Exclusive).map_err(fail)?);
    }
    let first = open(address, settings, PortUse::Shared).map_err(fail)?;
    let local = first.local_addr().map_err(fail)?;
    let more = (1..settings.workers).map(|_| open(local, settings, PortUse::Shared));
    let listeners = std::iter::once(Ok(first)).chain(more).collect::<Result<_, _>>();
    Ok((local, listeners.map_err(fail)?))
}

fn open(address: SocketAddr, settings: &Settings, port_use: PortUse) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // So that 0.0.0.0 and [::] can stand beside each other.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    if port_use == PortUse::Shared {
        socket.set_reuse_port(true)?;
    }
    // Accepted sockets inherit these, which saves two calls for each.
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(UNSENT)?;
    socket.set_tcp_keepalive(&keep_alive(settings.tcp_keep_alive))?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(settings.backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

fn keep_alive(time: Duration) -> TcpKeepalive {
    TcpKeepalive::new().with_time(time).with_interval(time / 4).with_retries(3)
}

/// Accepts until a stop begins, and then what the kernel has accepted already.
pub(super) async fn accept(
    listener: TcpListener,
    listen: Listen,
    connections: Connections,
    serve: impl Serve,
) {
    let begin = |(stream, peer)| start(stream, peer, &listen, &connections, &serve);
    let mut stop = pin!(connections.drain().reached(Phase::Draining));
    let mut pause = Pause::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let Err(error) = accepted.map(begin) else {
            pause = Pause::default();
            continue;
        };
        connections.counters().accept_errors.fetch_add(1, Relaxed);
        if is_of_one_connection(&error) {
            continue;
        }
        let pause = pause.next();
        warn!(%error, ?pause, "cannot accept");
        tokio::select! {
            () = &mut stop => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    accept_the_rest(listener, begin);
}

/// Takes what waits in the kernel's queue. Asked without tokio, which would answer by the events that it
/// has seen, and a connection may be in the queue before its event is.
fn accept_the_rest(listener: TcpListener, begin: impl Fn((TcpStream, SocketAddr))) {
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, peer)) = listener.accept() {
        if let Ok(stream) = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
            begin((stream, peer));
        }
    }
}

fn start(
    stream: TcpStream,
    peer: SocketAddr,
    listen: &Listen,
    connections: &Connections,
    serve: &impl Serve,
) {
    let entered = connections.admit();
    // A socket that has no address any more is closed already, and will say so.
    let info = ConnectInfo::new(peer, stream.local_addr().unwrap_or(peer));
    let stream = Corked::new(stream);
    let (connections, serve) = (connections.clone(), serve.clone());
    match (entered, listen.certificates.clone()) {
        (Some(entered), _) if listen.proxies.is_some() => {
            tokio::spawn(proxied(stream, info, listen.clone(), connections, serve, entered));
        }
        (Some(entered), Some(certificates)) => {
            tokio::spawn(async move { connections.tls(stream, info, &certificates, serve, entered).await });
        }
        (Some(entered), None) => {
            tokio::spawn(async move { connections.clear(stream, info, serve, entered).await });
        }
        (None, None) => drop(tokio::spawn(refuse(stream))),
        // Before a handshake there is no way to say why.
        (None, Some(_)) => drop(stream),
    }
}

/// One that comes through a proxy. A task of its own kind, and its parts in boxes: neither it nor the others carry
/// room for what it does at its beginning.
async fn proxied(
    mut stream: Corked,
    info: ConnectInfo,
    listen: Listen,
    connections: Connections,
    serve: impl Serve,
    entered: Entered,
) {
    let trusted = listen.proxies.unwrap_or_default();
    let Some(info) = Box::pin(connections.read_proxy_head(&mut stream, info, &trusted)).await else { return };
    match &listen.certificates {
        Some(certificates) => Box::pin(connections.tls(stream, info, certificates, serve, entered)).await,
        None => Box::pin(connections.clear(stream, info, serve, entered)).await,
    }
}

/// How long to wait before the next accept after one failed: a loop without it spins as long as
/// there are no descriptors.
#[derive(Debug, Default)]
struct Pause(Duration);

impl Pause {
    fn next(&mut self) -> Duration {
        self.0 = (self.0 * 2).clamp(Duration::from_millis(50), Duration::from_secs(1));
        self.0
    }
}

/// Whether the next accept may well succeed (accept(2), "Error handling").
fn is_of_one_connection(error: &io::Error) -> bool {
    use Errno as E;
    let passing = [
        E::CONNABORTED,
        E::CONNRESET,
        E::INTR,
        E::PERM,
        E::PROTO,
        E::NETDOWN,
        E::NETUNREACH,
        E::HOSTUNREACH,
        E::HOSTDOWN,
        E::NOPROTOOPT,
        E::OPNOTSUPP,
    ];
    Errno::from_io_error(error).is_some_and(|error| passing.contains(&error))
}

#[cfg(test)]
mod tests {
    use super::{Pause, bind, is_of_one_connection};
    use crate::server::{PortUse, Settings};
    use std::{io, time::Duration};

    #[test]
    fn pauses_grow_to_a_second() {
        let mut pause = Pause::default();
        let pauses: Vec<_> = std::iter::repeat_with(|| pause.next()).take(7).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000].map(Duration::from_millis));
    }

    #[test]
    fn no_descriptors_is_not_the_fault_of_one_connection() {
        let error = |errno: rustix::io::Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        assert!(is_of_one_connection(&error(rustix::io::Errno::CONNABORTED)));
        assert!(!is_of_one_connection(&error(rustix::io::Errno::MFILE)));
        assert!(!is_of_one_connection(&error(rustix::io::Errno::NFILE)));
    }

    #[test]
    fn workers_share_a_port_and_a_second_server_is_refused_by_its_address() {
        let mut settings = Settings { workers: 3, ..Settings::default() };
        let (address, listeners) = bind("127.0.0.1:0".parse().unwrap(), &settings).unwrap();
        assert_eq!(listeners.len(), 3);
        let error = bind(address, &settings).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(error.to_string(), format!("cannot listen on {address}: the port is in use"));
        settings.port_use = PortUse::Shared;
        assert!(bind(address, &settings).is_ok());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_accepted_socket_holds_little_unsent() {
        let settings = Settings { workers: 1, ..Settings::default() };
        let (address, listeners) = bind("127.0.0.1:0".parse().unwrap(), &settings).unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        listeners[0].set_nonblocking(false).unwrap();
        let (stream, _) = listeners[0].accept().unwrap();
        assert_eq!(socket2::SockRef::from(&stream).tcp_notsent_lowat().unwrap(), super::UNSENT);
    }
}
