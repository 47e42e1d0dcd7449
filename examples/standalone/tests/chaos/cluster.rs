//! Gateways over one database, each of which may be killed at any moment.

use std::{
    net::SocketAddr,
    sync::{Mutex, RwLock},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    GATEWAYS,
    kit::{self, Answer, Directory, Gateway, ask, until, upstream},
    server::Server,
};

/// The path that is always there.
pub(crate) const ALWAYS: &str = "/always";

pub(crate) struct Cluster {
    store: String,
    copies: Directory,
    /// Held while one is killed and started.
    processes: [Mutex<Gateway>; GATEWAYS],
    places: [RwLock<Place>; GATEWAYS],
}

/// Where a gateway is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// One more when it is killed, and when it is there again: an odd number is none.
    life: u32,
    pub(crate) proxy: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Place {
    pub(crate) const fn is_there(self) -> bool {
        self.life.is_multiple_of(2)
    }
}

impl Cluster {
    /// All of them, with one route that stays.
    pub(crate) fn start(database: &Server) -> Self {
        let (store, copies) = (database.schema(), Directory::new());
        let gateways = [0, 1, 2].map(|number| spawn(&store, &copies, number));
        let places = [0, 1, 2].map(|number: usize| RwLock::new(place(&gateways[number], 0)));
        let cluster = Self { store, copies, processes: gateways.map(Mutex::new), places };
        let service = format!(r#"{{"name":"users","url":"http://{}"}}"#, upstream(Duration::ZERO));
        let route = format!(r#"{{"name":"always","paths":["{ALWAYS}"]}}"#);
        assert_eq!(cluster.write(0, "POST", "/services", &service).unwrap().status, 201);
        assert_eq!(cluster.write(0, "POST", "/services/users/routes", &route).unwrap().status, 201);
        let serves = |number| cluster.get(number, ALWAYS).is_some_and(|answer| answer.status == 200);
        until("all serve", || (0..GATEWAYS).all(serves));
        cluster
    }

    /// Kills one, and starts it again after a while.
    pub(crate) fn kill(&self, number: usize, away: Duration) {
        let mut process = self.processes[number].lock().unwrap();
        // Before it ends: what fails from here on is no surprise.
        self.places[number].write().unwrap().life += 1;
        process.signal(Signal::KILL);
        process.ended();
        thread::sleep(away);
        *process = spawn(&self.store, &self.copies, number);
        let life = self.place(number).life + 1;
        *self.places[number].write().unwrap() = place(&process, life);
    }

    /// One that is there, as far as anybody knows; `turn` says whose turn it is.
    pub(crate) fn living(&self, turn: usize) -> usize {
        let mut turns = (turn..turn + GATEWAYS).map(|turn| turn % GATEWAYS);
        turns.find(|number| self.place(*number).is_there()).unwrap_or_default()
    }

    pub(crate) fn place(&self, number: usize) -> Place {
        *self.places[number].read().unwrap()
    }

    /// A request to the Admin API; nothing if the connection is refused or cut.
    pub(crate) fn write(&self, number: usize, method: &str, path: &str, body: &str) -> Option<Answer> {
        ask(self.place(number).admin, method, path, &[("Content-Type", "application/json")], body)
    }

    /// A request through the proxy.
    pub(crate) fn get(&self, number: usize, path: &str) -> Option<Answer> {
        ask(self.place(number).proxy, "GET", path, &[], "")
    }

    /// What one has of a path of its Admin API.
    pub(crate) fn json(&self, number: usize, path: &str) -> Option<Value> {
        let answer = self.write(number, "GET", path, "").filter(|answer| answer.status == 200)?;
        serde_json::from_str(&answer.text).ok()
    }

    /// Whether all have the same entities.
    pub(crate) fn agree(&self) -> bool {
        let [one, two, three] = [0, 1, 2].map(|number| self.json(number, "/config"));
        one.is_some() && one == two && two == three
    }
}

fn spawn(store: &str, copies: &Directory, number: usize) -> Gateway {
    let mut command = kit::command(&["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1"]);
    command.env("GATEWAY_STORE", store).env("GATEWAY_STORE_COPY", copies.path(&number.to_string()));
    Gateway::spawn(command)
}

fn place(gateway: &Gateway, life: u32) -> Place {
    Place { life, proxy: gateway.address, admin: gateway.admin() }
}
