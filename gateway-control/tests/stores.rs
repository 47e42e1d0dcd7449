//! Every store does the same; the embedded one stands damage.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod store;

use std::{cell::RefCell, fs, os::unix::fs::PermissionsExt, sync::LazyLock};

use gateway_control::store::{Embedded, History, Memory, Note, Revision, Store, StoreError};
use gateway_core::config::{Change, Service};
use store::{Directory, behaves, count, counted};

#[test]
fn memory_behaves() {
    behaves(128, Memory::new, |store| store);
}

#[test]
fn the_embedded_store_behaves_and_so_does_the_next_process() {
    let directories = RefCell::new(Vec::new());
    let fresh = || {
        let directory = Directory::new();
        let store = Embedded::open(directory.path()).unwrap();
        directories.borrow_mut().push(directory);
        store
    };
    let again = |store| {
        drop(store);
        Embedded::open(directories.borrow().last().unwrap().path()).unwrap()
    };
    behaves(24, fresh, again);
}

/// A store with so many counted changes.
fn filled(directory: &Directory, changes: u64) -> Embedded {
    let store = Embedded::open(directory.path()).unwrap();
    write(&store, changes);
    store
}

fn write(store: &impl Store, changes: u64) {
    let mut newest = *store.newest().borrow();
    for _ in 0..changes {
        newest = store.write(newest, &counted(newest.next()), &Note::new("test", "count")).unwrap();
    }
}

#[test]
fn one_process_has_it_and_the_other_is_told_who() {
    let directory = Directory::new();
    let first = Embedded::open(directory.path()).unwrap();
    let refused = Embedded::open(directory.path()).unwrap_err();
    let told = format!("{} is in use by process {}", directory.path().display(), std::process::id());
    assert_eq!(refused.to_string(), told);
    drop(first);
    Embedded::open(directory.path()).unwrap();
}

#[test]
fn only_the_owner_may_read_it() {
    let directory = Directory::new();
    let inside = directory.path().join("store");
    let store = Embedded::open(&inside).unwrap();
    write(&store, 1);
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(inside.clone()), 0o700);
    for file in ["store.redb", "copy.jsonl", "lock"] {
        assert_eq!(mode(inside.join(file)), 0o600, "{file}");
    }
}

#[test]
fn the_log_is_bounded_by_changes_and_by_bytes() {
    let [mut few, mut short] = [History::default(); 2];
    (few.revisions, short.bytes) = (7, 2_000);
    for history in [few, short] {
        let directory = Directory::new();
        let store = Embedded::open_with(directory.path(), history).unwrap();
        write(&store, 30);
        let entries = store.since(Revision::NONE, usize::MAX).unwrap();
        let kept: Vec<_> = entries.iter().map(|entry| entry.revision.get()).collect();
        let first = kept[0];
        assert!(kept.len() <= 7 && first > 20, "{kept:?}");
        assert!(kept.iter().copied().eq(first..=30));
        assert_eq!(store.at(Revision::new(first - 1)).unwrap(), Some(count(Revision::new(first - 1))));
        assert_eq!(store.at(Revision::new(first - 2)).unwrap(), None, "the way back is gone");
    }
}

#[test]
fn who_waits_hears_of_a_change() {
    let directory = Directory::new();
    let store = Embedded::open(directory.path()).unwrap();
    let mut newest = store.newest();
    assert!(!newest.has_changed().unwrap());
    write(&store, 1);
    assert!(newest.has_changed().unwrap());
    assert_eq!(*newest.borrow_and_update(), Revision::new(1));
}

/// The files of a store that was closed well.
static CLOSED: LazyLock<[(&str, Vec<u8>); 2]> = LazyLock::new(|| {
    let directory = Directory::new();
    drop(filled(&directory, 60));
    ["store.redb", "copy.jsonl"].map(|name| (name, fs::read(directory.path().join(name)).unwrap()))
});

