//! The plugins of this node: those of the gateway itself, those in WebAssembly that come with it, and the operator's.

use std::{
    env, io,
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use gateway_core::{Gateway, plugin::Registry, plugins};
use gateway_plugins::{Credentials, Engine, Fetcher, Folder, LoadError, NodeSecrets, Plugins, Secrets};
use tracing::{error, info};

use crate::{
    failure::{Failure, chain},
    settings::{self, Settings},
    text::read,
};

/// The plugins that a file may name.
pub(crate) struct NodePlugins {
    pub(crate) registry: Registry,
    shared: Plugins,
    /// Those that come with the gateway.
    base: Registry,
    folders: Vec<Folder>,
}

impl NodePlugins {
    /// The bundled ones, and those in the folders of the settings, which may take their place.
    pub(crate) fn of(settings: &Settings) -> Result<Self, Failure> {
        let failed = |error: LoadError| Failure::new(chain(&error));
        let engine = engine(settings.plugins.cache.as_deref())?;
        let shared = Plugins::on(engine).fetching(fetcher(&settings.plugins)?);
        let shared = shared.isolating(settings.plugins.isolation.clone());
        let base = shared.bundled(plugins::bundled()).map_err(failed)?;
        let folders = settings.plugins.search_path.iter();
        let folders = folders.map(|path| Folder::open(&shared, path, settings.plugins.allow.clone()));
        let folders = folders.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let registry = over(&base, &folders);
        tell_of_unknown(settings.plugins.isolation.keys(), &registry);
        Ok(Self { registry, shared, base, folders })
    }

    /// Lets them call the services of `gateway`.
    pub(crate) fn connect(&self, gateway: &Gateway) {
        self.shared.upstreams().connect(gateway);
    }
}

/// A plugin that is to be isolated and is not there may still come. Or its name is written wrong, and another one is not
/// isolated.
fn tell_of_unknown<'n>(names: impl Iterator<Item = &'n String>, registry: &Registry) {
    for name in names.filter(|name| registry.iter().all(|plugin| plugin.name() != name.as_str())) {
        tracing::warn!(plugin = name, "plugins.isolation names a plugin that is not there");
    }
}

/// `base` with what is in the folders; the last one counts.
fn over(base: &Registry, folders: &[Folder]) -> Registry {
    folders.iter().fold(base.clone(), |registry, folder| folder.over(registry))
}

/// Follows the folders with plugins on a thread of its own, until dropped: what comes is there by its name, what changes
/// serves the requests that come then.
pub(crate) struct FollowPlugins {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    fetcher: Fetcher,
}

/// How often the folders are looked at.
const LOOK: Duration = Duration::from_secs(1);

impl FollowPlugins {
    /// Follows the folders of `plugins` for `gateway`, and calls `replaced` when others are there. Nothing where there
    /// are no folders.
    pub(crate) fn start(
        plugins: NodePlugins,
        gateway: Gateway,
        replaced: impl Fn() + Send + 'static,
    ) -> io::Result<Option<Self>> {
        let NodePlugins { base, mut folders, shared, .. } = plugins;
        if folders.is_empty() {
            return Ok(None);
        }
        let (stop, stopped) = mpsc::channel();
        let follow = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK) {
                if look(&mut folders) && replace(&gateway, over(&base, &folders)) {
                    replaced();
                }
            }
        };
        let thread = thread::Builder::new().name("plugins".to_owned()).spawn(follow)?;
        let fetcher = shared.fetcher().clone();
        Ok(Some(Self { stop: Some(stop), thread: Some(thread), fetcher }))
    }
}

impl Drop for FollowPlugins {
    fn drop(&mut self) {
        drop(self.stop.take());
        // It does not wait for a server either.
        self.fetcher.stop();
        // A panic of that thread was logged when it happened.
        self.thread.take().map(JoinHandle::join);
    }
}

/// Whether there are other plugins than before.
fn look(folders: &mut [Folder]) -> bool {
    let mut others = false;
    for folder in folders {
        match folder.look() {
            Ok(other) => others |= other,
            Err(error) => error!(error = chain(&error), "a plugin is not taken, those of before stay"),
        }
    }
    others
}

/// Whether they serve from now on.
fn replace(gateway: &Gateway, registry: Registry) -> bool {
    let replaced = gateway.replace_plugins(registry);
    match &replaced {
        Ok(change) => info!(configurations = change.plugins.len(), "serving with other plugins"),
        Err(problems) => error!(%problems, "the changed plugins are refused, those of before stay"),
    }
    replaced.is_ok()
}

/// The engine, with what it compiles kept in the folder of the settings, or in that of the user's caches, if it can be:
/// the second start need not compile again.
fn engine(folder: Option<&Path>) -> Result<Engine, Failure> {
    let engine = match folder {
        Some(folder) if folder.as_os_str().is_empty() => Engine::new(),
        Some(folder) => Engine::cached(folder),
        None => usual_folder().map_or_else(Engine::new, |folder| {
            Engine::cached(&folder).or_else(|error| {
                tracing::info!(error = chain(&error), "compiled plugins are not kept");
                Engine::new()
            })
        }),
    };
    engine.map_err(|error| Failure::new(chain(&error)))
}

/// What fetches modules from elsewhere. What came is kept in the folder of the settings, or among the user's caches.
pub(crate) fn fetcher(settings: &settings::Plugins) -> Result<Fetcher, Failure> {
    let fetcher = match &settings.fetched {
        Some(folder) if folder.as_os_str().is_empty() => Fetcher::new(),
        Some(folder) => Fetcher::new().kept_in(folder),
        None => {
            usual_folder().map_or_else(Fetcher::new, |caches| Fetcher::new().kept_in(caches.join("fetched")))
        }
    };
    let fetcher = match &settings.ca {
        Some(path) => fetcher.anchors([&*read(path)?]),
        None => fetcher,
    };
    settings.credentials.iter().try_fold(fetcher, |fetcher, (host, login)| {
        let none = || {
            Failure::new(format!(
                "plugins.credentials.\"{host}\": {{{}}} gives no password",
                login.password.bare()
            ))
        };
        let secret = NodeSecrets.get(login.password.bare()).and_then(|secret| String::from_utf8(secret).ok());
        let (username, password) = (login.username.clone(), secret.ok_or_else(none)?);
        Ok(fetcher.credentials(host, Credentials { username, password }))
    })
}

/// Where programs keep what they can make again (XDG Base Directory Specification).
fn usual_folder() -> Option<PathBuf> {
    let given = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = given("XDG_CACHE_HOME").or_else(|| given("HOME").map(|home| home.join(".cache")))?;
    Some(caches.join("gateway"))
}
