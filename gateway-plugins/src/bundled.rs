//! The plugins that come with the gateway, and what all plugins of a process share.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use gateway_core::plugin::{Plugin, Registry};

use crate::{
    Area, Builder, Digest, Engine, Fetcher, GatewayUpstreams, Isolation, Limits, LoadError, Manifest,
    WasmPlugin,
    delivery::{Delivery, labels},
    grants::ANY_ORIGIN,
    load,
    versions::{Version, Versions},
};

/// The modules in `bundled/`, built from `guests/` by `cargo xtask plugins`.
const MODULES: [&[u8]; 13] = [
    include_bytes!("../bundled/acl.wasm"),
    include_bytes!("../bundled/basic-auth.wasm"),
    include_bytes!("../bundled/bot-detection.wasm"),
    include_bytes!("../bundled/hmac-auth.wasm"),
    include_bytes!("../bundled/ip-restriction.wasm"),
    include_bytes!("../bundled/jwt.wasm"),
    include_bytes!("../bundled/key-auth.wasm"),
    include_bytes!("../bundled/openid-connect.wasm"),
    include_bytes!("../bundled/rate-limiting.wasm"),
    include_bytes!("../bundled/redirect.wasm"),
    include_bytes!("../bundled/request-termination.wasm"),
    include_bytes!("../bundled/request-transformer.wasm"),
    include_bytes!("../bundled/response-transformer.wasm"),
];

/// What all plugins of a process share: the engine, where callouts go, and how modules are fetched.
///
/// ```
/// use gateway_core::{Gateway, plugins};
/// use gateway_plugins::Plugins;
///
/// let shared = Plugins::new()?;
/// let gateway = Gateway::builder().plugins(shared.bundled(plugins::bundled())?).build()?;
/// shared.upstreams().connect(&gateway);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Plugins {
    engine: Engine,
    upstreams: Arc<GatewayUpstreams>,
    fetcher: Fetcher,
    isolation: Arc<BTreeMap<String, Isolation>>,
}

impl Plugins {
    /// With an engine of its own.
    ///
    /// # Errors
    /// Where the processor or the operating system lacks what compiled code needs.
    pub fn new() -> Result<Self, LoadError> {
        Engine::new().map(Self::on)
    }

    /// On this engine.
    #[must_use]
    pub fn on(engine: Engine) -> Self {
        Self { engine, upstreams: Arc::default(), fetcher: Fetcher::new(), isolation: Arc::default() }
    }

    /// The same, with modules from elsewhere fetched by `fetcher`.
    #[must_use]
    pub fn fetching(mut self, fetcher: Fetcher) -> Self {
        self.fetcher = fetcher;
        self
    }

    /// The same, with plugins isolated as said by their names; all others share an instance a worker.
    ///
    /// ```
    /// use gateway_plugins::{Isolation, Plugins};
    ///
    /// let shared = Plugins::new()?.isolating([("of-a-tenant".to_owned(), Isolation::Route)]);
    /// # Ok::<_, gateway_plugins::LoadError>(())
    /// ```
    #[must_use]
    pub fn isolating(mut self, isolation: impl IntoIterator<Item = (String, Isolation)>) -> Self {
        self.isolation = Arc::new(isolation.into_iter().collect());
        self
    }

    fn isolated(&self, builder: Builder) -> Builder {
        let isolation = self.isolation.get(builder.name()).copied().unwrap_or_default();
        builder.isolation(isolation)
    }

    /// How modules from elsewhere are fetched.
    #[must_use]
    pub const fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Where callouts go: to be connected to the gateway once that is built.
    #[must_use]
    pub const fn upstreams(&self) -> &Arc<GatewayUpstreams> {
        &self.upstreams
    }

    /// `registry` with the bundled plugins, each with what its manifest asks for. They are compiled when a configuration
    /// first names them.
    ///
    /// # Errors
    /// None that are known of: they are part of this library.
    pub fn bundled(&self, registry: Registry) -> Result<Registry, LoadError> {
        MODULES.iter().try_fold(registry, |registry, module| {
            let plugin = WasmPlugin::described(module)?.grant(asked(module)?).limits(limits());
            let plugin = if plugin.name() == PROVIDED { self.provided(plugin) } else { plugin };
            Ok(registry.with(self.isolated(plugin).lazily(&self.engine, *module)))
        })
    }

    /// A plugin that asks an identity provider: at the addresses that its configuration has, and, as providers spread over
    /// several hosts, at those of the internet that the provider itself names.
    fn provided(&self, builder: Builder) -> Builder {
        builder.upstreams(Arc::clone(&self.upstreams) as _, [ANY_ORIGIN]).origins_in(ENDPOINTS)
    }

