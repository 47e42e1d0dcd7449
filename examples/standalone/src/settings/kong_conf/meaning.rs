//! What a setting of Kong means here.

use toml::Value;

/// What a setting of Kong means here.
pub(super) enum Meaning {
    /// Settings of ours, by their dotted names.
    Same(Vec<(&'static str, Value)>),
    /// Nothing. With what is there in its place.
    Ignored(&'static str),
}

/// What a setting means, whatever the others say.
///
/// # Errors
/// A value that it cannot have.
pub(super) fn translate(key: &str, value: &str) -> Result<Meaning, String> {
    let one = |place, value: Value| Ok(Meaning::Same(vec![(place, value)]));
    match key {
        "declarative_config" => one("config", value.into()),
        "proxy_listen" => {
            let (clear, tls) = listeners(value);
            let lists =
                [("listen", clear), ("listen_tls", tls)].into_iter().filter(|(_, list)| !list.is_empty());
            let lists: Vec<_> = lists.map(|(place, list)| (place, list.into())).collect();
            match lists.is_empty() {
                true => Ok(Meaning::Ignored("a node that listens nowhere is none")),
                false => Ok(Meaning::Same(lists)),
            }
        }
        "admin_gui_url" => {
            one("admin_origins", list(value).iter().map(|url| origin(url)).collect::<Vec<_>>().into())
        }
        "declarative_config_string" => Ok(Meaning::Ignored(
            "entities are read from a file: declarative_config, or FILE of the command line",
        )),
        "headers" => Ok(Meaning::Ignored("which headers answers carry is not chosen one by one")),
        "nginx_worker_processes" if value == "auto" => Ok(Meaning::Same(Vec::new())),
        "nginx_worker_processes" => one("workers", number(value)?),
        "ssl_cert" => one("tls_cert", first(value).into()),
        "ssl_cert_key" => one("tls_key", first(value).into()),
        "router_flavor" => one("router_flavor", value.into()),
        "allow_debug_header" => one("allow_debug_header", switch(value)?),
        "tls_certificate_verify" => one("tls_verify", switch(value)?),
        "trusted_ips" => one("trusted_ips", list(value).into()),
        "real_ip_header" => one("real_ip_header", value.into()),
        "real_ip_recursive" => one("real_ip_recursive", switch(value)?),
        "proxy_access_log" => one("access_log", log_file(value).into()),
        "log_level" => one("log", level(value).into()),
        "lua_max_req_headers" => one("limits.fields", number(value)?),
        "upstream_keepalive_pool_size" => one("limits.pool", number(value)?),
        "nginx_main_worker_shutdown_timeout" => one("timeouts.drain", value.into()),
        "database" if value == "off" => Ok(Meaning::Same(Vec::new())),
        "database" => Ok(Meaning::Ignored("entities are kept by --store, in tables of its own")),
        "status_listen" => Ok(Meaning::Ignored("the Admin API answers /status")),
        "plugins" => Ok(Meaning::Ignored("all that come with the gateway are there, more by --plugins")),
        "prefix" => Ok(Meaning::Ignored("nothing is kept there")),
        _ => Ok(Meaning::Ignored("")),
    }
}

/// The addresses in clear, and those with TLS: `0.0.0.0:8000 reuseport, 0.0.0.0:8443 http2 ssl`; each with the word
/// `proxy_protocol` where that is there.
pub(super) fn listeners(value: &str) -> (Vec<String>, Vec<String>) {
    let mut all = (Vec::new(), Vec::new());
    for listener in
        value.split(',').map(str::trim).filter(|listener| !listener.is_empty() && *listener != "off")
    {
        let mut words = listener.split_whitespace();
        let mut address = words.next().unwrap_or_default().to_owned();
        if words.clone().any(|word| word == "proxy_protocol") {
            address.push_str(" proxy_protocol");
        }
        let list = if words.any(|word| word == "ssl") { &mut all.1 } else { &mut all.0 };
        list.push(address);
    }
    all
}

fn list(value: &str) -> Vec<String> {
    value.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

pub(super) fn first(value: &str) -> String {
    list(value).into_iter().next().unwrap_or_default()
}

/// The origin of a page: its address without a path.
fn origin(url: &str) -> String {
    let path = url.find("://").and_then(|at| Some(at + 3 + url.get(at + 3..)?.find(['/', '?', '#'])?));
    path.and_then(|at| url.get(..at)).unwrap_or(url).to_owned()
}

fn number(value: &str) -> Result<Value, String> {
    value.parse::<i64>().map(Value::from).map_err(|_| "expected a number".to_owned())
}

fn switch(value: &str) -> Result<Value, String> {
    match value {
        "on" | "true" => Ok(true.into()),
        "off" | "false" => Ok(false.into()),
        _ => Err("expected on or off".to_owned()),
    }
}

/// The path without the name of a format, which would be nginx's.
fn log_file(value: &str) -> &str {
    match value.split_whitespace().next().unwrap_or_default() {
        "/dev/stdout" => "stdout",
        "/dev/stderr" => "stderr",
        path => path,
    }
}

fn level(value: &str) -> &str {
    match value {
        "notice" => "info",
        "crit" | "alert" | "emerg" => "error",
        other => other,
    }
}
