//! What a guest is called for, what it can call, and what lies in its memory.

/// What a guest is called for, in the order of the guest's table; what it returns where nothing is said.
pub(super) const CALLBACKS: [(&str, u8); 17] = [
    ("context_create", 0),
    ("vm_start", 1),
    ("configure", 1),
    ("request_headers", 0),
    ("request_body", 0),
    ("request_trailers", 0),
    ("response_headers", 0),
    ("response_body", 0),
    ("response_trailers", 0),
    ("done", 1),
    ("log", 0),
    ("delete", 0),
    ("tick", 0),
    ("queue_ready", 0),
    ("http_call_response", 0),
    ("foreign_function", 0),
    // The allocator: 0 gives memory, 1 nothing, 2 an address that is none, 3 one that it gave before.
    ("malloc", 0),
];

/// What a guest can call: module, name, its parameters (`i` 32 bits, `l` 64) and whether it returns something.
pub(super) const CALLS: [(&str, &str, &str); 60] = [
    ("env", "proxy_get_buffer_bytes", "iiiii"),
    ("env", "proxy_set_buffer_bytes", "iiiii"),
    ("env", "proxy_get_buffer_status", "iii"),
    ("env", "proxy_get_configuration", "ii"),
    ("env", "proxy_set_effective_context", "i"),
    ("env", "proxy_done", ""),
    ("env", "proxy_get_shared_data", "iiiii"),
    ("env", "proxy_set_shared_data", "iiiii"),
    ("env", "proxy_call_foreign_function", "iiiiii"),
    ("env", "proxy_grpc_call", "iiiiiiiiiiii"),
    ("env", "proxy_grpc_stream", "iiiiiiiii"),
    ("env", "proxy_grpc_send", "iiii"),
    ("env", "proxy_grpc_cancel", "i"),
    ("env", "proxy_grpc_close", "i"),
    ("env", "proxy_get_header_map_size", "ii"),
    ("env", "proxy_get_header_map_pairs", "iii"),
    ("env", "proxy_set_header_map_pairs", "iii"),
    ("env", "proxy_get_header_map_value", "iiiii"),
    ("env", "proxy_add_header_map_value", "iiiii"),
    ("env", "proxy_replace_header_map_value", "iiiii"),
    ("env", "proxy_remove_header_map_value", "iii"),
    ("env", "proxy_http_call", "iiiiiiiiii"),
    ("env", "proxy_send_local_response", "iiiiiiii"),
    ("env", "proxy_log", "iii"),
    ("env", "proxy_get_log_level", "i"),
    ("env", "proxy_define_metric", "iiii"),
    ("env", "proxy_record_metric", "il"),
    ("env", "proxy_increment_metric", "il"),
    ("env", "proxy_get_metric", "ii"),
    ("env", "proxy_get_property", "iiii"),
    ("env", "proxy_set_property", "iiii"),
    ("env", "proxy_register_shared_queue", "iii"),
    ("env", "proxy_resolve_shared_queue", "iiiii"),
    ("env", "proxy_enqueue_shared_queue", "iii"),
    ("env", "proxy_dequeue_shared_queue", "iii"),
    ("env", "proxy_continue_stream", "i"),
    ("env", "proxy_close_stream", "i"),
    ("env", "proxy_get_status", "iii"),
    ("env", "proxy_continue_request", ""),
    ("env", "proxy_continue_response", ""),
    ("env", "proxy_clear_route_cache", ""),
    ("env", "proxy_get_current_time_nanoseconds", "i"),
    ("env", "proxy_set_tick_period_milliseconds", "i"),
    ("wasi_snapshot_preview1", "fd_write", "iiii"),
    ("wasi_snapshot_preview1", "fd_read", "iiii"),
    ("wasi_snapshot_preview1", "fd_seek", "ilii"),
    ("wasi_snapshot_preview1", "fd_close", "i"),
    ("wasi_snapshot_preview1", "fd_fdstat_get", "ii"),
    ("wasi_snapshot_preview1", "environ_get", "ii"),
    ("wasi_snapshot_preview1", "environ_sizes_get", "ii"),
    ("wasi_snapshot_preview1", "args_get", "ii"),
    ("wasi_snapshot_preview1", "args_sizes_get", "ii"),
    ("wasi_snapshot_preview1", "clock_time_get", "ili"),
    ("wasi_snapshot_preview1", "random_get", "ii"),
    ("wasi_snapshot_preview1", "path_filestat_get", "iiiii"),
    ("wasi_snapshot_preview1", "sched_yield", ""),
    ("guest", "poke", "ii"),
    ("guest", "grow", "i"),
    ("guest", "trap", ""),
    ("guest", "spin", ""),
];

/// Texts that lie in the guest's memory.
pub(super) const WORDS: [(&str, &[u8]); 24] = [
    ("host", b"host"),
    ("path", b":path"),
    ("status", b":status"),
    ("length", b"content-length"),
    ("encoding", b"transfer-encoding"),
    ("field", b"x-a"),
    ("bad", b"a\r\nb: c\0"),
    ("high", b"\xff\xfe\x80"),
    ("text", b"some text"),
    ("auth", b"auth"),
    ("later", b"later"),
    ("kv", b"gateway.kv.set"),
    ("counter", b"gateway.counter.add"),
    ("limit", b"gateway.ratelimit.check"),
    ("jwt", b"gateway.jwt.verify"),
    ("verifier", b"gateway.jwt.verifier"),
    ("crypto", b"gateway.crypto.digest"),
    ("secret", b"gateway.secret.get"),
    ("var", b"gateway.var.set"),
    ("consumer", b"gateway.consumer.lookup"),
    ("property", b"request\0headers\0host"),
    ("root", b"plugin_root_id"),
    ("pairs", b"\x01\0\0\0\x03\0\0\0\x01\0\0\0x-b\0c\0"),
    (
        "call",
        b"\x03\0\0\0\x07\0\0\0\x03\0\0\0\x05\0\0\0\x01\0\0\0\x0a\0\0\0\x01\0\0\0:method\0GET\0:path\0/\0:authority\0a\0",
    ),
];

/// Where the first of them lies.
pub(super) const TEXTS: usize = 1024;
/// A call of a script: the callback, the call, and its arguments.
pub(super) const OPERATION: usize = 4 + 4 * ARGUMENTS;
pub(super) const ARGUMENTS: usize = 12;
/// Before the calls: what callbacks return.
pub(super) const RETURNS: usize = 20;
/// Lines that count.
pub(super) const LINES: usize = 64;
