//! A relay in front of a server, that can be made to go wrong in the ways that machines do.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    Nothing,
    /// The process is gone: connections end, new ones are refused.
    Killed,
    /// Requests are taken, and acted on; answers never come.
    Hung,
    /// Requests are acted on; in place of the answer the connection is reset.
    Reset,
    /// Nobody reads, and new connections are never made.
    BlackHole,
    /// Answers come so much later.
    Slow(Duration),
    /// Of each answer only so many bytes come, then the end of the connection.
    Cut(usize),
    /// Answers come byte by byte, each so much later than the one before.
    Dribble(Duration),
}

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 64;

/// A relay. It ends with this value.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    fault: watch::Sender<Fault>,
    _relaying: JoinSet<()>,
}

impl Proxy {
    /// In front of `origin`, on a port of its own.
    pub(crate) fn start(origin: SocketAddr) -> io::Result<Self> {
        // Holds the port while nobody listens on it.
        let reserved = socket(([127, 0, 0, 1], 0).into())?;
        let address = reserved.local_addr()?;
        let (fault, seen) = watch::channel(Fault::Nothing);
        let listener = listen(address)?;
        let mut relaying = JoinSet::new();
        relaying.spawn(async move {
            let _reserved = reserved;
            run(address, listener, origin, seen).await;
        });
        Ok(Self { address, fault, _relaying: relaying })
    }

    /// From now on it goes wrong so.
    pub(crate) fn go_wrong(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    socket(address)?.listen(BACKLOG)
}

async fn run(address: SocketAddr, first: TcpListener, origin: SocketAddr, mut fault: watch::Receiver<Fault>) {
    let (mut listener, mut relays, mut filling) = (Some(first), JoinSet::new(), Vec::new());
    loop {
        let now = *fault.borrow_and_update();
        match now {
            Fault::Killed => listener = None,
            Fault::BlackHole => filling = fill(address).await,
            _ => {
                filling.clear();
                if listener.is_none() {
                    listener = listen(address).ok();
                }
            }
        }
        let accepted = async {
            match &listener {
                Some(listener) if now != Fault::BlackHole => listener.accept().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = fault.changed() => if changed.is_err() { return },
            accepted = accepted => if let Ok((near, _)) = accepted {
                relays.spawn(relay(near, origin, fault.clone()));
            },
            Some(_) = relays.join_next() => {}
        }
    }
}

/// Connections that take all places of the queue, so that no other is made.
async fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let mut filling = Vec::new();
    while let Ok(Ok(stream)) = timeout(Duration::from_millis(50), TcpStream::connect(address)).await {
        filling.push(stream);
        if filling.len() > 2 * BACKLOG as usize {
            break;
        }
    }
    filling
}

async fn relay(mut near: TcpStream, origin: SocketAddr, mut fault: watch::Receiver<Fault>) {
    let Ok(mut far) = TcpStream::connect(origin).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (mut up, mut down) = (vec![0; 16_384], vec![0; 16_384]);
    loop {
        let now = *fault.borrow_and_update();
        if now == Fault::Killed {
            return;
        }
        tokio::select! {
            changed = fault.changed() => if changed.is_err() { return },
            read = near.read(&mut up), if now != Fault::BlackHole => match read {
                Ok(count @ 1..) if far.write_all(&up[..count]).await.is_ok() => {}
                _ => return,
            },
            read = far.read(&mut down) => {
                let Ok(count @ 1..) = read else { return };
                match now {
                    Fault::Hung | Fault::BlackHole => continue,
                    Fault::Reset => {
                        let _ = near.set_zero_linger();
                        return;
                    }
                    Fault::Slow(time) => sleep(time).await,
                    Fault::Cut(most) => {
                        let _ = near.write_all(&down[..count.min(most)]).await;
                        return;
                    }
                    Fault::Dribble(time) => {
                        for byte in &down[..count] {
                            sleep(time).await;
                            if near.write_all(&[*byte]).await.is_err() {
                                return;
                            }
                        }
                        continue;
                    }
                    Fault::Nothing | Fault::Killed => {}
                }
                if near.write_all(&down[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}
