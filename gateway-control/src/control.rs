//! The one who changes what a gateway serves by.

mod draft;
mod kept;
mod leases;
mod others;
mod served;
mod state;
mod text;
mod view;

pub(crate) use draft::Draft;
pub use kept::Changed;
pub(crate) use kept::{Mode, Written, entities};
pub(crate) use leases::Leases;
pub(crate) use state::State;
pub(crate) use view::View;

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use gateway_core::{
    Gateway, Prepared,
    config::{Checked, Config, Options, Places, Problems},
    server::{Certificates, Counters, Drain, Phase, Snapshot},
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{
    Hash, Loads, LogLevel, Refusal, aligned,
    store::{Incomplete, Note, Store},
};

/// The one who changes what a gateway serves by, and knows what else there is to tell of the node.
///
/// Changes come as the text of a declarative file, one at a time. Each is taken whole or refused whole.
/// Reading and compiling block: call [`load`](Self::load) from a thread that may wait.
///
/// Over a [store](Self::stored) a change is kept before it counts, and single entities can be changed, too.
pub struct Control {
    gateway: Gateway,
    store: Option<Arc<dyn Store>>,
    log: Option<Arc<dyn LogLevel>>,
    node_id: Uuid,
    certificates: Option<Certificates>,
    drain: Option<Drain>,
    counters: Vec<Arc<Counters>>,
    listeners: Vec<String>,
    /// Readiness was switched off by hand, or a stop is about to begin.
    draining: AtomicBool,
    serving: ArcSwap<Serving>,
    /// Held while a change is made; requests never take it.
    changing: Mutex<()>,
    loads: Loads,
    /// Of targets that go when they give no sign of life any more.
    leases: Leases,
    /// One posted configuration at a time is compiled.
    turn: Arc<Semaphore>,
}

/// What the node serves by now, as far as others may see it.
struct Serving {
    hash: Hash,
    /// With `{vault://...}` as it was written: secrets are not shown.
    config: Arc<Config>,
    /// Where there is a store: what of it is served.
    kept: Option<Arc<State>>,
}

/// A configuration that was taken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The digest of its text.
    pub hash: Hash,
    /// What it is, as others may see it.
    pub config: Arc<Config>,
    /// How many services it has.
    pub services: usize,
    /// How many routes.
    pub routes: usize,
    /// How many plugins.
    pub plugins: usize,
}

impl Control {
    /// Control over `gateway`, which serves by what it was built with.
    #[must_use]
    pub fn new(gateway: Gateway) -> Self {
        let config = gateway.snapshot().config().clone();
        let hash = if config == Config::default() { Hash::NONE } else { Hash::of(&config.to_yaml()) };
        Self {
            gateway,
            store: None,
            log: None,
            node_id: Uuid::new_v4(),
            certificates: None,
            drain: None,
            counters: Vec::new(),
            listeners: Vec::new(),
            draining: AtomicBool::new(false),
            serving: ArcSwap::from_pointee(Serving { hash, config: Arc::new(config), kept: None }),
            changing: Mutex::new(()),
            loads: Loads::new(),
            leases: Leases::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// The same, where the gateway was built from this text. Over a store it is the store that says what is served.
    #[must_use]
    pub fn serving(self, text: &str) -> Self {
        if self.store.is_some() {
            return self;
        }
        let config = self.shown(text, self.gateway.snapshot().config().clone());
        self.serving.store(Arc::new(Serving { hash: Hash::of(text), config, kept: None }));
        self
    }

    /// The same with certificates that change with the configuration.
    #[must_use]
    pub fn certificates(mut self, certificates: Certificates) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// The same for a node that this handle stops: it is not ready any more once a stop has begun.
    #[must_use]
    pub fn drain(mut self, drain: Drain) -> Self {
        self.drain = Some(drain);
        self
    }

    /// The same with the server's counters, to be shown.
    #[must_use]
    pub fn counters(mut self, counters: Vec<Arc<Counters>>) -> Self {
        self.counters = counters;
        self
    }

    /// The same with the addresses that the server listens on, to be shown.
    #[must_use]
    pub fn listeners(mut self, listeners: Vec<String>) -> Self {
        self.listeners = listeners;
        self
    }

    /// The same where how much is logged can be changed.
    #[must_use]
    pub fn log_level(mut self, log: Arc<dyn LogLevel>) -> Self {
        self.log = Some(log);
        self
    }

    pub(crate) const fn log(&self) -> Option<&Arc<dyn LogLevel>> {
        self.log.as_ref()
    }

    /// Serves by the declarative file `text` from now on. Over a store it takes the place of everything, in one
    /// revision.
    ///
    /// # Errors
    /// Everything that is wrong with it; then nothing has changed.
    pub fn load(&self, text: &str) -> Result<Loaded, Refusal> {
        if self.store.is_some() {
            return self.replace(text, &Note::new("", "a file"));
        }
        self.load_where(text, |_| Ok::<_, Refusal>(()))
    }

    /// The same without a store, where `check` lets it: it is asked with the digest of what is served until then.
    pub(crate) fn load_where<E: From<Refusal>>(
        &self,
        text: &str,
        check: impl FnOnce(Hash) -> Result<(), E>,
    ) -> Result<Loaded, E> {
        let _changing = self.changing();
        let failed = |refusal: Refusal| {
            self.loads.fail(refusal.to_string());
            E::from(refusal)
        };
        let prepared = self.prepared(text).map_err(failed)?;
        check(self.hash())?;
        let loaded = self.serve(prepared, text).map_err(failed)?;
        self.loads.succeed();
        Ok(loaded)
    }

    /// As [`load`](Self::load), unless that is what it serves by already.
    pub fn load_if_changed(&self, text: &str) -> Option<Result<Loaded, Refusal>> {
        (Hash::of(text) != self.hash()).then(|| self.load(text))
    }

    /// Notes a change that did not get as far as a text: a file that cannot be read.
    pub fn note_failure(&self, message: impl Into<String>) {
        self.loads.fail(message.into());
    }

    /// What is served by, and what would be were `text` loaded, with `{vault://...}` as written. Nothing changes.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn try_text(&self, text: &str) -> Result<(Arc<Config>, Config), Refusal> {
        let wanted = self.prepared(text)?.config().clone();
        let current = self.config();
        let wanted = aligned(&current, Config::clone(&self.shown(text, wanted)));
        Ok((current, wanted))
    }

    /// Reads and compiles a text, up to the moment from which it is served.
    fn prepared(&self, text: &str) -> Result<Prepared<'_>, Refusal> {
        let checked = Checked::parse(text, &self.gateway.plugins()).map_err(Refusal::Problems)?;
        if self.certificates.is_some() {
            Certificates::new(checked.config()).map_err(Refusal::Certificates)?;
        }
        let located = |problems: Problems| Refusal::Problems(problems.located(&Places::of(text)));
        self.gateway.prepare_checked(checked).map_err(located)
    }

