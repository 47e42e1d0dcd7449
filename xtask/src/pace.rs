//! An open-loop load generator: requests leave at a fixed rate whether or not answers come back.
//!
//! A latency counts from the moment when the request was due, so a stall of the proxy is seen by every request
//! that should have left during it (no coordinated omission). `h2load --rps` is not used: it sends in bursts, one
//! every 10 ms.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::Notify;
use tokio::task::{JoinSet, LocalSet};

use crate::Result;
use crate::bench::http::Client;
use crate::bench::stats::percentile;

/// After the last request was due, answers may take this long.
const GRACE: Duration = Duration::from_secs(2);

/// Send requests at a fixed rate and print the latencies as JSON (open loop)
#[derive(Args)]
pub(crate) struct Pace {
    /// The loopback port to send to
    #[arg(long)]
    port: u16,
    /// The request target
    #[arg(long, default_value = "/api/hello")]
    path: String,
    /// How many paths there are: `{}` in the path is each number below this in turn
    #[arg(long, default_value_t = 1)]
    spread: usize,
    /// Connections, all kept open
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Requests per second, all connections together
    #[arg(long)]
    rate: f64,
    /// How long to send
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

/// What a paced run saw.
#[derive(Serialize, Deserialize)]
pub(crate) struct Paced {
    /// Requests that were due.
    pub(crate) due: usize,
    /// Requests answered with 200.
    pub(crate) answered: usize,
    /// Requests answered with something else.
    pub(crate) wrong: usize,
    /// Median latency in microseconds, from the moment the request was due.
    pub(crate) p50_us: f64,
    /// 99th percentile of the same. A request without an answer counts as the two seconds that we wait for it.
    pub(crate) p99_us: f64,
}

impl Pace {
    pub(crate) async fn run(self) -> Result<()> {
        let paced = LocalSet::new().run_until(self.paced()).await?;
        println!("{}", serde_json::to_string(&paced)?);
        Ok(())
    }

    async fn paced(&self) -> Result<Paced> {
        let queue = Rc::new(Queue::default());
        let mut connections = JoinSet::new();
        for _ in 0..self.connections {
            let client = Client::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).await?;
            connections.spawn_local(answer_all(client, self.paths(), Rc::clone(&queue)));
        }
        let due = tokio::select! {
            due = self.send(&queue) => due?,
            Some(ended) = connections.join_next() => { ended??; return Err("a connection ended early".into()); }
        };
        // Connections still waiting for an answer are cut off: their requests count as unanswered.
        queue.close();
        let rest = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GRACE, rest).await;

        let mut latencies = queue.latencies.take();
        let (answered, wrong) = (latencies.len(), queue.wrong.get());
        // One without an answer has waited for as long as we have: left out, it would make the others look better.
        latencies.resize(answered.max(due.saturating_sub(wrong)), GRACE.as_secs_f64() * 1e6);
        latencies.sort_unstable_by(f64::total_cmp);
        Ok(Paced {
            due,
            answered,
            wrong,
            p50_us: percentile(&latencies, 0.50),
            p99_us: percentile(&latencies, 0.99),
        })
    }

    fn paths(&self) -> Rc<[String]> {
        (0..self.spread.max(1)).map(|number| self.path.replace("{}", &number.to_string())).collect()
    }

    /// Queues one request per tick; ticks that passed while asleep are caught up at once.
    async fn send(&self, queue: &Queue) -> Result<usize> {
        let period = Duration::try_from_secs_f64(1.0 / self.rate).map_err(|_| "--rate must be above 0")?;
        let all = (self.seconds * self.rate) as u32;
        let start = Instant::now();
        let mut timer = periodic(period)?;
        let mut due = 0;
        while due < all {
            for _ in 0..ticks(&mut timer).await? {
                due += 1;
                queue.push(start + period * due);
            }
        }
        Ok(due as usize)
    }
}

/// Requests that are due and not sent yet, and the latencies so far.
#[derive(Default)]
struct Queue {
    due: RefCell<VecDeque<Instant>>,
    closed: Cell<bool>,
    changed: Notify,
    latencies: RefCell<Vec<f64>>,
    wrong: Cell<usize>,
    /// How many requests were taken.
    taken: Cell<usize>,
}

impl Queue {
    fn push(&self, at: Instant) {
        self.due.borrow_mut().push_back(at);
        self.changed.notify_one();
    }

    fn close(&self) {
        self.closed.set(true);
        self.changed.notify_waiters();
    }

    /// When the next request is due, and its number.
    async fn next(&self) -> Option<(Instant, usize)> {
        loop {
            if let Some(at) = self.due.borrow_mut().pop_front() {
                return Some((at, self.taken.replace(self.taken.get() + 1)));
            }
            if self.closed.get() {
                return None;
            }
            self.changed.notified().await;
        }
    }
}

async fn answer_all(mut client: Client, paths: Rc<[String]>, queue: Rc<Queue>) -> Result<()> {
    while let Some((due, number)) = queue.next().await {
        let Some(path) = paths.get(number % paths.len()) else { continue };
        match client.get(path).await?.ok() {
            Ok(_) => queue.latencies.borrow_mut().push(due.elapsed().as_secs_f64() * 1e6),
            Err(_) => queue.wrong.set(queue.wrong.get() + 1),
        }
    }
    Ok(())
}

/// The ticks since the last look, at least one.
async fn ticks(timer: &mut Receiver) -> Result<u64> {
    let mut count = [0; 8];
    timer.read_exact(&mut count).await?;
    Ok(u64::from_ne_bytes(count))
}

/// A kernel timer that counts its ticks: tokio's own clock ticks once a millisecond, which would send in bursts.
///
/// A timerfd is read as a pipe is (timerfd_create(2): eight bytes, in the host's order), so tokio's pipe reads it.
fn periodic(period: Duration) -> Result<Receiver> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
    let period = Timespec::try_from(period)?;
    let spec = Itimerspec { it_interval: period, it_value: period };
    rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &spec)?;
    Ok(Receiver::from_owned_fd_unchecked(timer)?)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::upstream::{Answer, accept};

    fn pace(port: u16) -> Pace {
        Pace { port, path: "/{}".into(), spread: 3, connections: 4, rate: 500.0, seconds: 0.2 }
    }

    #[tokio::test]
    async fn every_request_that_was_due_is_answered() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(accept(listener, Answer::Fixed));
        let paced = LocalSet::new().run_until(pace(port).paced()).await.unwrap();
        server.abort();
        assert!(paced.due >= 100, "{}", paced.due);
        assert_eq!((paced.answered, paced.wrong), (paced.due, 0));
        assert!(paced.p50_us > 0.0 && paced.p50_us <= paced.p99_us);
    }

    #[tokio::test]
    async fn what_is_not_answered_counts_as_slow() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            // The first of the connections gets no answer, the others do.
            let silent = listener.accept().await;
            accept(listener, Answer::Fixed).await.map(|()| drop(silent))
        });
        let pace = Pace { seconds: 0.1, ..pace(port) };
        let paced = LocalSet::new().run_until(pace.paced()).await.unwrap();
        server.abort();
        assert_eq!(paced.answered + 1, paced.due);
        assert!(paced.p50_us < 1e6 && paced.p99_us >= 2e6, "{} {}", paced.p50_us, paced.p99_us);
    }

    #[tokio::test]
    async fn a_server_that_hangs_up_is_an_error() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        assert!(LocalSet::new().run_until(pace(port).paced()).await.is_err());
        server.abort();
    }
}
