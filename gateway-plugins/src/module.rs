//! A module, compiled and checked.

use std::{fmt, sync::Arc};

use wasmtime::{ExternType, InstancePre, UnknownImportError};

use crate::{
    Engine, Limits, LoadError, Manifest, abi::Version, alive::Counted, host::Host, hostcalls::Continue,
    uses::Uses,
};

/// A module that plugins can be made of: its code is compiled, its imports are the host's, its exports the ABI's.
/// Several plugins may be made of one; clones are the same code.
///
/// ```
/// use gateway_plugins::{Engine, Limits, LoadError, Module};
///
/// let refused = Module::new(&Engine::new()?, b"not a module", &Limits::default());
/// assert!(matches!(refused, Err(LoadError::Invalid(_))));
/// # Ok::<_, LoadError>(())
/// ```
#[derive(Clone)]
pub struct Module(Arc<Inner>);

struct Inner {
    instance: InstancePre<Host>,
    version: Version,
    uses: Uses,
    _alive: Counted,
}

impl Module {
    /// Checks and compiles `bytes`, a module in WebAssembly's binary format. It takes its time: some milliseconds for
    /// each 100 KB.
    ///
    /// # Errors
    /// A module that cannot be a plugin, with the import, export or limit at fault.
    pub fn new(engine: &Engine, bytes: &[u8], limits: &Limits) -> Result<Self, LoadError> {
        within("the module's size in bytes", bytes.len(), limits.module)?;
        if wasmtime::Engine::detect_precompiled(bytes).is_some() {
            return Err(LoadError::Precompiled);
        }
        let module = wasmtime::Module::from_binary(engine.wasm(), bytes).map_err(LoadError::Invalid)?;
        let version = Version::ALL.into_iter().find(|version| module.get_export(version.marker()).is_some());
        let version = version.ok_or(LoadError::NoAbi)?;
        check_memory(&module, limits)?;
        check_tables(&module, limits)?;
        check_allocator(&module)?;
        let instance = engine.linker(continues(&module)).instantiate_pre(&module).map_err(bad_import)?;
        let mut uses = Uses::of(&module);
        if let Some(manifest) = Manifest::of(bytes)? {
            // Its callback of the body may be there for no more than to read it whole.
            uses.bodies[0] = manifest.has("request_body");
            uses.captures = manifest.capabilities.iter().any(|word| word == "uri_captures");
        }
        Ok(Self(Arc::new(Inner { instance, version, uses, _alive: engine.commons().count_module() })))
    }

    pub(crate) fn instance(&self) -> &InstancePre<Host> {
        &self.0.instance
    }

    pub(crate) fn version(&self) -> Version {
        self.0.version
    }

    pub(crate) fn uses(&self) -> Uses {
        self.0.uses
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("abi", &self.0.version).finish_non_exhaustive()
    }
}

fn check_memory(module: &wasmtime::Module, limits: &Limits) -> Result<(), LoadError> {
    let Some(memory) = module.get_export("memory") else { return Err(LoadError::NoExport("memory")) };
    let ExternType::Memory(memory) = memory else {
        return Err(LoadError::ExportType { name: "memory", expected: "a memory" });
    };
    if memory.is_64() || memory.is_shared() {
        return Err(LoadError::ExportType { name: "memory", expected: "a 32-bit memory that is not shared" });
    }
    let bytes = memory.minimum().saturating_mul(memory.page_size());
    within(
        "the memory it begins with, in bytes,",
        usize::try_from(bytes).unwrap_or(usize::MAX),
        limits.memory,
    )
}

fn check_tables(module: &wasmtime::Module, limits: &Limits) -> Result<(), LoadError> {
    let elements = module.resources_required().max_initial_table_size.unwrap_or_default();
    within("the largest table's length", usize::try_from(elements).unwrap_or(usize::MAX), limits.table)
}

/// What the host gives back goes into memory that the guest allocates.
fn check_allocator(module: &wasmtime::Module) -> Result<(), LoadError> {
    if ["proxy_on_memory_allocate", "malloc"].iter().any(|name| module.get_export(name).is_some()) {
        return Ok(());
    }
    Err(LoadError::NoExport("proxy_on_memory_allocate (or malloc)"))
}

/// The specification of 0.1.0 says that `proxy_continue_request` and its like return nothing; hosts and SDKs of that
/// time have them return a status. A module gets what it asks for.
fn continues(module: &wasmtime::Module) -> Continue {
    let silent = module.imports().any(|import| {
        let name = import.name();
        let old =
            matches!(name, "proxy_continue_request" | "proxy_continue_response" | "proxy_clear_route_cache");
        old && matches!(import.ty(), ExternType::Func(ty) if ty.results().len() == 0)
    });
    if silent { Continue::Silent } else { Continue::Returns }
}

fn bad_import(error: wasmtime::Error) -> LoadError {
    match error.downcast_ref::<UnknownImportError>() {
        Some(unknown) => {
            LoadError::UnknownImport { module: unknown.module().to_owned(), name: unknown.name().to_owned() }
        }
        None => LoadError::ImportType(error),
    }
}

fn within(what: &'static str, wanted: usize, limit: usize) -> Result<(), LoadError> {
    if wanted <= limit {
        return Ok(());
    }
    Err(LoadError::Limit { what, wanted: wanted as u64, limit: limit as u64 })
}