    /// Serves by what was read from `text`.
    fn serve(&self, prepared: Prepared<'_>, text: &str) -> Result<Loaded, Refusal> {
        prepared.commit();
        let config = self.gateway.snapshot().config().clone();
        if let Some(certificates) = &self.certificates {
            certificates.replace(&config).map_err(Refusal::Certificates)?;
        }
        let hash = Hash::of(text);
        let config = self.shown(text, config);
        self.serving.store(Arc::new(Serving { hash, config: Arc::clone(&config), kept: None }));
        Ok(Loaded::of(hash, config))
    }

    /// `config`, which was read from `text`, as others may see it.
    fn shown(&self, text: &str, config: Config) -> Arc<Config> {
        if !text.contains("{vault://") {
            return Arc::new(config);
        }
        let plugins = self.gateway.plugins();
        let options = Options::new(&*plugins).keep_references();
        // It has been read once; an empty one is better than one with secrets.
        Arc::new(Config::parse(text, options).unwrap_or_default())
    }

    /// The gateway.
    #[must_use]
    pub const fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// What it serves by now, as others may see it: with `{vault://...}` as written.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.serving.load().config)
    }

    /// The digest of what it serves by now.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.serving.load().hash
    }

    /// How changes went so far.
    #[must_use]
    pub const fn loads(&self) -> &Loads {
        &self.loads
    }

    /// The node's id, another one at each start.
    #[must_use]
    pub const fn node_id(&self) -> Uuid {
        self.node_id
    }

    /// Where the server listens.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.listeners
    }

    /// The server's counters, added up, if they are known.
    #[must_use]
    pub fn connections(&self) -> Option<Snapshot> {
        (!self.counters.is_empty()).then(|| self.counters.iter().map(|counters| counters.snapshot()).sum())
    }

    pub(crate) const fn turn(&self) -> &Arc<Semaphore> {
        &self.turn
    }

    /// Tells load balancers that ask for readiness to go elsewhere. Nothing else changes.
    pub fn set_draining(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Why no new requests should come, if there is a reason (compat 1.12).
    ///
    /// # Errors
    /// The reason, in Kong's words.
    pub fn ready(&self) -> Result<(), &'static str> {
        let stopping = self.drain.as_ref().is_some_and(|drain| drain.phase() != Phase::Serving);
        if stopping || self.draining.load(Relaxed) {
            return Err("draining");
        }
        if self.hash() == Hash::NONE {
            return Err("no configuration available (empty configuration present)");
        }
        if self.incomplete().is_some_and(|incomplete| incomplete.comes_back) {
            return Err("the configuration is incomplete: its copy is damaged, and the database is away");
        }
        Ok(())
    }

    /// What the store knows to be missing from what is served.
    #[must_use]
    pub fn incomplete(&self) -> Option<Incomplete> {
        self.store.as_ref()?.incomplete(self.revision().unwrap_or_default())
    }
}

impl Loaded {
    fn of(hash: Hash, config: Arc<Config>) -> Self {
        let [services, routes, plugins] = [config.services.len(), config.routes.len(), config.plugins.len()];
        Self { hash, config, services, routes, plugins }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("hash", &self.hash()).finish_non_exhaustive()
    }
}
