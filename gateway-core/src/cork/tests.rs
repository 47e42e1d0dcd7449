use std::{future::poll_fn, io, net::Ipv4Addr, pin::Pin, sync::Arc, task::Poll, time::Duration};

use proptest::prelude::*;
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Handle, Runtime},
    task::yield_now,
    time::timeout,
};

use super::Corked;

const PATIENCE: Duration = Duration::from_secs(10);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A stream, and its other end; little fits between them.
async fn pair() -> (Corked, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let near = near.unwrap();
    SockRef::from(&near).set_send_buffer_size(4096).unwrap();
    (Corked::new(near), far.unwrap().0)
}

/// What comes until `count` bytes have.
async fn read(far: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut read = vec![0; count];
    timeout(PATIENCE, far.read_exact(&mut read)).await.unwrap().unwrap();
    read
}

/// Writes until the kernel takes no more; what went.
async fn fill(near: &mut Corked) -> usize {
    let (bytes, mut count) = ([b'-'; 5000], 0);
    poll_fn(|cx| {
        while let Poll::Ready(written) = Pin::new(&mut *near).poll_write(cx, &bytes) {
            count += written.unwrap();
        }
        Poll::Ready(())
    })
    .await;
    count
}

fn reset(far: &TcpStream) {
    SockRef::from(far).set_linger(Some(Duration::ZERO)).unwrap();
}

#[tokio::test]
async fn short_writes_of_a_turn_go_out_together_at_its_end() {
    let (mut near, mut far) = pair().await;
    let (mut other, mut other_far) = pair().await;
    for (hello, world) in [("he", "wor"), ("llo", "ld")] {
        near.write_all(hello.as_bytes()).await.unwrap();
        near.flush().await.unwrap();
        other.write_all(world.as_bytes()).await.unwrap();
    }
    assert_eq!((near.written(), near.sent()), (5, 0), "written as far as the writer knows");
    yield_now().await;
    assert_eq!((near.sent(), other.sent()), (5, 5));
    assert_eq!(read(&mut far, 5).await, b"hello");
    assert_eq!(read(&mut other_far, 5).await, b"world");
}

#[tokio::test]
async fn a_long_write_goes_out_at_once_behind_what_is_held() {
    let (mut near, mut far) = pair().await;
    near.write_all(b"short").await.unwrap();
    near.write_all(&[b'l'; 2100]).await.unwrap();
    assert_eq!(near.sent(), 2105);
    assert_eq!(read(&mut far, 2105).await[..6], *b"shortl");
}

#[tokio::test]
async fn a_full_house_ends_the_turn() {
    let mut streams = Vec::new();
    for _ in 0..33 {
        streams.push(pair().await);
    }
    for (near, _) in &mut streams {
        near.write_all(b"x").await.unwrap();
    }
    let sent: Vec<_> = streams.iter().map(|(near, _)| near.sent()).collect();
    assert_eq!(sent, [vec![1; 32], vec![0]].concat());
}

#[tokio::test]
async fn what_the_kernel_does_not_take_follows_when_it_does() {
    let (mut near, mut far) = pair().await;
    let filled = fill(&mut near).await;
    near.write_all(b"held").await.unwrap();
    near.flush().await.unwrap();
    yield_now().await;
    let stuck = poll_fn(|cx| Poll::Ready(Pin::new(&mut near).poll_flush(cx).is_pending())).await;
    assert!(stuck, "a flush waits for what is known to be stuck");
    let more = async {
        near.write_all(b" and more").await.unwrap();
        near.shutdown().await.unwrap();
    };
    let mut all = Vec::new();
    let (_, end) = tokio::join!(timeout(PATIENCE, more), timeout(PATIENCE, far.read_to_end(&mut all)));
    assert_eq!(end.unwrap().unwrap(), filled + 13);
    assert!(all.ends_with(b"-held and more"));
}

#[tokio::test]
async fn shutting_down_and_dropping_send_what_is_held() {
    for shut in [true, false] {
        let (mut near, mut far) = pair().await;
        near.write_all(b"last words").await.unwrap();
        if shut {
            near.shutdown().await.unwrap();
        } else {
            drop(near);
        }
        let mut all = Vec::new();
        timeout(PATIENCE, far.read_to_end(&mut all)).await.unwrap().unwrap();
        assert_eq!(all, b"last words");
    }
}

