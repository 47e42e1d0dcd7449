//! The callbacks that a built plugin exports. `#[plugin]` uses it.

/// Exports a plugin: what every plugin has, and the callbacks that are named.
#[macro_export]
#[doc(hidden)]
macro_rules! exports {
    ($plugin:ty, $($callback:ident),* $(,)?) => {
        #[allow(unsafe_code, reason = "exported names")]
        mod __exports {
            use super::*;

            ::std::thread_local! {
                static RUNTIME: $crate::runtime::Runtime<$plugin> =
                    $crate::runtime::Runtime::default();
            }

            const MANIFEST: $crate::manifest::Manifest = <$plugin as $crate::Plugin>::MANIFEST;

            #[used]
            #[unsafe(link_section = "gateway-plugin")]
            static SECTION: [u8; MANIFEST.json_length()] = MANIFEST.json();

            #[unsafe(no_mangle)]
            extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
                RUNTIME.with(|runtime| runtime.on_context_create(context, parent));
            }

            #[unsafe(no_mangle)]
            extern "C" fn proxy_on_configure(root: u32, size: usize) -> u32 {
                $crate::log::panics();
                RUNTIME.with(|runtime| runtime.on_configure(root, size)).into()
            }

            #[unsafe(no_mangle)]
            extern "C" fn proxy_on_delete(context: u32) {
                RUNTIME.with(|runtime| runtime.on_delete(context));
            }

            $($crate::export!($callback);)*
        }
    };
}

/// Exports one callback.
#[macro_export]
#[doc(hidden)]
macro_rules! export {
    (on_request_headers) => {
        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_request_headers(context: u32, _fields: u32, end: u32) -> u32 {
            RUNTIME.with(|runtime| runtime.on_request_headers(context, end != 0)) as u32
        }
    };
    (on_response_headers) => {
        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_response_headers(context: u32, _fields: u32, end: u32) -> u32 {
            RUNTIME.with(|runtime| runtime.on_response_headers(context, end != 0)) as u32
        }
    };
    (on_request_body) => {
        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_request_body(context: u32, size: usize, end: u32) -> u32 {
            RUNTIME.with(|runtime| runtime.on_request_body(context, size, end != 0)) as u32
        }
    };
    (on_response_body) => {
        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_response_body(context: u32, size: usize, end: u32) -> u32 {
            RUNTIME.with(|runtime| runtime.on_response_body(context, size, end != 0)) as u32
        }
    };
    (on_log) => {
        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_log(context: u32) {
            RUNTIME.with(|runtime| runtime.on_log(context));
        }
    };
    (on_tick) => {
        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_tick(root: u32) {
            RUNTIME.with(|runtime| runtime.on_tick(root));
        }
    };
    (on_http_call_response) => {
        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_http_call_response(
            _root: u32,
            token: u32,
            fields: u32,
            body: usize,
            _trailers: u32,
        ) {
            RUNTIME.with(|runtime| runtime.on_http_call_response(token, fields, body));
        }
    };
    (on_foreign_function) => {
        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_foreign_function(_context: u32, token: u32, size: usize) {
            RUNTIME.with(|runtime| runtime.on_foreign_function(token, size));
        }
    };
}
