//! The callbacks of an instance, looked up once.

use wasmtime::{Instance, Memory, TypedFunc, WasmParams, WasmResults};

use crate::{LoadError, host::Host, mailbox::Mailbox, memory::Guest};

type Store<'a> = &'a mut wasmtime::Store<Host>;

/// The callback of a message's head. In 0.1.0 nobody says whether there is a body.
#[derive(Clone)]
pub(crate) enum OnHead {
    Old(TypedFunc<(u32, u32), u32>),
    New(TypedFunc<(u32, u32, u32), u32>),
}

/// The callback of a chunk of a body: context, size, whether it is the last.
type OnBody = TypedFunc<(u32, u32, u32), u32>;
/// The callback of a callout's answer: root, token, numbers of fields, bytes and trailers.
type OnCall = TypedFunc<(u32, u32, u32, u32, u32), ()>;

/// What a guest exports of the ABI; each of them may be missing.
pub(crate) struct Exports {
    pub(crate) context_create: Option<TypedFunc<(u32, u32), ()>>,
    pub(crate) vm_start: Option<TypedFunc<(u32, u32), u32>>,
    pub(crate) configure: Option<TypedFunc<(u32, u32), u32>>,
    pub(crate) heads: [Option<OnHead>; 2],
    pub(crate) bodies: [Option<OnBody>; 2],
    pub(crate) trailers: [Option<TypedFunc<(u32, u32), u32>>; 2],
    pub(crate) done: Option<TypedFunc<u32, u32>>,
    pub(crate) log: Option<TypedFunc<u32, ()>>,
    pub(crate) delete: Option<TypedFunc<u32, ()>>,
    pub(crate) tick: Option<TypedFunc<u32, ()>>,
    pub(crate) queue_ready: Option<TypedFunc<(u32, u32), ()>>,
    pub(crate) http_call_response: Option<OnCall>,
    pub(crate) grpc: OnGrpc,
    pub(crate) foreign_function: Option<TypedFunc<(u32, u32, u32), ()>>,
}

/// The callbacks of gRPC: root, token, and a number of fields or bytes, or a status.
pub(crate) struct OnGrpc {
    pub(crate) initial: Option<TypedFunc<(u32, u32, u32), ()>>,
    pub(crate) message: Option<TypedFunc<(u32, u32, u32), ()>>,
    pub(crate) trailing: Option<TypedFunc<(u32, u32, u32), ()>>,
    pub(crate) close: Option<TypedFunc<(u32, u32, u32), ()>>,
}

impl OnGrpc {
    fn of(instance: &Instance, store: Store<'_>) -> Result<Self, LoadError> {
        const CALL: &str = "(i32, i32, i32)";
        Ok(Self {
            initial: find(instance, store, "proxy_on_grpc_receive_initial_metadata", CALL)?,
            message: find(instance, store, "proxy_on_grpc_receive", CALL)?,
            trailing: find(instance, store, "proxy_on_grpc_receive_trailing_metadata", CALL)?,
            close: find(instance, store, "proxy_on_grpc_close", CALL)?,
        })
    }
}

/// What is called once, when an instance is new.
pub(crate) struct Starts {
    pub(crate) initialize: Option<TypedFunc<(), ()>>,
    pub(crate) main: Option<TypedFunc<(u32, u32), u32>>,
    pub(crate) start: Option<TypedFunc<(), ()>>,
}

impl Exports {
    pub(crate) fn of(instance: &Instance, store: Store<'_>) -> Result<Self, LoadError> {
        const CONTEXT: &str = "(i32)";
        Ok(Self {
            context_create: find(instance, store, "proxy_on_context_create", "(i32, i32)")?,
            vm_start: find(instance, store, "proxy_on_vm_start", "(i32, i32) -> i32")?,
            configure: find(instance, store, "proxy_on_configure", "(i32, i32) -> i32")?,
            heads: [
                head(instance, store, "proxy_on_request_headers")?,
                head(instance, store, "proxy_on_response_headers")?,
            ],
            bodies: [
                find(instance, store, "proxy_on_request_body", "(i32, i32, i32) -> i32")?,
                find(instance, store, "proxy_on_response_body", "(i32, i32, i32) -> i32")?,
            ],
            trailers: [
                find(instance, store, "proxy_on_request_trailers", "(i32, i32) -> i32")?,
                find(instance, store, "proxy_on_response_trailers", "(i32, i32) -> i32")?,
            ],
            done: find(instance, store, "proxy_on_done", "(i32) -> i32")?,
            log: find(instance, store, "proxy_on_log", CONTEXT)?,
            delete: find(instance, store, "proxy_on_delete", CONTEXT)?,
            tick: find(instance, store, "proxy_on_tick", CONTEXT)?,
            queue_ready: find(instance, store, "proxy_on_queue_ready", "(i32, i32)")?,
            http_call_response: find(
                instance,
                store,
                "proxy_on_http_call_response",
                "(i32, i32, i32, i32, i32)",
            )?,
            grpc: OnGrpc::of(instance, store)?,
            foreign_function: find(instance, store, "proxy_on_foreign_function", "(i32, i32, i32)")?,
        })
    }
}

impl Starts {
    /// `_start` is called where there is no `_initialize`, and `main` only where there is one.
    pub(crate) fn of(instance: &Instance, store: Store<'_>) -> Result<Self, LoadError> {
        let initialize = find(instance, store, "_initialize", "()")?;
        let reactor = initialize.is_some();
        Ok(Self {
            initialize,
            main: if reactor { find(instance, store, "main", "(i32, i32) -> i32")? } else { None },
            start: if reactor { None } else { find(instance, store, "_start", "()")? },
        })
    }
}

/// The memory and the allocator.
pub(crate) fn guest(instance: &Instance, store: Store<'_>) -> Result<Guest, LoadError> {
    let memory = instance.get_memory(&mut *store, "memory").ok_or(LoadError::NoExport("memory"))?;
    let allocate = match find(instance, store, "proxy_on_memory_allocate", "(i32) -> i32")? {
        Some(allocate) => allocate,
        None => find(instance, store, "malloc", "(i32) -> i32")?.ok_or(LoadError::NoExport("malloc"))?,
    };
    Ok(Guest { memory, allocate })
}

/// The guest's mailbox, if it has one.
pub(crate) fn mailbox(instance: &Instance, store: Store<'_>, memory: Memory) -> Option<Mailbox> {
    let address = instance.get_global(&mut *store, plugin_contract::mailbox::NAME)?.get(&mut *store).i32()?;
    Mailbox::at(address.cast_unsigned(), memory.data(store))
}

fn head(instance: &Instance, store: Store<'_>, name: &'static str) -> Result<Option<OnHead>, LoadError> {
    let Some(function) = instance.get_func(&mut *store, name) else { return Ok(None) };
    if let Ok(new) = function.typed(&*store) {
        return Ok(Some(OnHead::New(new)));
    }
    let expected = "a function (i32, i32, i32) -> i32, or (i32, i32) -> i32 in 0.1.0";
    function
        .typed(&*store)
        .map(|old| Some(OnHead::Old(old)))
        .map_err(|_| LoadError::ExportType { name, expected })
}

fn find<P: WasmParams, R: WasmResults>(
    instance: &Instance,
    store: Store<'_>,
    name: &'static str,
    signature: &'static str,
) -> Result<Option<TypedFunc<P, R>>, LoadError> {
    let Some(function) = instance.get_func(&mut *store, name) else { return Ok(None) };
    let typed = function.typed(&*store).map(Some);
    typed.map_err(|_| LoadError::ExportType { name, expected: signature })
}
