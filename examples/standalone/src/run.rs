//! `gateway run`: everything put together, from the start to the end.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use gateway_control::{
    Control, Expire, Follow, Loaded, LogLevel, Watch, WatchError, admin::AdminServer, store::Store,
};
use gateway_core::{
    Gateway,
    config::{Checked, Config},
    server::{Certificates, Phase, Running},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{runtime, time::sleep};
use tracing::{error, info, warn};

use crate::{
    admin,
    args::{LogFormat, RunArgs},
    banner::{self, Banner},
    demo,
    failure::Failure,
    file,
    listeners::Listeners,
    log, node,
    plugins::{FollowPlugins, NodePlugins},
    settings::Settings,
    signals::{Signals, Wish},
    stored,
    what::What,
};

/// Serves until a signal asks to stop.
pub(crate) fn run(args: &RunArgs) -> Result<(), Failure> {
    let begun = Instant::now();
    let settings = Settings::of(args)?;
    let (format, level) = log::start(&settings)?;
    tell_of_kong(&settings);
    raise_file_limit();
    // The workers and the Admin API have runtimes of their own; this one waits for signals.
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let signals = Signals::listen()?;
        let (node, banner) = Node::start(&settings, format, level)?;
        Banner { took: begun.elapsed(), ..banner }.show(format, settings.log_format.is_some());
        node.serve(signals).await
    })
}

/// What came of Kong's settings.
fn tell_of_kong(settings: &Settings) {
    let [read, ignored] = &settings.kong;
    if !read.is_empty() {
        info!(keys = read.join(", "), "settings of Kong that are read");
    }
    if !ignored.is_empty() {
        warn!(keys = ignored.join(", "), "settings of Kong without a meaning here");
    }
}

/// The gateway that serves `checked`; `text` is what that was read from.
fn gateway(
    settings: &Settings,
    checked: Checked,
    text: Option<&str>,
    plugins: &NodePlugins,
) -> Result<Gateway, Failure> {
    let own = node::gateway(settings);
    let access_log = log::access(settings, own.shards)?;
    let mut builder = Gateway::builder().checked(checked).settings(own).plugins(plugins.registry.clone());
    if let Some(access_log) = access_log {
        builder = builder.access_log(access_log);
    }
    match (text, &settings.config) {
        (Some(text), Some(path)) => {
            file::build(builder, text).map_err(|refusal| file::refuse(&refusal, path, text))
        }
        _ => Ok(builder.build()?),
    }
}

/// Who changes what it serves by. What a store says is served from the first request on.
fn control(
    gateway: &Gateway,
    store: Option<Arc<dyn Store>>,
    certificates: Certificates,
    settings: &Settings,
) -> Result<Control, Failure> {
    match store {
        Some(store) => stored::control(gateway.clone(), store, &certificates, settings),
        None => {
            tell_of_ttl(gateway.snapshot().config());
            Ok(Control::new(gateway.clone()).certificates(certificates))
        }
    }
}

/// Without a store nobody hears signs of life (lint L017).
fn tell_of_ttl(config: &Config) {
    let targets = config.targets.values().filter(|target| target.ttl.is_some()).count();
    if targets > 0 {
        warn!(targets, "the ttl of targets means nothing without a store: they stay");
    }
}

/// Every connection is an open file: take as many as the system gives.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        warn!(%error, "the limit of open files stays as it was");
    }
}

/// A node that serves.
struct Node {
    running: Running,
    control: Arc<Control>,
    /// Follows the file, if there is one.
    watch: Option<Arc<Watch>>,
    /// From "not ready" to the end of accepting.
    ready_delay: Duration,
    _admin: Option<AdminServer>,
    /// The demo's upstream.
    _upstream: Option<Running>,
    /// Follows what others write into the store, if there is one.
    _others: Option<Follow>,
    /// Takes out targets whose time is over, if there is a store.
    _expire: Option<Expire>,
    /// Follows the folders with plugins, if there are any.
    _plugins: Option<FollowPlugins>,
}

