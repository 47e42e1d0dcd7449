//! Ways to embed the gateway, one idea a file.
//!
//! | run | idea |
//! |---|---|
//! | `cargo run -p embedding --example minimal` | a gateway in fifteen lines |
//! | `cargo run -p embedding --example in_axum` | beside an axum application's own routes |
//! | `cargo run -p embedding --example own_layer` | a Tower layer in the chain, by name |
//! | `cargo run -p embedding --example own_plugin` | a plugin with a table of fields; another from a closure |
//! | `cargo run -p embedding --example config_in_code` | upstreams, plugins and a live change without any file |
//! | `cargo run -p embedding --example resilient_client` | no gateway: its balancer, breakers and retries around hyper-util's client |
//!
//! All but the last listen on port 8000 of loopback, and each expects something that speaks HTTP on port 9000:
//! `python3 -m http.server 9000` will do.