#[tokio::test]
async fn what_held_bytes_meet_is_told_once_to_the_next_who_asks() {
    for by_reading in [true, false] {
        let (mut near, far) = pair().await;
        reset(&far);
        drop(far);
        near.socket().readable().await.unwrap();
        near.write_all(b"lost").await.unwrap();
        yield_now().await;
        assert_eq!((near.written(), near.sent()), (4, 0), "nothing has gone");
        let told = if by_reading { near.read_u8().await.map(drop) } else { near.flush().await };
        let kind = told.unwrap_err().kind();
        assert!(matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe), "{kind}");
        near.flush().await.unwrap();
        assert!(near.write_all(&[0; 3000]).await.is_err(), "a broken connection takes nothing");
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_while_it_drains_leaves_no_task_and_no_memory() {
    let (mut near, _far) = pair().await;
    fill(&mut near).await;
    near.write_all(b"held").await.unwrap();
    yield_now().await;
    let draining = poll_fn(|cx| Poll::Ready(Pin::new(&mut near).poll_flush(cx).is_pending())).await;
    let tasks = Handle::current().metrics().num_alive_tasks();
    let writing = Arc::downgrade(&near.writing);
    yield_now().await;
    drop(near);
    yield_now().await;
    assert!(draining && writing.strong_count() == 0);
    assert_eq!(Handle::current().metrics().num_alive_tasks(), tasks - 1);
}

#[tokio::test]
async fn what_is_forgotten_does_not_go_out() {
    let (mut near, mut far) = pair().await;
    near.write_all(b"sent").await.unwrap();
    yield_now().await;
    near.write_all(b"unsent").await.unwrap();
    near.forget_held();
    drop(near);
    let mut all = Vec::new();
    timeout(PATIENCE, far.read_to_end(&mut all)).await.unwrap().unwrap();
    assert_eq!(all, b"sent");
}

#[test]
fn the_end_of_a_runtime_sends_what_is_held_and_leaves_nothing_behind() {
    let runtime = runtime();
    let (mut near, far) = runtime.block_on(pair());
    runtime.block_on(async { near.write_all(b"last").await.unwrap() });
    let turn = Arc::downgrade(near.writing.turn.as_ref().unwrap());
    let far = far.into_std().unwrap();
    drop(runtime);
    assert_eq!(near.sent(), 4, "there are no more turns");
    drop(near);
    assert_eq!(turn.strong_count(), 0);
    let mut all = Vec::new();
    far.set_nonblocking(false).unwrap();
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    io::Read::read_to_end(&mut &far, &mut all).unwrap();
    assert_eq!(all, b"last");
}

#[test]
fn where_tasks_do_not_take_turns_each_write_goes_out_at_once() {
    let threads = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    threads.block_on(async {
        let (mut near, mut far) = pair().await;
        near.write_all(b"now").await.unwrap();
        assert_eq!(near.sent(), 3);
        assert_eq!(read(&mut far, 3).await, b"now");
    });
}

#[test]
fn runtimes_of_one_thread_have_turns_of_their_own() {
    let (first, second) = (runtime(), runtime());
    let (mut near, mut far) = first.block_on(pair());
    let (mut other, mut other_far) = second.block_on(pair());
    drop(second.block_on(pair()));
    for _ in 0..2 {
        first.block_on(near.write_all(b"first")).unwrap();
        assert_eq!(first.block_on(read(&mut far, 5)), b"first");
        second.block_on(other.write_all(b"second")).unwrap();
        assert_eq!(second.block_on(read(&mut other_far, 6)), b"second");
    }
    drop((first, near, far));
    let third = runtime();
    let (mut near, mut far) = third.block_on(pair());
    third.block_on(near.write_all(b"third")).unwrap();
    assert_eq!(third.block_on(read(&mut far, 5)), b"third");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn bytes_arrive_whole_and_in_order(sizes in prop::collection::vec((1usize..6000, any::<bool>()), 1..40)) {
        let all: Vec<u8> = (0..=250).cycle().take(sizes.iter().map(|(size, _)| size).sum()).collect();
        let arrived = runtime().block_on(async {
            let (mut near, mut far) = pair().await;
            let writing = async {
                let mut rest = &all[..];
                for (size, pause) in &sizes {
                    let (now, later) = rest.split_at(*size);
                    near.write_all(now).await.unwrap();
                    if *pause {
                        near.flush().await.unwrap();
                        yield_now().await;
                    }
                    rest = later;
                }
                near.shutdown().await.unwrap();
            };
            let mut arrived = Vec::new();
            let (_, read) = tokio::join!(timeout(PATIENCE, writing), timeout(PATIENCE, far.read_to_end(&mut arrived)));
            read.unwrap().unwrap();
            arrived
        });
        prop_assert!(arrived == all);
    }
}
