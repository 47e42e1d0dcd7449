//! The store in PostgreSQL, against a real one that the test starts, kills and starts again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;
#[path = "store/server.rs"]
mod server;
mod store;

use std::{
    cell::RefCell,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use gateway_control::{
    Expire,
    store::{Note, Postgres, Revision, Store, StoreError},
};
use kit::Node;
use serde_json::json;
use server::{Server, until};
use store::{Directory, behaves, count, counted};

fn write(store: &Postgres) -> Result<Revision, StoreError> {
    let newest = *store.newest().borrow();
    store.write(newest, &counted(newest.next()), &Note::new("test", "count"))
}

#[test]
fn it_behaves_and_so_does_the_next_process() {
    let Some(server) = Server::start() else { return };
    let places = RefCell::new(Vec::new());
    let fresh = || {
        let (url, directory) = (server.schema(), Directory::new());
        let store = Postgres::open(&url, directory.path()).unwrap();
        places.borrow_mut().push((url, directory));
        store
    };
    let again = |store| {
        drop(store);
        let places = places.borrow();
        let (url, directory) = places.last().unwrap();
        Postgres::open(url, directory.path()).unwrap()
    };
    behaves(16, fresh, again);
}

#[test]
fn what_one_gateway_writes_the_others_hear() {
    let Some(server) = Server::start() else { return };
    let (url, directories) = (server.schema(), [Directory::new(), Directory::new()]);
    let [one, other] = [0, 1].map(|number| Postgres::open(&url, directories[number].path()).unwrap());
    for number in 1..=20 {
        let writer = if number % 2 == 0 { &one } else { &other };
        let revision = Revision::new(number);
        assert_eq!(write(writer).unwrap(), revision);
        until("both know", || [&one, &other].iter().all(|store| *store.newest().borrow() == revision));
    }
    assert_eq!(one.read().unwrap(), other.read().unwrap());
    assert_eq!(one.read().unwrap().config, count(Revision::new(20)));
    let late =
        one.write(Revision::new(19), &counted(Revision::new(7)), &Note::new("test", "late")).unwrap_err();
    assert!(matches!(late, StoreError::Conflict { newest } if newest == Revision::new(20)), "{late}");
}

#[test]
fn signs_of_life_are_counted_together_and_no_revisions() {
    let Some(server) = Server::start() else { return };
    let (url, directories) = (server.schema(), [Directory::new(), Directory::new()]);
    let [one, other] = [0, 1].map(|number| Postgres::open(&url, directories[number].path()).unwrap());
    let targets = [0, 1].map(|_| uuid::Uuid::new_v4());
    assert!(one.renewals(&targets).unwrap().is_empty());
    assert_eq!(one.renew(&targets).unwrap().len(), 2);
    assert_eq!(other.renew(&targets[..1]).unwrap()[&targets[0]], 2);
    let counts = one.renewals(&targets).unwrap();
    assert_eq!((counts[&targets[0]], counts[&targets[1]]), (2, 1));
    assert_eq!(*one.newest().borrow(), Revision::NONE);
    drop(one);
    let again = Postgres::open(&url, directories[0].path()).unwrap();
    assert!(again.renewals(&targets).unwrap().is_empty(), "no entities: forgotten");
}

#[test]
fn one_that_another_instance_hears_stays_until_nobody_does() {
    let Some(server) = Server::start() else { return };
    let (url, directories) = (server.schema(), [Directory::new(), Directory::new()]);
    let open = |number: usize| Arc::new(Postgres::open(&url, directories[number].path()).unwrap());
    let [hears, knows] = [0, 1].map(|number| Node::over(open(number)));
    let follow = gateway_control::Follow::start(Arc::clone(&knows.control), drop).unwrap();
    hears.made(201, "POST", "/upstreams", &json!({ "name": "pool" }));
    let target = json!({ "target": "127.0.0.1:1", "ttl": 1 });
    hears.made(201, "POST", "/upstreams/pool/targets", &target);
    let path = "/upstreams/pool/targets/127.0.0.1:1";
    until("the other knows it", || knows.get(path).status == 200);

    let (looks, looked) = std::sync::mpsc::channel();
    let expire = Expire::start(Arc::clone(&knows.control), move |result| drop(looks.send(result))).unwrap();
    let other = Expire::start(Arc::clone(&hears.control), drop).unwrap();
    // Longer than the other waits twice.
    for _ in 0..70 {
        hears.made(200, "POST", "/upstreams/pool/targets", &target);
        thread::sleep(Duration::from_millis(100));
    }
    assert!(looked.try_recv().is_err(), "it has given up");
    // The one that hears is away: the other gives it up alone.
    drop((other, hears));
    assert!(matches!(looked.recv_timeout(Duration::from_secs(30)), Ok(Ok(1))));
    assert_eq!(knows.get(path).status, 404);
    drop((expire, follow));
}

#[test]
fn with_the_database_away_it_goes_on_with_its_copy_and_comes_back() {
    let Some(mut server) = Server::start() else { return };
    let (url, directories) = (server.schema(), [Directory::new(), Directory::new()]);
    let store = Postgres::open(&url, directories[0].path()).unwrap();
    (1..=5).for_each(|number| assert_eq!(write(&store).unwrap(), Revision::new(number)));
    let stored = store.read().unwrap();
    assert_eq!(stored.revision, Revision::new(5));
    // The copy is written behind the answer.
    drop(store);
    let store = Postgres::open(&url, directories[0].path()).unwrap();
    server.kill();

    until("it is noticed", || matches!(write(&store), Err(StoreError::Unavailable(_))));
    assert_eq!(store.read().unwrap(), stored, "what was kept last");
    let second = Postgres::open(&url, directories[1].path()).unwrap_err();
    assert!(
        matches!(second, StoreError::Unavailable(_)),
        "without a copy there is nothing to serve: {second}"
    );
    drop(store);
    let store = Postgres::open(&url, directories[0].path()).unwrap();
    assert_eq!(store.read().unwrap(), stored, "a start without the database");
    assert_eq!(*store.newest().borrow(), stored.revision);

    server.run();
    let second = Postgres::open(&url, directories[1].path()).unwrap();
    assert_eq!(write(&second).unwrap(), Revision::new(6), "nothing was lost");
    until("it has heard of it", || *store.newest().borrow() == Revision::new(6));
    assert_eq!(store.since(stored.revision, 9).unwrap().len(), 1);
    until("it writes again", || write(&store).is_ok());
    assert_eq!(store.read().unwrap().config, count(Revision::new(7)));
}

/// Damages a line of the copy, and gives all of it back as it is then.
fn damage(directory: &Directory, line: usize) -> Vec<u8> {
    let path = directory.path().join("postgres.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let damaged: String = text
        .split_inclusive('\n')
        .zip(1..)
        .map(|(text, number)| if number == line { format!("{}zzz\n", &text[..20]) } else { text.to_owned() })
        .collect();
    fs::write(&path, &damaged).unwrap();
    damaged.into_bytes()
}

fn set_aside(directory: &Directory) -> Vec<Vec<u8>> {
    let files = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let aside = files.filter(|path| path.to_string_lossy().contains("postgres.jsonl.damaged-"));
    aside.map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn with_a_damaged_copy_a_node_is_not_ready_until_the_database_is_back() {
    let Some(mut server) = Server::start() else { return };
    let (url, directory) = (server.schema(), Directory::new());
    let store = Postgres::open(&url, directory.path()).unwrap();
    (1..=9).for_each(|number| assert_eq!(write(&store).unwrap(), Revision::new(number)));
    drop(store);
    // The copy is written behind the answer.
    drop(Postgres::open(&url, directory.path()).unwrap());
    server.kill();
    let damaged = damage(&directory, 6);

    // Each start says so, as long as there is nothing better.
    drop(Postgres::open(&url, directory.path()).unwrap());
    let store = Arc::new(Postgres::open(&url, directory.path()).unwrap());
    let left = store.read().unwrap();
    assert_eq!(left.revision, Revision::NONE, "what is left of it is no revision");
    assert_ne!(left.config, count(Revision::new(9)));
    let node = Node::over(Arc::clone(&store) as Arc<dyn Store>);
    let follow = gateway_control::Follow::start(Arc::clone(&node.control), drop).unwrap();
    let lost = store.incomplete(Revision::NONE).unwrap().lost;
    assert!(lost >= 4, "{lost}");
    node.get("/status/ready").is(
        503,
        &json!({
            "message": "the configuration is incomplete: its copy is damaged, and the database is away",
            "incomplete": format!("the database is away, and its copy is damaged (lost lines: {lost})"),
        }),
    );
    assert_eq!(fs::read(directory.path().join("postgres.jsonl")).unwrap(), damaged, "as it was");

    server.run();
    until("it is ready", || node.get("/status/ready").status == 200);
    assert_eq!(node.control.config().as_ref(), &count(Revision::new(9)), "ready is whole");
    node.get("/status/ready").is(200, &json!({ "message": "ready" }));
    assert_eq!(set_aside(&directory), [damaged]);
    assert_eq!(write(&store).unwrap(), Revision::new(10), "numbers go on");
    drop((follow, node, store));

    // Nothing of it can be read: the start says that, too.
    server.kill();
    damage(&directory, 1);
    for _ in 0..2 {
        let refused = Postgres::open(&url, directory.path()).unwrap_err().to_string();
        assert!(refused.contains("postgres.jsonl is damaged, none of its"), "{refused}");
    }
    // Damage in the middle is found beside a database, too, before anything is added behind it.
    server.run();
    drop(Postgres::open(&url, directory.path()).unwrap());
    assert_eq!(set_aside(&directory).len(), 2);
    server.kill();
    let stored = Postgres::open(&url, directory.path()).unwrap().read().unwrap();
    assert_eq!((stored.revision, stored.config), (Revision::new(10), count(Revision::new(10))));
}

#[test]
fn a_database_that_was_emptied_empties_no_gateway() {
    let Some(server) = Server::start() else { return };
    let (url, directories) = (server.schema(), [Directory::new(), Directory::new()]);
    let schema = url.rsplit("%3D").next().unwrap();
    let store = Postgres::open(&url, directories[0].path()).unwrap();
    (1..=3).for_each(|number| assert_eq!(write(&store).unwrap(), Revision::new(number)));
    drop(store);
    let store = Postgres::open(&url, directories[0].path()).unwrap();
    let told =
        |store: &Postgres| matches!(write(store), Err(error) if error.to_string().contains("had revision 3"));
    assert!(server.psql(&format!("DROP SCHEMA {schema} CASCADE; CREATE SCHEMA {schema}")));
    until("it is noticed", || told(&store));
    // Another one that knows of nothing begins there.
    let fresh = Postgres::open(&url, directories[1].path()).unwrap();
    assert_eq!(fresh.read().unwrap().revision, Revision::NONE);
    until("it is looked at again", || told(&store));
    assert_eq!(*store.newest().borrow(), Revision::new(3));
    assert_eq!(store.read().unwrap().config, count(Revision::new(3)));
    drop(store);
    let store = Postgres::open(&url, directories[0].path()).unwrap();
    assert_eq!(store.read().unwrap().config, count(Revision::new(3)), "nor by a start");
    drop(store);
    fs::remove_dir_all(directories[0].path()).unwrap();
    let store = Postgres::open(&url, directories[0].path()).unwrap();
    assert_eq!(write(&store).unwrap(), Revision::new(1), "unless it is meant");
}

#[test]
fn a_database_that_takes_no_writes_is_followed() {
    let Some(server) = Server::start() else { return };
    let (url, directories) = (server.schema(), [Directory::new(), Directory::new()]);
    let writer = Postgres::open(&url, directories[0].path()).unwrap();
    write(&writer).unwrap();
    let url = format!("{url}%20-cdefault_transaction_read_only%3Don");
    let reader = Postgres::open(&url, directories[1].path()).unwrap();
    assert_eq!(reader.read().unwrap().config, count(Revision::new(1)));
    let refused = write(&reader).unwrap_err();
    assert!(refused.to_string().contains("read-only transaction"), "{refused}");
    write(&writer).unwrap();
    until("it has heard of it", || *reader.newest().borrow() == Revision::new(2));
}

#[test]
fn who_wants_to_write_does_not_wait_for_the_next_look() {
    let Some(mut server) = Server::start() else { return };
    let (url, directory) = (server.schema(), Directory::new());
    let store = Postgres::open(&url, directory.path()).unwrap();
    write(&store).unwrap();
    server.kill();
    // Nobody writes: by now it looks only every few seconds.
    thread::sleep(Duration::from_secs(4));
    server.run();
    // An attempt to write takes no time while it does not look, and as long as the look while it does.
    let refused = (0..50).take_while(|_| {
        thread::sleep(Duration::from_millis(20));
        write(&store).is_err()
    });
    assert!(refused.count() < 50, "it does not look sooner");
}

#[test]
fn writers_beside_each_other_lose_nothing_while_the_database_is_killed() {
    let Some(mut server) = Server::start() else { return };
    let url = server.schema();
    let (written, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let writer = |url: String| {
        let (written, over) = (Arc::clone(&written), Arc::clone(&over));
        thread::spawn(move || {
            let directory = Directory::new();
            let store = Postgres::open(&url, directory.path()).unwrap();
            let mut acknowledged = Vec::new();
            while !over.load(Relaxed) {
                match write(&store) {
                    Ok(revision) => {
                        acknowledged.push(revision);
                        written.fetch_add(1, Relaxed);
                    }
                    Err(StoreError::Conflict { .. } | StoreError::Unavailable(_)) => {
                        thread::sleep(Duration::from_millis(5));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            acknowledged
        })
    };
    let writers = [0; 3].map(|_| writer(url.clone()));
    for _ in 0..3 {
        let before = written.load(Relaxed);
        until("they write", || written.load(Relaxed) > before + 50);
        server.kill();
        server.run();
    }
    let before = written.load(Relaxed);
    until("they write again", || written.load(Relaxed) > before + 10);
    over.store(true, Relaxed);
    let acknowledged: Vec<_> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    let mut each = acknowledged.clone();
    each.sort_unstable();
    each.dedup();
    assert_eq!(each.len(), acknowledged.len(), "two writers got the same revision");

    let directory = Directory::new();
    let stored = Postgres::open(&url, directory.path()).unwrap().read().unwrap();
    assert!(stored.revision >= *each.last().unwrap(), "an acknowledged change is lost");
    assert_eq!(stored.config, count(stored.revision));
}

#[test]
fn tls_is_used_where_it_is_offered_and_its_certificate_is_verified() {
    let Some(mut server) = Server::start() else { return };
    let url = server.schema();
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let without = Postgres::open(&format!("{url}&sslmode=require"), Directory::new().path()).unwrap_err();
    assert!(without.to_string().contains("TLS"), "{without}");

    server.secure(&own.cert.pem(), &own.signing_key.serialize_pem());
    let open = |mode: &str, anchors: &str| {
        Postgres::open_with(&format!("{url}{mode}"), Directory::new().path(), Some(anchors))
    };
    write(&open("&sslmode=require", &own.cert.pem()).unwrap()).unwrap();
    write(&open("", &own.cert.pem()).unwrap()).unwrap();
    let refused = open("", &other.cert.pem()).unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
    write(&open("&sslmode=disable", &other.cert.pem()).unwrap()).unwrap();
    assert!(open("", "no certificate").is_err());
}

#[test]
fn what_is_no_address_of_a_database_is_told() {
    let directory = Directory::new();
    for url in ["mysql://a/b", "postgres://127.0.0.1:1/none", ""] {
        let refused = Postgres::open(url, directory.path()).unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{url}: {refused}");
    }
}
