use std::{
    fs, io,
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use super::{AccessLog, Sink};
use crate::{ConnectInfo, observe::lines::FULL_AT, plugin::Exchange};

fn exchange() -> Exchange {
    Exchange::new(Arc::new(ConnectInfo::unknown()))
}

/// Keeps what is written; each write first waits for a word, or for the end of all words.
struct Gate {
    kept: Arc<Mutex<Vec<u8>>>,
    words: mpsc::Receiver<()>,
}

impl io::Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.words.recv().ok();
        self.kept.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gate() -> (Sink, Arc<Mutex<Vec<u8>>>, mpsc::Sender<()>) {
    let (sender, words) = mpsc::channel();
    let kept = Arc::default();
    (Sink::Writer(Box::new(Gate { kept: Arc::clone(&kept), words })), kept, sender)
}

fn lines(text: &[u8]) -> Vec<serde_json::Value> {
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[test]
fn the_end_of_the_log_writes_every_line_of_every_worker() {
    let (sink, kept, words) = gate();
    drop(words);
    let log = Arc::new(AccessLog::start(sink, 3).unwrap());
    std::thread::scope(|scope| {
        for shard in 0..3 {
            let log = &log;
            scope.spawn(move || (0..2000).for_each(|_| log.write(shard, &exchange())));
        }
    });
    let dropped = log.dropped();
    drop(log);
    assert_eq!(lines(&kept.lock().unwrap()).len() as u64 + dropped, 6000);
}

#[test]
fn a_sink_that_stands_still_costs_lines_but_no_time_and_they_are_counted() {
    let (sink, kept, words) = gate();
    let log = AccessLog::start(sink, 1).unwrap();
    let mut written = 0;
    while log.dropped() < 10 {
        log.write(0, &exchange());
        written += 1;
        assert!(written * 100 < 4 * FULL_AT, "memory has no bound");
    }
    let dropped = log.dropped();
    drop(words);
    drop(log);
    assert_eq!(lines(&kept.lock().unwrap()).len() as u64 + dropped, written as u64);
}

#[test]
fn a_sink_that_never_takes_anything_does_not_hold_up_the_end() {
    let (sink, _, _words) = gate();
    let log = AccessLog::start(sink, 1).unwrap();
    log.write(0, &exchange());
    let began = Instant::now();
    drop(log);
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_sink_that_fails_is_counted() {
    struct Broken;
    impl io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let log = AccessLog::start(Sink::Writer(Box::new(Broken)), 1).unwrap();
    log.write(0, &exchange());
    log.write(0, &exchange());
    let began = Instant::now();
    while log.dropped() < 2 {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_file_that_was_moved_away_is_made_anew_on_request() {
    let name = format!("access-log-{}", uuid::Uuid::new_v4());
    let path = std::env::temp_dir().join(name);
    let moved = path.with_extension("1");
    let log = AccessLog::start(Sink::File(path.clone()), 1).unwrap();
    log.write(0, &exchange());
    let began = Instant::now();
    while fs::read(&path).unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::rename(&path, &moved).unwrap();
    log.reopen();
    while !path.exists() {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(5));
    }
    log.write(0, &exchange());
    drop(log);
    let counts = [&path, &moved].map(|path| lines(&fs::read(path).unwrap()).len());
    assert_eq!(counts, [1, 1]);
    fs::remove_file(&path).unwrap();
    fs::remove_file(&moved).unwrap();
}