/// Damages the first, opens the store, and tells what it has.
fn opened_after(damage: impl FnOnce(&mut Vec<u8>)) -> (Directory, Embedded) {
    let directory = Directory::new();
    let mut files = CLOSED.clone();
    damage(&mut files[0].1);
    for (name, bytes) in files {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    let store = Embedded::open(directory.path()).unwrap();
    (directory, store)
}

fn names(directory: &Directory) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_damaged_file_is_set_aside_and_its_copy_is_taken() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 5] = [
        ("no magic", |bytes| bytes[0] ^= 1),
        ("something else", |bytes| *bytes = b"services: []\n".repeat(1000)),
        ("cut", |bytes| bytes.truncate(bytes.len() / 3)),
        ("shorter than a header", |bytes| bytes.truncate(10)),
        ("zeros", |bytes| bytes.fill(0)),
    ];
    for (what, damage) in damages {
        let (directory, store) = opened_after(damage);
        let stored = store.read().unwrap();
        assert_eq!(stored.revision, Revision::new(60), "{what}");
        assert_eq!(stored.config, count(Revision::new(60)), "{what}");
        assert!(names(&directory).iter().any(|name| name.starts_with("store.redb.damaged-")), "{what}");
        assert!(store.since(Revision::NONE, 9).unwrap().is_empty(), "{what}: a new log");
        // It goes on, also in the next process.
        write(&store, 1);
        drop(store);
        let store = Embedded::open(directory.path()).unwrap();
        assert_eq!(store.read().unwrap().config, count(Revision::new(61)), "{what}");
    }
}

#[test]
fn a_flipped_bit_loses_nothing_wherever_it_is() {
    // A hundred places, all over the file.
    for place in 0..100 {
        let (_directory, store) = opened_after(|bytes| {
            let at = bytes.len() / 100 * place + place * 37 % 4096;
            let last = bytes.len() - 1;
            bytes[at.min(last)] ^= 1 << (place % 8);
        });
        let stored = store.read().unwrap();
        assert_eq!(stored.revision, Revision::new(60), "{place}");
        assert_eq!(stored.config, count(Revision::new(60)), "{place}");
    }
}

#[test]
fn a_store_that_is_gone_or_cut_to_nothing_goes_on_with_its_copy() {
    for empty in [false, true] {
        let directory = Directory::new();
        drop(filled(&directory, 3));
        let file = directory.path().join("store.redb");
        fs::remove_file(&file).unwrap();
        if empty {
            fs::write(&file, "").unwrap();
        }
        let store = Embedded::open(directory.path()).unwrap();
        assert_eq!(store.read().unwrap().config, count(Revision::new(3)));
        write(&store, 1);
        drop(store);
        let store = Embedded::open(directory.path()).unwrap();
        assert_eq!(store.read().unwrap().config, count(Revision::new(4)));
    }
}

#[test]
fn a_copy_that_nobody_understands_is_not_written_over_by_an_empty_store() {
    let directory = Directory::new();
    fs::write(directory.path().join("copy.jsonl"), "of another version\n").unwrap();
    drop(Embedded::open(directory.path()).unwrap());
    assert!(names(&directory).iter().any(|name| name.starts_with("copy.jsonl.damaged-")));
}

/// Lines of the copy that was written by `CLOSED`, with one of them damaged.
fn copy_damaged_at(line: usize) -> Vec<u8> {
    let mut lines: Vec<_> = CLOSED[1].1.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    lines[line - 1] = b"zzz\n".to_vec();
    lines.concat()
}

#[test]
fn a_damaged_copy_is_set_aside_wherever_something_takes_its_place() {
    for (what, database, line, left) in [
        ("both damaged, nothing of the copy left", Some(&b"random"[..]), 1, 0),
        ("both damaged", Some(&b"random"[..]), 5, 3),
        ("the store gone", None, 5, 3),
        ("the store gone, nothing of the copy left", None, 1, 0),
        ("the copy alone", Some(&CLOSED[0].1[..]), 5, 60),
    ] {
        let (directory, damaged) = (Directory::new(), copy_damaged_at(line));
        fs::write(directory.path().join("copy.jsonl"), &damaged).unwrap();
        if let Some(bytes) = database {
            fs::write(directory.path().join("store.redb"), bytes).unwrap();
        }
        let store = Embedded::open(directory.path()).unwrap();
        let stored = store.read().unwrap();
        assert_eq!(stored.config, count(Revision::new(left)), "{what}");

        let names = names(&directory);
        let aside: Vec<_> = names.iter().filter(|name| name.starts_with("copy.jsonl.damaged-")).collect();
        assert_eq!(aside.len(), 1, "{what}: {names:?}");
        assert_eq!(fs::read(directory.path().join(aside[0])).unwrap(), damaged, "{what}");

        let incomplete = store.incomplete(stored.revision);
        if left == 60 {
            assert_eq!((stored.revision, incomplete), (Revision::new(60), None), "{what}");
            continue;
        }
        // No number is given twice, and none that was given stands for something else.
        assert!(stored.revision > Revision::new(60), "{what}: {}", stored.revision);
        let incomplete = incomplete.unwrap();
        assert!(incomplete.lost > 50 && !incomplete.comes_back, "{what}: {incomplete:?}");
        write(&store, 1);
        drop(store);
        let store = Embedded::open(directory.path()).unwrap();
        assert_eq!(store.read().unwrap().revision, stored.revision.next(), "{what}");
        assert_eq!(store.incomplete(stored.revision), None, "{what}: what is there now is all there is");
    }
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let directory = Directory::new();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let refused = Embedded::open(directory.path()).unwrap_err().to_string();
    assert!(refused.contains("others may write to"), "{refused}");
}