    /// The plugin in a file, or the one that a delivery brings.
    pub(crate) fn file(
        &self,
        path: &Path,
        allowed: &BTreeMap<String, Vec<String>>,
    ) -> Result<Arc<dyn Plugin>, LoadError> {
        let within = |error| LoadError::In { path: path.to_owned(), source: Box::new(error) };
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let delivery = Delivery::read(path)?;
            return self.delivered(&delivery, path, &name, allowed).map_err(within);
        }
        let module = load::read(path, Limits::default().module)?;
        let builder = named(&module, &name).map_err(within)?;
        Ok(Arc::new(self.allowed(builder, module, allowed).map_err(within)?))
    }

    /// The plugin that a delivery brings, in one version or several.
    fn delivered(
        &self,
        delivery: &Delivery,
        path: &Path,
        name: &str,
        allowed: &BTreeMap<String, Vec<String>>,
    ) -> Result<Arc<dyn Plugin>, LoadError> {
        let mut came = Vec::new();
        for part in &delivery.versions {
            let module = part.module(path, &self.fetcher)?;
            let builder = named(&module, name).and_then(|builder| expected(builder, name))?;
            came.push((part.percent, builder, module));
        }
        let said: Vec<_> = came
            .iter()
            .map(|(_, builder, module)| (builder.version_said(), Digest::of(module).to_string()))
            .collect();
        let labels = labels(&said);
        let versions = came.into_iter().zip(labels).map(|((percent, builder, module), label)| {
            let plugin = self.allowed(builder.labelled(&label), module, allowed)?;
            Ok(Version { plugin, label: label.into(), percent })
        });
        let mut versions = versions.collect::<Result<Vec<_>, LoadError>>()?.into_iter();
        let nobody =
            || LoadError::Delivery { path: path.to_owned(), problem: "nobody sees any version".to_owned() };
        let first = versions.next().ok_or_else(nobody)?;
        if versions.len() == 0 {
            return Ok(Arc::new(first.plugin));
        }
        Ok(Arc::new(Versions::new(first, versions.collect()).ok_or_else(nobody)?))
    }

    /// With what the operator allows it by its name.
    fn allowed(
        &self,
        builder: Builder,
        module: Vec<u8>,
        allowed: &BTreeMap<String, Vec<String>>,
    ) -> Result<WasmPlugin, LoadError> {
        let words = allowed.get(builder.name()).map(Vec::as_slice).unwrap_or_default();
        let builder = self.allow(builder.grant([Area::Response, Area::Var]), words)?;
        Ok(self.isolated(builder).lazily(&self.engine, module))
    }

    /// Lets a plugin do what the words say: an area of functions (`consumer`, `ratelimit`, `counter`, `kv` ...), or
    /// callouts to a service (`upstream:NAME`).
    ///
    /// # Errors
    /// A word that is none of these.
    pub fn allow(&self, builder: Builder, words: &[String]) -> Result<Builder, LoadError> {
        let upstreams: Vec<_> = words.iter().filter_map(|word| word.strip_prefix(UPSTREAM)).collect();
        let builder = builder.upstreams(Arc::clone(&self.upstreams) as _, upstreams);
        let mut areas = words.iter().filter(|word| !word.starts_with(UPSTREAM));
        areas.try_fold(builder, |builder, word| {
            let area = Area::ALL.into_iter().find(|area| area.name() == word);
            area.map(|area| builder.grant([area])).ok_or_else(|| LoadError::Allowance(word.clone()))
        })
    }
}

/// The areas that a module asks for in its manifest.
fn asked(module: &[u8]) -> Result<impl Iterator<Item = Area>, LoadError> {
    let words = Manifest::of(module)?.map(|manifest| manifest.capabilities).unwrap_or_default();
    Ok(Area::ALL.into_iter().filter(move |area| words.iter().any(|word| word == area.name())))
}

/// What a module says of itself; where it says nothing, it is called `name`.
fn named(module: &[u8], name: &str) -> Result<Builder, LoadError> {
    match Manifest::of(module)? {
        Some(_) => WasmPlugin::described(module),
        None => Ok(WasmPlugin::builder(name)),
    }
}

/// Refuses what is called otherwise.
fn expected(builder: Builder, name: &str) -> Result<Builder, LoadError> {
    if builder.name() == name {
        return Ok(builder);
    }
    Err(LoadError::Name { expected: name.to_owned(), found: builder.name().to_owned() })
}

/// The plugin that asks an identity provider, and the fields of its configuration that say where.
const PROVIDED: &str = "openid-connect";
const ENDPOINTS: [&str; 6] = [
    "issuer",
    "token_endpoint",
    "userinfo_endpoint",
    "introspection_endpoint",
    "pushed_authorization_request_endpoint",
    "jwks_uri",
];

