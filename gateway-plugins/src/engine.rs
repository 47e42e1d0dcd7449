//! The WebAssembly engine that all plugins of a process share.

use std::{fmt, path::Path, sync::Arc};

use wasmtime::{
    Cache, Config, InstanceAllocationStrategy, Linker, OptLevel, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use crate::{
    LoadError,
    alive::Alive,
    cache,
    commons::{Commons, INSTANCES},
    host::Host,
    hostcalls::{self, Continue},
};

/// The most memory that any plugin's limits may ask for under the pooling allocator.
const MEMORY: usize = 1 << 30;
/// The most elements of a table under the pooling allocator.
const TABLE: usize = 1 << 20;
/// Bytes of stack that a guest may use: what a thread of 2 MiB can spare.
const STACK: usize = 256 << 10;

/// Compiles and runs the modules of plugins. One is enough for a process; clones are the same engine.
///
/// A thread ticks while guests run, so that none runs for ever; it ends with the engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    commons: Arc<Commons>,
    returning: Linker<Host>,
    silent: Linker<Host>,
    wasm: wasmtime::Engine,
}

impl Engine {
    /// An engine. Instances come from a pool of addresses set aside now; where the machine does not give so
    /// many, each is mapped when it is needed.
    ///
    /// # Errors
    /// Where the processor or the operating system lacks what compiled code needs.
    pub fn new() -> Result<Self, LoadError> {
        Self::with(None)
    }

    /// The same, with compiled code kept in `folder`: a module that was compiled before, by whatever process, is ready
    /// at once. The folder is made where it is not there. Nobody else may write to it: what lies there is run.
    ///
    /// # Errors
    /// As for [`new`](Self::new), and a folder that cannot be made or that others may write to.
    pub fn cached(folder: &Path) -> Result<Self, LoadError> {
        Self::with(Some(cache::open(folder)?))
    }

    fn with(cache: Option<Cache>) -> Result<Self, LoadError> {
        let config = config(cache);
        let wasm = pooled(config.clone()).or_else(|error| {
            tracing::info!(%error, "no pool for plugin instances, they are mapped on demand");
            wasmtime::Engine::new(&config)
        });
        let wasm = wasm.map_err(LoadError::Engine)?;
        let linker = |continues| hostcalls::linker(&wasm, continues).map_err(LoadError::Engine);
        let inner = Inner {
            commons: Arc::new(Commons::new(&wasm).map_err(|error| LoadError::Engine(error.into()))?),
            returning: linker(Continue::Returns)?,
            silent: linker(Continue::Silent)?,
            wasm,
        };
        Ok(Self(Arc::new(inner)))
    }

    pub(crate) fn wasm(&self) -> &wasmtime::Engine {
        &self.0.wasm
    }

    pub(crate) fn linker(&self, continues: Continue) -> &Linker<Host> {
        match continues {
            Continue::Returns => &self.0.returning,
            Continue::Silent => &self.0.silent,
        }
    }

    /// What of its plugins is alive.
    #[must_use]
    pub fn alive(&self) -> Alive {
        self.0.commons.alive()
    }

    /// What its plugins have in common.
    pub(crate) fn commons(&self) -> &Arc<Commons> {
        &self.0.commons
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

fn config(cache: Option<Cache>) -> Config {
    let mut config = Config::new();
    config
        .cache(cache)
        .epoch_interruption(true)
        .concurrency_support(false)
        .max_wasm_stack(STACK)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_wide_arithmetic(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .memory_init_cow(true);
    config
}

fn pooled(mut config: Config) -> wasmtime::Result<wasmtime::Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(INSTANCES)
        .total_memories(INSTANCES)
        .total_tables(INSTANCES * 4)
        .max_tables_per_module(4)
        .max_memories_per_module(1)
        .max_memory_size(MEMORY)
        .table_elements(TABLE)
        // What an ended instance leaves is given back; only a little stays for the next one.
        .linear_memory_keep_resident(64 << 10)
        .table_keep_resident(16 << 10)
        .max_unused_warm_slots(16);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    wasmtime::Engine::new(&config)
}
