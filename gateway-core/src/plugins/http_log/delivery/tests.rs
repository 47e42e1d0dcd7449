use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::{
    super::queue::{Limits, Queue},
    Destination, FAREWELL, Retries, deliver,
};

const MINUTE: Duration = Duration::from_secs(60);

const RETRIES: Retries =
    Retries { initial_delay: Duration::from_millis(10), max_delay: MINUTE, max_time: Some(MINUTE) };

/// A server that fails so often, and notes when it was asked for what.
struct Server {
    failures: usize,
    began: Instant,
    asked: Mutex<Vec<(u128, String)>>,
}

impl Server {
    fn failing(failures: usize) -> Arc<Self> {
        Arc::new(Self { failures, began: Instant::now(), asked: Mutex::default() })
    }

    fn asked(&self) -> Vec<(u128, String)> {
        self.asked.lock().unwrap().clone()
    }
}

impl Destination for Server {
    async fn send(&self, batch: &[Bytes]) -> Result<(), String> {
        let text: Vec<_> = batch.iter().map(|entry| String::from_utf8_lossy(entry).into_owned()).collect();
        let count = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((self.began.elapsed().as_millis(), text.join(" ")));
            asked.len()
        };
        if count > self.failures { Ok(()) } else { Err("no".to_owned()) }
    }
}

fn queue(batch: usize) -> Arc<Queue> {
    let coalescing = Duration::from_secs(1);
    Arc::new(Queue::new(Limits { batch, coalescing, entries: 10, bytes: usize::MAX }))
}

fn filled(batch: usize, entries: &[&'static str]) -> Arc<Queue> {
    let queue = queue(batch);
    entries.iter().for_each(|entry| queue.push(Bytes::from(*entry)));
    queue
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_fails_is_sent_again_after_delays_that_double_and_the_next_one_waits() {
    let (queue, server) = (filled(1, &["a", "b"]), Server::failing(3));
    queue.close();
    deliver(queue, Arc::clone(&server), RETRIES, 1).await;
    let asked = server.asked();
    let at: Vec<_> = asked.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [0, 10, 30, 70, 70]);
    assert_eq!(asked.iter().map(|(_, entry)| entry.as_str()).collect::<String>(), "aaaab");
}

#[tokio::test(start_paused = true)]
async fn delays_are_bounded_and_a_batch_is_given_up_once_its_time_is_over() {
    let (queue, server) = (filled(1, &["a"]), Server::failing(usize::MAX));
    let retries = Retries {
        initial_delay: Duration::from_secs(1),
        max_delay: Duration::from_secs(3),
        max_time: Some(Duration::from_secs(10)),
    };
    let delivery = tokio::spawn(deliver(Arc::clone(&queue), Arc::clone(&server), retries, 1));
    sleep(MINUTE).await;
    let at: Vec<_> = server.asked().iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [0, 1000, 3000, 6000, 9000, 12_000]);
    queue.close();
    delivery.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_retries_each_batch_has_one_try() {
    let (queue, server) = (filled(1, &["a", "b"]), Server::failing(usize::MAX));
    queue.close();
    deliver(queue, Arc::clone(&server), Retries { max_time: None, ..RETRIES }, 1).await;
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn entries_that_come_in_time_go_together() {
    let (queue, server) = (queue(3), Server::failing(0));
    let delivery = tokio::spawn(deliver(Arc::clone(&queue), Arc::clone(&server), RETRIES, 1));
    for entry in ["a", "b", "c", "d"] {
        sleep(Duration::from_millis(200)).await;
        queue.push(Bytes::from(entry));
    }
    sleep(MINUTE).await;
    assert_eq!(server.asked(), [(600, "a b c".to_owned()), (1800, "d".to_owned())]);
    queue.close();
    delivery.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_does_not_hold_the_end_up_for_longer_than_the_farewell() {
    struct Hangs;
    impl Destination for Hangs {
        async fn send(&self, _: &[Bytes]) -> Result<(), String> {
            pending().await
        }
    }
    let queue = filled(1, &["a", "b"]);
    queue.close();
    let began = Instant::now();
    deliver(queue, Arc::new(Hangs), RETRIES, 1).await;
    assert_eq!(began.elapsed(), FAREWELL);
}

#[tokio::test(start_paused = true)]
async fn several_batches_are_under_way_where_that_is_allowed() {
    struct Slow(Instant, Mutex<Vec<u64>>);
    impl Destination for Slow {
        async fn send(&self, _: &[Bytes]) -> Result<(), String> {
            sleep(Duration::from_secs(1)).await;
            self.1.lock().unwrap().push(self.0.elapsed().as_secs());
            Ok(())
        }
    }
    let queue = filled(1, &["a", "b", "c", "d", "e"]);
    queue.close();
    let server = Arc::new(Slow(Instant::now(), Mutex::default()));
    deliver(queue, Arc::clone(&server), RETRIES, 4).await;
    assert_eq!(*server.1.lock().unwrap(), [1, 1, 1, 1, 2]);
}