/// Bytes of memory that an instance of a bundled plugin may take: a body that is held, read as JSON of nothing but small
/// numbers, takes fifty times its length.
const MEMORY: usize = 64 << 20;

/// How much longer a callback may take in a debug build: what the host does for it counts as its own.
const SLOWER: u32 = if cfg!(debug_assertions) { 10 } else { 1 };

/// Those of a bundled plugin.
fn limits() -> Limits {
    let usual = Limits::default();
    Limits {
        memory: MEMORY,
        entry_cpu: usual.entry_cpu * SLOWER,
        entry_wall: usual.entry_wall * SLOWER,
        ..usual
    }
}

/// Before the name of a service that may be called.
const UPSTREAM: &str = "upstream:";

impl std::fmt::Debug for Plugins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Plugins")
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, error::Error, fs, path::Path};

    use gateway_core::plugin::Registry;

    use wasmparser::Payload;

    use super::{MODULES, Plugins, asked};
    use crate::{Area, Manifest, sections::Sections};

    #[test]
    fn a_bundled_plugin_may_call_what_it_asks_for_and_nothing_else() {
        let areas = |module: &[u8]| asked(module).unwrap().collect::<Vec<_>>();
        let limits = areas(include_bytes!("../bundled/rate-limiting.wasm"));
        assert_eq!(limits, [Area::Consumer, Area::RateLimit, Area::Response]);
        assert_eq!(areas(include_bytes!("../bundled/response-transformer.wasm")), []);
        for module in MODULES {
            // A word that is no area is something else that is asked of the host.
            let words = Manifest::of(module).unwrap().unwrap().capabilities;
            let others = words.len() - areas(module).len();
            assert_eq!(others, usize::from(words.iter().any(|word| word == "uri_captures")), "{words:?}");
        }
    }

    #[test]
    fn a_folder_holds_plugins_and_what_they_may_do_is_said_by_name() {
        let folder = std::env::temp_dir().join(format!("gateway-plugins-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("mine.wasm"), include_bytes!("../bundled/key-auth.wasm")).unwrap();
        fs::write(folder.join("filter.wasm"), wat::parse_str("(module)").unwrap()).unwrap();
        fs::write(folder.join("notes.txt"), "").unwrap();
        let (shared, none) = (Plugins::new().unwrap(), BTreeMap::new());
        let names = |registry: Registry| -> Vec<_> {
            registry.iter().map(|plugin| plugin.name().to_owned()).collect()
        };
        let found = shared.folder(Registry::empty(), &folder, &none).unwrap();
        assert_eq!(names(found), ["filter", "key-auth"]);
        let words = vec!["consumer".to_owned(), "upstream:auth".to_owned(), "nothing".to_owned()];
        let allowed = BTreeMap::from([("key-auth".to_owned(), words)]);
        let refused = shared.folder(Registry::empty(), &folder, &allowed).unwrap_err();
        let told = refused.source().unwrap().to_string();
        assert!(refused.to_string().contains("mine.wasm") && told.contains("'nothing'"), "{refused}: {told}");
        fs::write(folder.join("again.wasm"), include_bytes!("../bundled/key-auth.wasm")).unwrap();
        let refused = shared.folder(Registry::empty(), &folder, &none).unwrap_err().to_string();
        assert!(refused.contains("key-auth") && refused.contains("mine.wasm"), "{refused}");
        fs::remove_file(folder.join("again.wasm")).unwrap();
        fs::write(folder.join("broken.wasm"), "no module").unwrap();
        let found = shared.folder(Registry::empty(), &folder, &none).unwrap();
        assert_eq!(names(found), ["broken", "filter", "key-auth"], "it is refused where it is named");
        fs::remove_dir_all(folder).unwrap();
    }

    /// What each worker has of each, whatever the number of requests.
    #[test]
    fn an_instance_of_a_bundled_plugin_begins_with_two_megabytes_at_most() {
        for module in MODULES {
            let memories = Sections::of(module).find_map(|section| match section.unwrap() {
                Payload::MemorySection(memories) => Some(memories),
                _ => None,
            });
            let memory = memories.unwrap().into_iter().next().unwrap().unwrap();
            assert!(memory.initial * 65_536 <= 2_000_000, "{} pages", memory.initial);
        }
    }

    #[test]
    fn every_module_that_is_committed_comes_with_the_gateway() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundled");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut committed: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        committed.sort();
        let mut named: Vec<_> =
            MODULES.iter().map(|module| Manifest::of(module).unwrap().unwrap().name).collect();
        named.sort();
        assert_eq!(named, committed);
    }
}
