//! Assembling a gateway.

use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::ArcSwap;

use super::{Gateway, Shard, Shared};
use crate::{
    Settings,
    config::{Checked, Config, Problems},
    forwarder::Outbound,
    observe::{AccessLog, Metrics, Observer, ServerCounters},
    plugin::Registry,
    plugins,
    sanitize::Compat,
    snapshot::{Environment, Snapshot, compile},
    upstream::{Dns, Resolve},
};

/// Puts a [`Gateway`] together. Everything has a default: no entities, the bundled native plugins,
/// default settings, the system's resolver, no access log.
#[derive(Default)]
pub struct Builder {
    config: Config,
    checked: Option<Checked>,
    registry: Option<Registry>,
    settings: Settings,
    resolver: Option<Arc<dyn Resolve>>,
    access_log: Option<Arc<AccessLog>>,
}

impl Builder {
    /// What it serves at first.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self.checked = None;
        self
    }

    /// What it serves at first, where that has been checked already, with the same plugins.
    #[must_use]
    pub fn checked(mut self, checked: Checked) -> Self {
        self.checked = Some(checked);
        self
    }

    /// The plugins that the configuration may name, in place of the bundled ones.
    ///
    /// ```
    /// use gateway_core::{Gateway, plugin::LayerPlugin, plugins};
    /// use tower::layer::layer_fn;
    ///
    /// let registry = plugins::bundled().with(LayerPlugin::new("audit", 500, layer_fn(|rest| rest)));
    /// let gateway = Gateway::builder().plugins(registry).build().unwrap();
    /// ```
    #[must_use]
    pub fn plugins(mut self, registry: Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// The node's settings.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// What looks host names up.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Where each request gets a line.
    #[must_use]
    pub fn access_log(mut self, log: AccessLog) -> Self {
        self.access_log = Some(Arc::new(log));
        self
    }

    /// The gateway.
    ///
    /// # Errors
    /// Every problem of the configuration.
    pub fn build(self) -> Result<Gateway, Problems> {
        let Self { config, checked, registry, settings, resolver, access_log } = self;
        let plugins = Arc::new(registry.unwrap_or_else(plugins::bundled));
        let environment = environment(resolver, &settings);
        let nothing = Snapshot::empty(Arc::clone(&plugins), &environment)?;
        let checked = match checked {
            Some(checked) => checked,
            None => Checked::of(&config, &plugins)?,
        };
        let whole = Config::default().diff(checked.config());
        let snapshot = compile(checked, &whole, &nothing, &plugins, &environment)?;
        let server = Arc::new(ServerCounters::new(environment.shards));
        let mut observer = Observer::of(Arc::clone(&environment.metrics), server);
        if let Some(log) = access_log {
            observer = observer.with_access_log(log);
        }
        let shared = Shared {
            snapshot: ArcSwap::from_pointee(snapshot),
            retired: Mutex::default(),
            observer,
            environment,
            settings,
        };
        Ok(Gateway { shared: Arc::new(shared), shard: Shard::Thread })
    }
}

fn environment(resolver: Option<Arc<dyn Resolve>>, settings: &Settings) -> Environment {
    let shards = settings.shards.max(1);
    Environment {
        resolver: resolver.unwrap_or_else(|| Arc::new(Dns::system())),
        metrics: Arc::new(Metrics::new(shards)),
        outbound: Arc::new(Outbound {
            brand: settings.branding.brand().clone(),
            trust: settings.trust.clone(),
            request_buffer: settings.request_buffer,
        }),
        shards,
        dialect: settings.dialect(),
        pool: settings.pool,
        tls_verify: settings.tls_verify,
        recovery: settings.recovery.filter(|_| settings.rules.compat == Compat::Kong39),
        zone: settings.zone.as_deref().map(Into::into),
        tags: settings.rules.compat == Compat::Kong39,
        runtime: OnceLock::new(),
    }
}
