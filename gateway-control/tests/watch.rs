//! A file that is followed: replaced, rewritten, broken, mended, gone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, mpsc},
    time::Duration,
};

use gateway_control::{Control, Loaded, Watch, WatchError};
use gateway_core::Gateway;
use kit::KONG;

type Reports = mpsc::Receiver<Result<Loaded, WatchError>>;

struct Followed {
    directory: PathBuf,
    file: PathBuf,
    control: Arc<Control>,
    reports: Reports,
    watch: Watch,
}

impl Followed {
    fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("gateway-watch-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&directory).unwrap();
        let file = directory.join("kong.yml");
        fs::write(&file, "_format_version: '3.0'\n").unwrap();
        Self::follow(directory, file)
    }

    fn follow(directory: PathBuf, file: PathBuf) -> Self {
        let control = Control::new(Gateway::builder().build().unwrap());
        let control = Arc::new(control.serving(&fs::read_to_string(&file).unwrap()));
        let (sender, reports) = mpsc::channel();
        let report = move |result| drop(sender.send(result));
        let watch = Watch::start(&file, Arc::clone(&control), report).unwrap();
        Self { directory, file, control, reports, watch }
    }

    /// Replaces the file, so that none of it is read before all is there.
    fn put(&self, text: &str) {
        let next = self.directory.join("next");
        fs::write(&next, text).unwrap();
        fs::rename(&next, &self.file).unwrap();
    }

    fn next(&self) -> Result<Loaded, WatchError> {
        self.reports.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    fn quiet(&self) {
        assert!(self.reports.recv_timeout(Duration::from_millis(300)).is_err());
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).ok();
    }
}

#[test]
fn a_file_written_in_place_is_picked_up() {
    let followed = Followed::new();
    fs::write(&followed.file, KONG).unwrap();
    assert_eq!(followed.next().unwrap().services, 2);
    assert_eq!(followed.control.config().services.len(), 2);
}

#[test]
fn a_file_that_is_replaced_is_picked_up_again_and_again() {
    let followed = Followed::new();
    for round in 1..4 {
        followed.put(&format!("{KONG}\n# round {round}\n"));
        assert_eq!(followed.next().unwrap().routes, 1);
    }
    assert_eq!(followed.control.loads().outcome().succeeded, 3);
}

#[cfg(unix)]
#[test]
fn a_link_that_is_swapped_as_kubernetes_does_is_picked_up() {
    use std::os::unix::fs::symlink;
    let directory = std::env::temp_dir().join(format!("gateway-watch-{}", uuid::Uuid::new_v4()));
    for (version, text) in [("v1", "_format_version: '3.0'\n"), ("v2", KONG)] {
        fs::create_dir_all(directory.join(version)).unwrap();
        fs::write(directory.join(version).join("kong.yml"), text).unwrap();
    }
    symlink("v1", directory.join("..data")).unwrap();
    symlink("..data/kong.yml", directory.join("kong.yml")).unwrap();
    let followed = Followed::follow(directory.clone(), directory.join("kong.yml"));
    symlink("v2", directory.join("..new")).unwrap();
    fs::rename(directory.join("..new"), directory.join("..data")).unwrap();
    assert_eq!(followed.next().unwrap().services, 2);
}

#[test]
fn a_wrong_file_is_told_once_and_the_old_one_stays() {
    let followed = Followed::new();
    followed.put(KONG);
    followed.next().unwrap();
    followed.put(&KONG.replace("paths:", "path:"));
    let WatchError::Refused { refusal, .. } = followed.next().unwrap_err() else { panic!("refused") };
    assert!(refusal.to_string().contains("did you mean `paths`?"), "{refusal}");
    assert_eq!(followed.control.config().routes.len(), 1);
    assert!(followed.control.loads().outcome().failure.is_some());
    followed.put(&KONG.replace("paths:", "path:"));
    followed.quiet();
    followed.put(&format!("{KONG}\n# mended\n"));
    followed.next().unwrap();
    assert_eq!(followed.control.loads().outcome().failure, None);
}

#[test]
fn what_changed_before_the_watching_is_not_missed() {
    let mut followed = Followed::new();
    followed.put(KONG);
    followed.next().unwrap();
    let control =
        Arc::new(Control::new(Gateway::builder().build().unwrap()).serving("_format_version: '3.0'"));
    let (sender, reports) = mpsc::channel();
    let report = move |result| drop(sender.send(result));
    followed.watch = Watch::start(&followed.file, control, report).unwrap();
    followed.reports = reports;
    assert_eq!(followed.next().unwrap().services, 2);
}

#[test]
fn another_file_does_not_undo_what_was_posted() {
    let followed = Followed::new();
    followed.control.load(KONG).unwrap();
    fs::write(followed.directory.join("other"), "x").unwrap();
    followed.quiet();
    assert_eq!(followed.control.config().services.len(), 2);
}

#[test]
fn a_touched_file_changes_nothing_but_a_signal_reads_it_again() {
    let followed = Followed::new();
    followed.put("_format_version: '3.0'\n");
    followed.quiet();
    followed.watch.reload();
    assert_eq!(followed.next().unwrap().services, 0);
}

#[test]
fn a_file_that_is_gone_is_told_once_and_taken_when_it_is_back() {
    let followed = Followed::new();
    fs::remove_file(&followed.file).unwrap();
    assert!(matches!(followed.next(), Err(WatchError::Unreadable { .. })));
    followed.quiet();
    followed.put(KONG);
    assert_eq!(followed.next().unwrap().services, 2);
}