impl Node {
    /// Opens all sockets first: a port in use ends the start before anything is served.
    fn start(
        settings: &Settings,
        format: LogFormat,
        level: Arc<dyn LogLevel>,
    ) -> Result<(Self, Banner), Failure> {
        let plugins = NodePlugins::of(settings)?;
        let store = stored::open(settings)?;
        let what = What::of(settings, &plugins)?;
        let listeners = Listeners::of(settings)?;
        let bound = listeners.bind(settings, &what.certificates)?;
        let admin = settings.admin.map(|address| admin::bind(address.0, settings)).transpose()?;
        let mut banner = listeners.banner(settings, &bound);

        let gateway = gateway(settings, what.checked, what.text.as_deref(), &plugins)?;
        plugins.connect(&gateway);
        let addresses = bound.addresses().iter().map(ToString::to_string).collect();
        let upstream = what.upstream.map(demo::start).transpose()?;
        let is_stored = store.is_some();
        let control = control(&gateway, store, what.certificates, settings)?;
        banner.counts = banner::counts(&control.config());
        let running = bound.start(move |worker| gateway.serve(worker))?;
        let control = control
            .log_level(level)
            .drain(running.drain().clone())
            .counters(running.counters().to_vec())
            .listeners(addresses);
        let control = Arc::new(match &what.text {
            Some(text) => control.serving(text),
            None => control,
        });
        let admin = admin.map(|admin| admin.start(Arc::clone(&control))).transpose()?;
        banner.admin = admin.as_ref().and_then(AdminServer::address);
        let follow = |path| Watch::start(path, Arc::clone(&control), move |result| report(result, format));
        // Standard input comes once, and a store is filled once.
        let watched = settings.config.clone().filter(|path| path.as_os_str() != "-" && !is_stored);
        let watch = watched.map(follow).transpose()?.map(Arc::new);
        let plugins = follow_plugins(plugins, &control, watch.as_ref())?;
        let others = is_stored.then(|| stored::follow(&control)).transpose()?;
        let expire = is_stored.then(|| stored::expire(&control)).transpose()?;
        let ready_delay = settings.timeouts.ready.map_or(Duration::ZERO, |time| time.0);
        let node = Self {
            running,
            control,
            watch,
            ready_delay,
            _admin: admin,
            _upstream: upstream,
            _others: others,
            _expire: expire,
            _plugins: plugins,
        };
        Ok((node, banner))
    }

    async fn serve(mut self, mut signals: Signals) -> Result<(), Failure> {
        let drain = self.running.drain().clone();
        let mut leaving = false;
        loop {
            tokio::select! {
                () = self.running.finished() => break,
                wish = signals.next() => match wish {
                    Wish::Reload => self.reload(),
                    Wish::Stop if std::mem::replace(&mut leaving, true) => drain.stop(),
                    Wish::Stop => self.leave(),
                },
            }
        }
        if drain.phase() == Phase::Serving {
            return Err(Failure::new("all workers died"));
        }
        info!("stopped");
        Ok(())
    }

    fn reload(&self) {
        match &self.watch {
            Some(watch) => watch.reload(),
            None => info!("there is no file to read again"),
        }
        // Log rotation sends the same signal.
        if let Some(access_log) = self.control.gateway().observer().access_log() {
            access_log.reopen();
        }
    }

    /// Readiness goes first, so that load balancers send no more; then the listeners.
    fn leave(&self) {
        info!("stopping: requests under way may end, a second signal cuts them");
        self.control.set_draining();
        let (drain, delay) = (self.running.drain().clone(), self.ready_delay);
        if delay.is_zero() {
            return drain.begin();
        }
        // Ends with the runtime at the latest.
        tokio::spawn(async move {
            sleep(delay).await;
            drain.begin();
        });
    }
}

/// A file that was refused may name a plugin that has come meanwhile.
fn follow_plugins(
    plugins: NodePlugins,
    control: &Arc<Control>,
    watch: Option<&Arc<Watch>>,
) -> io::Result<Option<FollowPlugins>> {
    let (asked, watch) = (Arc::clone(control), watch.cloned());
    FollowPlugins::start(plugins, control.gateway().clone(), move || {
        if let Some(watch) = watch.as_ref().filter(|_| asked.loads().outcome().failure.is_some()) {
            watch.reload();
        }
    })
}

/// What became of a new content of the file.
fn report(result: Result<Loaded, WatchError>, format: LogFormat) {
    match result {
        Ok(Loaded { services, routes, plugins, .. }) => {
            info!(services, routes, plugins, "serving the changed file");
        }
        Err(WatchError::Refused { path, text, refusal }) => {
            if format == LogFormat::Text {
                file::show(&refusal, &path, &text);
            }
            let problems = refusal.to_string();
            let problems = (format == LogFormat::Json).then_some(problems);
            error!(file = %path.display(), problems, "the changed file is refused, what ran before goes on");
        }
        Err(problem) => error!(%problem, "what ran before goes on"),
    }
}