#[test]
fn without_a_copy_a_damaged_store_begins_empty() {
    let directory = Directory::new();
    drop(filled(&directory, 3));
    fs::write(directory.path().join("store.redb"), "nothing").unwrap();
    fs::remove_file(directory.path().join("copy.jsonl")).unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    assert_eq!(store.read().unwrap().revision, Revision::NONE);
    write(&store, 1);
}

#[test]
fn a_lost_copy_is_written_again() {
    let directory = Directory::new();
    let store = filled(&directory, 3);
    let copy = directory.path().join("copy.jsonl");
    for damage in ["", "no copy\n"] {
        fs::write(&copy, damage).unwrap();
    }
    drop(store);
    drop(Embedded::open(directory.path()).unwrap());
    fs::write(directory.path().join("store.redb"), "nothing").unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    assert_eq!(store.read().unwrap().config, count(Revision::new(3)));
}

#[test]
fn the_copy_does_not_grow_without_end() {
    let directory = Directory::new();
    let store = Embedded::open(directory.path()).unwrap();
    let mut newest = Revision::NONE;
    // 6 MiB of changes to one entity.
    for _ in 0..60 {
        let mut change = counted(Revision::new(1));
        let service = change.services.values_mut().flatten().next().unwrap();
        let service = std::sync::Arc::make_mut(service);
        (service.tags, service.port) =
            (Some(vec!["x".repeat(100_000)]), u16::try_from(newest.get()).unwrap());
        newest = store.write(newest, &change, &Note::new("test", "long")).unwrap();
    }
    let length = fs::metadata(directory.path().join("copy.jsonl")).unwrap().len();
    assert!(length < 2 << 20, "{length}");
    let stored = store.read().unwrap();
    drop(store);
    fs::write(directory.path().join("store.redb"), "nothing").unwrap();
    assert_eq!(Embedded::open(directory.path()).unwrap().read().unwrap(), stored);
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error() {
    let directory = Directory::new();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(Embedded::open(file.join("store")), Err(StoreError::Io(_))));
}

#[test]
fn a_file_is_a_quarter_longer_than_what_is_in_it_or_a_little() {
    let directory = Directory::new();
    let store = Embedded::open(directory.path()).unwrap();
    let services: Vec<_> =
        (0..20_000).map(|number| Service::new(&format!("service-{number}"), "users.internal")).collect();
    let mut change = Change::default();
    change.services.extend(services.iter().map(|service| (service.id, Some(service.clone().into()))));
    let first = store.write(Revision::NONE, &change, &Note::new("test", "import")).unwrap();
    // What came stands in the entities and in the log.
    let document = serde_json::to_string(&change).unwrap().len() as u64;
    let file = || fs::metadata(directory.path().join("store.redb")).unwrap().len();
    let most = document * 2 + (document / 2).max(8 << 20) + (1 << 20);
    assert!(file() < most, "{} bytes for twice {document}", file());
    let entry = store.since(Revision::NONE, 1).unwrap().remove(0);
    assert_eq!((entry.revision, entry.change), (first, change), "a change in pieces is whole");

    // Of a long log the old goes, and its pages with it.
    drop(store);
    let mut history = History::default();
    history.revisions = 2;
    let store = Embedded::open_with(directory.path(), history).unwrap();
    let mut newest = first;
    for number in 0..2 {
        newest = store.write(newest, &counted(Revision::new(number)), &Note::new("test", "small")).unwrap();
    }
    assert_eq!(store.since(Revision::NONE, 9).unwrap().len(), 2);
    drop(store);
    let store = Embedded::open(directory.path()).unwrap();
    assert_eq!(store.read().unwrap().config.services.len(), 20_000 + 2);
    assert!(file() < document + (document / 4).max(8 << 20) + (1 << 20), "{} bytes for {document}", file());
}
