//! What is the same for all inputs: the engine, the module, and what the host gives it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use gateway_core::Body;
use gateway_plugins::{
    Area, Call, Calling, Engine, ForeignFunction, Limits, Module, Returned, Status, Upstreams, WasmPlugin,
};
use http::{Request, Response};

use super::guest::guest;

/// What is the same for all inputs.
pub(super) struct Bed {
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) engine: Engine,
    module: Module,
    pub(super) script: Arc<Script>,
}

impl Bed {
    fn new() -> Self {
        // Time passes when nobody has anything to do.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let engine = Engine::new().expect("an engine");
        let module = wat::parse_str(guest()).expect("a module");
        let module = Module::new(&engine, &module, &Limits::default()).expect("a plugin");
        Self { runtime, engine, module, script: Arc::default() }
    }

    pub(super) fn plugin(&self) -> WasmPlugin {
        let mut limits = Limits::default();
        limits.traps = u32::MAX;
        limits.contexts = 64;
        WasmPlugin::builder("fuzzed")
            .limits(limits)
            .grant(Area::ALL)
            .function("script", Read(Arc::clone(&self.script)))
            .function("later", Later)
            .upstreams(Arc::new(Auth), ["auth"])
            .module(&self.engine, &self.module)
    }
}

thread_local! {
    pub(super) static BED: Bed = Bed::new();
}

/// What the guest does.
#[derive(Default)]
pub(super) struct Script(std::sync::Mutex<Vec<u8>>);

impl Script {
    pub(super) fn replace(&self, script: Vec<u8>) {
        *self.0.lock().expect("no panic") = script;
    }
}

struct Read(Arc<Script>);

impl ForeignFunction for Read {
    fn call(&self, _: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
        call.answer.extend_from_slice(&self.0.0.lock().expect("no panic"));
        Ok(Returned::Written)
    }
}

struct Later;

impl ForeignFunction for Later {
    fn call(&self, arguments: &[u8], _: &mut Call<'_>) -> Result<Returned, Status> {
        let arguments = Bytes::copy_from_slice(arguments);
        Ok(Returned::Later(Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            arguments
        })))
    }
}

struct Auth;

impl Upstreams for Auth {
    fn call(&self, name: &str, request: Request<Body>, _: usize) -> Option<Calling> {
        assert_eq!(name, "auth", "no other is granted");
        assert!(request.uri().path().starts_with('/') || request.uri().path() == "*", "{request:?}");
        Some(Box::pin(async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(Response::new(Body::from("yes")))
        }))
    }
}
